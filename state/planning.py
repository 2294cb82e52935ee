"""Deciding plans: compute, store, judge, execute; a rebalance is a plan executed at once."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from state.binding import changed, holdings, on_order, stale
from state.command import ApprovePlan, Cause, ExecutePlan, MakePlan, Rebalance, RejectPlan
from state.denial import Code, Denial
from state.duration import duration
from state.event import (
    OrderSubmitted,
    PlanApproved,
    PlanExecuted,
    PlanMade,
    PlanRejected,
    TurnoverExempted,
)
from state.instrument import Symbol
from state.moment import Moment
from state.order import Order, request_id
from state.outlived import member_halted
from state.plan import Plan, PlanId, PlanLine, PlanState, Preview
from state.preview import fitted
from state.rebalance import Proposal, propose
from state.settings import Execution
from state.snapshot import Snapshot
from state.trading import no_session, starting, submit
from state.unfolding import Unavailable, Unfolding

FOREVER = timedelta(days=3650)


def not_ready(now: Snapshot) -> Unavailable | None:
    """Return why no plan can be computed yet, or None."""
    if now.start is None or not now.bars:
        return Unavailable(
            "not_ready",
            "NO_PRICES",
            "no bar has closed yet, so there is no price to plan with",
            "wait for the feed; see `tm status`",
        )
    if now.targets is None:
        return Unavailable(
            "not_ready",
            Code.NO_TARGETS,
            "the strategy has not proposed targets yet",
            "it needs enough closes first, or it failed: see `tm status` and the daemon's log",
        )
    if now.undecided:
        return Unavailable(
            "not_ready",
            Code.TARGETS_STALE,
            f"the targets are of {now.decided}, and the strategy failed at a close since: "
            f"{now.undecided}",
            "the next close that it decides makes good for it; see the daemon's log",
        )
    if outlived := member_halted(now):
        return outlived
    if unknown := [s for s, p in now.ledger.positions.items() if p.quantity and s not in now.marks]:
        return Unavailable(
            "not_ready",
            Code.NO_PRICE,
            f"there is no price of {', '.join(unknown)}, which is held",
            "add it to the price feed",
        )
    return None


def unknown_symbols(now: Snapshot, only: Sequence[Symbol]) -> Unavailable | None:
    """Return which of the symbols asked for are not in the universe."""
    unknown = [symbol for symbol in only if symbol not in now.instruments]
    if not unknown:
        return None
    return Unavailable(
        "invalid",
        Code.UNKNOWN_SYMBOL,
        f"{', '.join(unknown)}: not in the universe",
        "`tm portfolio` and `tm config show` list what is",
    )


def drafted(
    now: Snapshot, moment: Moment, name: str, only: Sequence[Symbol], ttl: float | None = None
) -> Plan:
    """Return the plan that would bring the book to its targets, judged by the gate line by line."""
    return rehearsed(now, moment, name, only, ttl)[0]


def rehearsed(
    now: Snapshot, moment: Moment, name: str, only: Sequence[Symbol], ttl: float | None = None
) -> tuple[Plan, tuple[Order, ...]]:
    """Return that plan, and the orders of it that the gate would let through."""
    proposal = to_target(now, only)
    trial = Unfolding(now, moment, Cause(request_id(name), name, "plan", "plan", ""))
    denied = submit_lines(trial, proposal.lines)
    submitted = [e.order_id for e in trial.events if isinstance(e, OrderSubmitted)]
    orders = tuple(trial.now.orders[order_id] for order_id in submitted)
    return written(now, moment, name, proposal, denied, ttl), orders


def to_target(now: Snapshot, only: Sequence[Symbol]) -> Proposal:
    """Return the trades that bring the book to its targets."""
    if now.start is None or now.targets is None:
        raise ValueError("a plan needs a started daemon and targets; ask not_ready first")
    return propose(now, now.targets, now.start.execution, now.start.limits, only)


def written(
    now: Snapshot,
    moment: Moment,
    name: str,
    proposal: Proposal,
    denied: tuple[Denial, ...],
    ttl: float | None = None,
) -> Plan:
    """Return a plan, bound to the book and the prices of `now`; `denied` is what the gate said."""
    plan_id = name[:12].lower()
    execution = now.start.execution if now.start else Execution()
    return Plan(
        plan_id=plan_id,
        hash=digest(plan_id, proposal.lines),
        made_at=moment.wall,
        as_of=now.closed_at or moment.at,
        expires_at=moment.wall + time_to_live(execution, ttl),
        bars=now.bars,
        equity=proposal.equity,
        turnover=proposal.turnover,
        cost=proposal.cost,
        lines=proposal.lines,
        denied=(*proposal.denied, *denied),
        unmet=proposal.unmet,
        held=holdings(now),
        on_order=on_order(now),
    )


def time_to_live(execution: Execution, ttl: float | None) -> timedelta:
    """Return how long a plan may wait for its execution, ten years at most."""
    asked = duration(execution.plan_ttl) if ttl is None else timedelta(seconds=ttl)
    return min(asked, FOREVER)


def digest(plan_id: PlanId, trades: Sequence[PlanLine]) -> str:
    """Return the hash of what a plan would do; approving it means approving exactly this."""
    body = msgspec.json.encode((plan_id, trades), order="deterministic")
    return blake2b(body, digest_size=16).hexdigest()


def submit_lines(course: Unfolding, trades: Sequence[PlanLine]) -> tuple[Denial, ...]:
    """Submit a plan's trades in their order, sells first; return what the gate denied."""
    now = course.now
    if trades and not now.invested and now.day is not None and not now.day.exempt:
        course.note(TurnoverExempted(now.day.session, course.moment.at))
    denials = (submit(course, t.symbol, t.quantity, None, "rebalance") for t in trades)
    return tuple(denial for denial in denials if denial is not None)


def make_plan(
    course: Unfolding, command: MakePlan, previews: Sequence[Preview] = ()
) -> Unavailable | None:
    """Compute a rebalance and store it, even while halted: it shows what would be denied.

    `previews` is what the broker said of a plan that was drafted a moment ago.
    """
    now = course.now
    if unavailable := unknown_symbols(now, command.only) or not_ready(now):
        return unavailable
    plan = drafted(now, course.moment, course.rid, command.only, command.ttl)
    if previews:
        plan = replace(plan, previews=fitted(plan.lines, plan.denied, previews))
    course.note(PlanMade(plan, course.moment.at))
    return None


def judge_plan(course: Unfolding, command: ApprovePlan | RejectPlan) -> Unavailable | None:
    """Note a named human's word on a plan, while it still matters."""
    plan = course.now.plans.get(command.plan_id)
    if plan is None:
        return unknown_plan(command.plan_id)
    if refusal := stale(course.now, plan, course.moment):
        course.refuse(refusal)
    elif isinstance(command, ApprovePlan):
        course.note(PlanApproved(plan.plan_id, course.actor, course.moment.at))
    else:
        course.note(PlanRejected(plan.plan_id, course.actor, course.moment.at))
    return None


def unknown_plan(plan_id: PlanId) -> Unavailable:
    """Say that there is no such plan."""
    return Unavailable(
        "not_found",
        "PLAN_NOT_FOUND",
        f"there is no plan {plan_id!r}",
        "make one with `tm plan`; only the latest are kept",
    )


def execute_plan(course: Unfolding, command: ExecutePlan) -> Unavailable | None:
    """Submit exactly the orders of a plan, or refuse."""
    now = course.now
    plan = now.plans.get(command.plan_id)
    if plan is None:
        return unknown_plan(command.plan_id)
    if not now.halting() and (wait := starting(now)):
        return wait
    if refusal := stale(course.now, plan, course.moment) or changed(now, plan) or halted(now):
        course.refuse(refusal)
        return None
    if outlived := member_halted(now):
        return outlived
    if command.require_approval and plan.state is not PlanState.APPROVED:
        return Unavailable(
            "not_ready",
            Code.APPROVAL_MISSING,
            f"plan {plan.plan_id} is not approved yet",
            f"somebody has to say `tm approve {plan.plan_id}`",
        )
    if not no_session(course):
        carry_out(course, plan)
    return None


def carry_out(course: Unfolding, plan: Plan) -> None:
    """Submit a plan's lines."""
    if plan.lines:
        executed(course, plan, submit_lines(course, plan.lines))
    else:
        no_lines(course, plan)


def no_lines(course: Unfolding, planned: Plan | Proposal) -> None:
    """End a command that has nothing to trade: because all is well, or because nothing can be."""
    if planned.denied:
        course.refuse(planned.denied[0])
    else:
        course.skip(*why_nothing(planned.unmet))


def why_nothing(unmet: Sequence[Symbol]) -> tuple[str, str]:
    """Return the code and the words for a plan without a line; `unmet` as in `Proposal`."""
    if not unmet:
        return "AT_TARGET", "every position is within its band of its target"
    names = ", ".join(unmet)
    return (
        "NO_ROOM",
        f"off target are {names}, and the limits, the day's turnover or the cash leave no room "
        "to trade them: see `tm audit`",
    )


def executed(course: Unfolding, plan: Plan, denied: Sequence[Denial]) -> None:
    """Note that a plan was executed, and refuse the command when nothing of it got through."""
    course.note(PlanExecuted(plan.plan_id, course.rid, course.moment.at))
    if len(denied) == len(plan.lines):
        course.refuse(denied[0])


def halted(now: Snapshot) -> Denial | None:
    """Return the account's halt as a refusal."""
    halting = now.halting()
    if halting is None:
        return None
    return Denial(
        Code.TRADING_HALTED,
        halting.scope,
        message=f"trading is halted by {halting.actor}: {halting.reason}",
        hint="when it is safe: `tm resume --reason TEXT --accept-risk NAME`",
    )


def rebalance(course: Unfolding, command: Rebalance) -> Unavailable | None:
    """Plan and submit in one step."""
    now = course.now
    if unavailable := unknown_symbols(now, command.only) or not_ready(now):
        return unavailable
    if refusal := halted(now):
        course.refuse(refusal)
        return None
    if wait := starting(now):
        return wait
    if no_session(course):
        return None
    proposal = to_target(now, command.only)
    if not proposal.lines:
        no_lines(course, proposal)
        return None
    denied = submit_lines(course, proposal.lines)
    plan = written(now, course.moment, course.rid, proposal, denied)
    course.note(PlanMade(plan, course.moment.at))
    executed(course, plan, denied)
    return None
