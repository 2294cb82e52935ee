"""Command in, events out. Nothing here reads a clock, a socket or a disk."""

from typing import assert_never

from state.booking import record_fill, record_open_order, record_status
from state.command import (
    AcceptDifference,
    ApprovePlan,
    CancelEvolution,
    CancelOrders,
    Cause,
    ChangeLimits,
    Claim,
    CloseBars,
    Command,
    ExecutePlan,
    ExpectDifference,
    Halt,
    HaltForDisk,
    MakePlan,
    MakePreviewedPlan,
    MoveCash,
    Promote,
    Rebalance,
    RecordAlert,
    RecordBackup,
    RecordDenial,
    RecordEvolution,
    RecordFill,
    RecordOpenOrder,
    RecordReconciliation,
    RecordStart,
    RecordStatus,
    RejectPlan,
    Resume,
    Rollback,
    Shutdown,
    SubmitOrder,
    Withhold,
)
from state.event import (
    AlertTold,
    BackedUp,
    CommandFinished,
    CommandReceived,
    ExecutionCorrected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    OrderReleased,
    OrderSettled,
    OrderStopped,
    RequestDenied,
    ShutdownRequested,
    Started,
)
from state.halting import halt, halt_for_disk, resume
from state.limiting import change_limits
from state.marking import close_bars
from state.moment import Moment
from state.planning import execute_plan, judge_plan, make_plan, rebalance
from state.promoting import cancel_evolution, promote, record_evolution, rollback
from state.reconciling import (
    accept_difference,
    expect_difference,
    move_cash,
    record_reconciliation,
)
from state.snapshot import Snapshot
from state.spending import notional_over, operations_over
from state.trading import cancel_orders, claim, submit_order, withhold
from state.unfolding import Unavailable, Unfolding

Decided = Unfolding | Unavailable

ENDINGS = (
    ExecutionCorrected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    OrderSettled,
    OrderStopped,
)


def decide(now: Snapshot, command: Command, moment: Moment, cause: Cause | None = None) -> Decided:
    """Return what `command` causes, or why it can't be answered now (then nothing is written).

    A client's command needs a `cause`: its order ids are made of it.
    """
    course = Unfolding(now, moment, cause)
    if cause is not None:
        course.note(
            received := CommandReceived(
                *(cause.rid, cause.key, cause.op, cause.principal, cause.digest, moment.at),
                *(cause.uid, cause.rule),
            )
        )
        if no := operations_over(course.now, cause):
            course.refuse(no)
            return course
    if unavailable := unfold(course, command):
        return unavailable
    if cause is not None and (no := notional_over(course.now, cause)):
        course = Unfolding(now, moment, cause)  # all of it or none: what it would do is forgotten
        course.note(received)
        course.refuse(no)
        return course
    finish(course)
    return course


def unfold(course: Unfolding, command: Command) -> Unavailable | None:
    """Let `command` cause its events, one case each."""
    match command:
        case Rebalance():
            return rebalance(course, command)
        case MakePlan():
            return make_plan(course, command)
        case MakePreviewedPlan(ask, previews):
            return make_plan(course, ask, previews)
        case ApprovePlan() | RejectPlan():
            return judge_plan(course, command)
        case ExecutePlan():
            return execute_plan(course, command)
        case CancelOrders():
            return cancel_orders(course, command)
        case Halt():
            return halt(course, command)
        case MoveCash():
            return move_cash(course, command)
        case SubmitOrder():
            return submit_order(course, command)
        case CloseBars():
            close_bars(course, command)
        case RecordFill():
            record_fill(course, command)
        case RecordOpenOrder():
            record_open_order(course, command)
        case RecordStatus():
            record_status(course, command)
        case Claim():
            claim(course, command)
        case Withhold():
            withhold(course, command)
        case Resume():
            resume(course, command)
        case RecordReconciliation():
            return record_reconciliation(course, command)
        case AcceptDifference():
            accept_difference(course, command)
        case ExpectDifference():
            expect_difference(course, command)
        case HaltForDisk():
            halt_for_disk(course, command)
        case ChangeLimits():
            change_limits(course, command)
        case RecordDenial(principal, uid, op, digest, rule, times):
            at = course.moment.at
            course.note(RequestDenied(principal, uid, op, digest, rule, at, times))
        case RecordStart(start):
            course.note(Started(start, course.moment.at))
        case RecordBackup(file, seq, hash_, size):
            course.note(BackedUp(file, seq, hash_, size, course.moment.at))
        case RecordAlert(alert):
            course.note(AlertTold(alert, course.moment.at))
        case RecordEvolution():
            return record_evolution(course, command)
        case CancelEvolution():
            return cancel_evolution(course, command)
        case Promote():
            return promote(course, command)
        case Rollback():
            rollback(course, command)
        case Shutdown():
            course.note(ShutdownRequested(course.actor, course.moment.at))
        case _:
            assert_never(command)
    return None


def finish(course: Unfolding) -> None:
    """Note which commands are over: those whose every order is final and owes no executions.

    An order that came back after its command was over is let go again alone.
    """
    ended = sorted({e.order_id for e in course.events if isinstance(e, ENDINGS)})
    orders = [order for order_id in ended if (order := course.now.orders.get(order_id))]
    for rid in sorted({order.rid for order in orders} & course.now.commands.keys()):
        mine = tuple(course.now.orders[order_id] for order_id in course.now.commands[rid])
        if not any(order.open or order.working for order in mine):
            course.note(CommandFinished(rid, mine, course.moment.at))
    for order in orders:
        alone = order.rid not in course.now.commands and order.order_id in course.now.orders
        if alone and not order.open and not order.working:
            course.note(OrderReleased(order, course.moment.at))
