"""How one event changes what is known. Never called evolve: that word means genetics here."""

from collections.abc import Iterable
from functools import reduce
from typing import assert_never

from msgspec.structs import replace

from state.adjusting import adjusted, cash_moved, divided
from state.alert import noted
from state.closing import closed
from state.event import (
    AlertTold,
    BackedUp,
    BarsClosed,
    BarsMissed,
    CancelRequested,
    CashMoved,
    CommandFinished,
    CommandReceived,
    CommandRefused,
    CommandSkipped,
    DifferenceExpected,
    Event,
    EvolutionCancelled,
    EvolutionEnded,
    EvolutionStarted,
    ExecutionCorrected,
    ExpectationMet,
    FlattenDue,
    FlattenQueued,
    GenerationBred,
    GenomePromoted,
    GenomeRolledBack,
    Halted,
    HoldoutTouched,
    LimitsChanged,
    OrderAccepted,
    OrderAdopted,
    OrderCancelled,
    OrderClaimed,
    OrderDenied,
    OrderFilled,
    OrderLost,
    OrderNotPlaced,
    OrderRecalled,
    OrderRejected,
    OrderReleased,
    OrderSettled,
    OrderStopped,
    OrderSubmitted,
    PlanApproved,
    PlanExecuted,
    PlanMade,
    PlanRejected,
    PositionAdjusted,
    Reconciled,
    ReconcileStarted,
    RequestDenied,
    Restored,
    Resumed,
    ShadowWatched,
    ShutdownRequested,
    SplitBooked,
    Start,
    Started,
    TurnoverExempted,
)
from state.heredity import evolved
from state.instrument import ZERO
from state.limits_in_force import carried, limited, with_limits
from state.order import Trigger
from state.plan import PlanId, PlanState
from state.progress import (
    adopted,
    corrected,
    ended,
    filled,
    finished,
    released,
    submitted,
    with_order,
)
from state.snapshot import Halting, Snapshot
from state.spending import spent, took

PLANS_KEPT = 50
EXPECTED_KEPT = 50


def apply(now: Snapshot, event: Event) -> Snapshot:
    """Return what is known after `event`."""
    return replace(changed(now, event), seq=now.seq + 1, at=event.at)


def replay(start: Snapshot, events: Iterable[Event]) -> Snapshot:
    """Return what is known after all `events`."""
    return reduce(apply, events, start)


def changed(now: Snapshot, event: Event) -> Snapshot:
    """Return `now` with what `event` says; its place in the journal is `apply`'s affair."""
    match event:
        case Started(start):
            return started(now, start)
        case BarsClosed():
            return closed(now, event)
        case OrderSubmitted():
            return spent(submitted(now, event), event)
        case OrderClaimed(order_id, broker_oid):
            after_claim = with_order(now, order_id, Trigger.CLAIM, broker_oid=broker_oid)
            return replace(after_claim, next_oid=max(now.next_oid, broker_oid + 1))
        case OrderStopped(order_id, why, reason):
            trigger = {"expired": Trigger.EXPIRE, "halted": Trigger.HALT}.get(
                why, Trigger.ASK_CANCEL
            )
            return with_order(now, order_id, trigger, reason=reason)
        case OrderAccepted(order_id, broker_id, reported):
            order = now.orders[order_id]
            return with_order(
                now,
                order_id,
                Trigger.ACCEPT,
                broker_id=broker_id or order.broker_id,
                reported=max(order.reported, reported),
            )
        case CancelRequested(order_id, reason):
            return with_order(now, order_id, Trigger.ASK_CANCEL, reason=reason, asked_back=True)
        case OrderCancelled(order_id, reported, reason):
            return ended(now, order_id, Trigger.CANCEL, reported, reason)
        case OrderRejected(order_id, reported, reason):
            return ended(now, order_id, Trigger.REJECT, reported, reason)
        case OrderLost(order_id, reason):
            return with_order(now, order_id, Trigger.LOSE, reason=reason)
        case OrderNotPlaced(order_id):
            return ended(now, order_id, Trigger.NOT_SEEN, ZERO, "never reached the broker")
        case OrderFilled():
            return filled(now, event)
        case ExecutionCorrected():
            return corrected(now, event)
        case OrderRecalled(order):
            return replace(now, orders={**now.orders, order.order_id: order})
        case OrderAdopted(order):
            return adopted(now, order)
        case OrderSettled(order_id, reason):
            settled = now.orders[order_id]
            return with_order(now, order_id, Trigger.SETTLE, reported=settled.filled, reason=reason)
        case OrderReleased(order):
            return released(now, order.order_id)
        case CommandFinished(rid):
            return finished(now, rid)
        case CashMoved():
            return cash_moved(now, event)
        case SplitBooked():
            return divided(now, event)
        case DifferenceExpected(expected):
            return replace(now, expected=(*now.expected[-(EXPECTED_KEPT - 1) :], expected))
        case ExpectationMet(rid):
            return replace(now, expected=tuple(e for e in now.expected if e.rid != rid))
        case PositionAdjusted(symbol, quantity, price):
            return replace(now, ledger=adjusted(now.ledger, symbol, quantity, price))
        case PlanMade(plan):
            kept = dict(list(now.plans.items())[-(PLANS_KEPT - 1) :])
            return replace(now, plans={**kept, plan.plan_id: plan})
        case PlanApproved(plan_id, by):
            return with_plan(now, plan_id, PlanState.APPROVED, by)
        case PlanRejected(plan_id, by):
            return with_plan(now, plan_id, PlanState.REJECTED, by)
        case PlanExecuted(plan_id):
            return with_plan(now, plan_id, PlanState.EXECUTED, "")
        case TurnoverExempted():
            return replace(now, day=replace(now.day, exempt=True) if now.day else None)
        case Halted(scope, reason, code, actor, at):
            return replace(now, halts={**now.halts, scope: Halting(scope, reason, code, actor, at)})
        case FlattenQueued(rid, scope):
            return replace(
                now,
                flattening={**now.flattening, rid: scope},
                commands={**now.commands, rid: ()},
            )
        case FlattenDue(rid):
            waiting = {r: scope for r, scope in now.flattening.items() if r != rid}
            return replace(now, flattening=waiting)
        case Resumed(scope):
            return resumed(now, scope)
        case ReconcileStarted():
            return replace(now, reconciled=False)
        case Reconciled(differences):
            return replace(now, reconciled=not differences, differences=differences)
        case CommandReceived(rid=rid, op=op, principal=principal):
            return took(now, rid, op, principal)
        case LimitsChanged(names=names, limits=limits):
            return limited(now, names, limits)
        case RequestDenied() | CommandRefused() | CommandSkipped() | OrderDenied():
            return now
        case BarsMissed():
            return now
        case AlertTold(alert):
            return replace(now, alerts=noted(now.alerts, alert))
        case ShutdownRequested() | BackedUp():
            return now
        case Restored(next_oid=next_oid):
            return replace(now, next_oid=max(now.next_oid, next_oid), reconciled=False)
        case (
            EvolutionStarted()
            | GenerationBred()
            | HoldoutTouched()
            | ShadowWatched()
            | EvolutionEnded()
            | EvolutionCancelled()
            | GenomePromoted()
            | GenomeRolledBack()
        ):
            return replace(now, evolution=evolved(now.evolution, event))
        case _:
            assert_never(event)


def started(now: Snapshot, start: Start) -> Snapshot:
    """A run begins: its settings hold, and nothing is sent before the books are compared.

    What another strategy wanted is nobody's wish any more.
    """
    limits, tuned = carried(now, start.limits)
    if now.strategy not in ("", start.strategy):
        now = replace(now, targets=None, decided=None, undecided="")
    return replace(
        now,
        start=with_limits(start, limits),
        configured=start.limits,
        tuned=tuned,
        instruments={i.symbol: i for i in start.instruments},
        reconciled=False,
    )


def resumed(now: Snapshot, scope: str) -> Snapshot:
    """A halt is lifted; after a loss halt, losses are counted afresh from here."""
    halts = {s: h for s, h in now.halts.items() if s != scope}
    if scope != "account" or not now.bars:
        return replace(now, halts=halts)
    equity = now.equity
    was = now.halts.get(scope)
    code = was.code if was else ""
    day = now.day
    return replace(
        now,
        halts=halts,
        high_water=equity if code == "DRAWDOWN" else now.high_water,
        drawdown=0.0 if code == "DRAWDOWN" else now.drawdown,
        day=replace(day, start_equity=equity) if day and code == "DAY_LOSS" else day,
    )


def with_plan(now: Snapshot, plan_id: PlanId, state: PlanState, by: str) -> Snapshot:
    """Return `now` with a plan's state changed."""
    plan = now.plans.get(plan_id)
    if plan is None:  # pushed out by newer ones
        return now
    return replace(now, plans={**now.plans, plan_id: replace(plan, state=state, by=by or plan.by)})
