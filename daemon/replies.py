"""What a client is told of its command: made once, stored with the events, the same for ever."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.protocol import Exit, Fault, Reply, decode_reply
from control.request import Request
from state import limits_in_force
from state.answers import denial, order, plain
from state.authority import op_of
from state.command import Cause
from state.denial import Denial
from state.event import (
    BackedUp,
    CancelRequested,
    CashMoved,
    CommandFinished,
    CommandRefused,
    CommandSkipped,
    Difference,
    Event,
    EvolutionCancelled,
    EvolutionStarted,
    GenomePromoted,
    GenomeRolledBack,
    OrderDenied,
    OrderStopped,
    OrderSubmitted,
    PlanApproved,
    PlanExecuted,
    PlanMade,
    PlanRejected,
)
from state.order import Status
from state.plan import Plan
from state.plan_answers import plan
from state.record import StoredCommand
from state.snapshot import Snapshot
from state.unfolding import Unavailable

EXITS: Final[Mapping[str, Exit]] = {
    "not_ready": Exit.NOT_READY,
    "not_found": Exit.NOT_FOUND,
    "invalid": Exit.INVALID,
    "conflict": Exit.CONFLICT,
}
DISK_FULL: Final = "the journal's disk is full, so nothing can be promised"
SAME_KEY: Final = "nothing was written: ask again with the same key"


def builtin(answer: object) -> Any:
    """Return an answer as plain JSON values: money as strings, times as ISO 8601."""
    return msgspec.to_builtins(answer)


def first_reply(now: Snapshot, cause: Cause, events: Sequence[Event]) -> Reply:
    """Return what is known of a command in the transaction that took it.

    Its orders may still be on their way: then the status is "accepted".
    """
    base = Reply(
        command=cause.op,
        ok=True,
        status="completed",
        exit=Exit.DONE,
        as_of=now.closed_at or now.at,
        seq=now.seq,
        data=data(now, cause, events),
        key=cause.key,
        command_id=cause.rid,
    )
    for event in events:
        match event:
            case CommandRefused(_, no):
                return replace(base, ok=False, status="refused", exit=Exit.REFUSED, error=fault(no))
            case CommandSkipped(_, code, message):
                note = Fault(code, message, f"`tm explain '{cause.key}'` tells what was looked at")
                return replace(base, status="skipped", exit=Exit.NOTHING, error=note)
    if cause.rid in now.commands:
        return replace(base, status="accepted")
    if lost := [e for e in events if isinstance(e, OrderDenied)]:  # what it did do stands
        why = fault(lost[0].denial)
        return replace(base, ok=False, status="partial", exit=Exit.PARTIAL, error=why)
    if cause.op in {"reconcile", "reconcile_statement"} and now.differences:
        subjects = ", ".join(found.subject for found in now.differences)
        error = Fault(
            "BOOKS_DIFFER",
            f"the books differ from the broker's in {subjects}",
            "find out why, then `tm reconcile accept --as KIND --reason TEXT`",
        )
        return replace(base, ok=False, status="differs", exit=Exit.FINDINGS, error=error)
    return base


def data(now: Snapshot, cause: Cause, events: Sequence[Event]) -> Any:
    """Return what a command did: its plan and orders, and what else it changed."""
    mine = [
        e.order_id for e in events if isinstance(e, OrderSubmitted) and e.order_id in now.orders
    ]
    submitted = [now.orders[order_id] for order_id in mine]
    answer: dict[str, Any] = {}
    made = plan_of(now, events)
    if made is not None:
        answer = builtin(plan(made))
    if submitted or made is not None:
        answer["orders"] = [builtin(order(one, cause.key)) for one in submitted]
    denied = [e for e in events if isinstance(e, OrderDenied)]
    if denied and not any(isinstance(e, PlanMade) for e in events):  # a new plan lists its own
        answer["denied"] = [builtin(denial(e.symbol, e.denial)) for e in denied]
    asked = [e for e in events if isinstance(e, CancelRequested | OrderStopped)]
    if asked or cause.op in {"cancel", "halt"}:
        answer["asked_back"] = [e.order_id for e in asked]
    if cause.rid in now.flattening:
        answer["flatten"] = "queued until the books are known to agree with the broker's"
        answer["orders"] = []
    if cause.op in {"halt", "resume"}:
        answer["halts"] = [builtin(halting) for halting in now.halts.values()]
    if cause.op in {"reconcile", "reconcile_accept", "reconcile_statement"}:
        answer["differences"] = [
            builtin(Difference(d.subject, plain(d.ours), plain(d.broker))) for d in now.differences
        ]
    if cause.op == "limits_set":
        answer["limits"] = builtin(tuple(limits_in_force.shown(now)))
    if cause.op in {"cash", "reconcile_accept", "reconcile_expect", "reconcile_statement"}:
        moved = [e for e in events if isinstance(e, CashMoved)]
        answer["moved"] = [builtin({"kind": e.kind, "amount": plain(e.amount)}) for e in moved]
        answer["cash"] = builtin(plain(now.ledger.cash))
    if cause.op == "reconcile_expect":
        answer["expected"] = [
            builtin({"kind": e.kind, "amount": plain(e.amount), "symbol": e.symbol})
            for e in now.expected
        ]
    for event in events:
        if isinstance(event, EvolutionStarted | EvolutionCancelled):
            run = now.evolution.runs[event.run_id]
            answer |= {"run_id": run.run_id, "status": run.status, "course": builtin(run.course)}
        if isinstance(event, GenomePromoted | GenomeRolledBack):
            champion = now.evolution.champion
            answer["champion"] = champion.genome_id if champion else None
            answer["approved"] = champion.approved if champion else None
        if isinstance(event, BackedUp):
            answer |= {"file": event.file, "bytes": event.bytes}
            answer |= {"seq": event.seq, "hash": event.hash}
    return answer


def plan_of(now: Snapshot, events: Sequence[Event]) -> Plan | None:
    """Return the plan a command made, executed or judged."""
    for event in events:
        match event:
            case PlanMade(made):
                return now.plans.get(made.plan_id, made)
            case PlanExecuted(plan_id) | PlanApproved(plan_id) | PlanRejected(plan_id):
                return now.plans.get(plan_id)
    return None


def final_reply(stored: StoredCommand, finished: CommandFinished) -> Reply:
    """Return the reply to a command whose orders are all final."""
    reply = decode_reply(stored.reply)
    body = dict(reply.data or {})
    body["orders"] = [builtin(order(one, stored.key)) for one in finished.orders]
    body.pop("flatten", None)
    unfilled = [one for one in finished.orders if one.status is not Status.FILLED]
    if reply.exit is not Exit.DONE:
        return replace(reply, data=body)
    if not unfilled and not body.get("denied"):
        return replace(reply, data=body, status="completed")
    denied = len(body.get("denied", ()))
    why = ", ".join(f"{one.symbol} {one.status}" for one in unfilled[:5])
    return replace(
        reply,
        ok=False,
        status="partial",
        exit=Exit.PARTIAL,
        data=body,
        error=Fault(
            "PARTIAL",
            f"{len(unfilled)} of {len(finished.orders)} orders were not wholly filled"
            + (f" ({why})" if why else "")
            + (f", {denied} denied by the gate" if denied else ""),
            "see data.orders and data.denied; `tm rebalance` again moves what is left",
        ),
    )


def fault(no: Denial) -> Fault:
    """Return a denial as a client sees it."""
    return Fault(no.code.value, str(no), no.hint)


def not_done(cause: Cause, now: Snapshot | None, status: str, exit_: Exit, error: Fault) -> Reply:
    """Return a reply of which nothing was written."""
    return Reply(
        command=cause.op,
        ok=False,
        status=status,
        exit=exit_,
        as_of=now.closed_at if now else None,
        seq=now.seq if now else 0,
        error=error,
        key=cause.key,
        command_id=cause.rid,
    )


def unavailable_reply(why: Unavailable, cause: Cause, now: Snapshot) -> Reply:
    """Return a reply to what can't be answered now."""
    error = Fault(why.code, why.message, why.hint)
    return not_done(cause, now, why.kind, EXITS[why.kind], error)


def busy(cause: Cause, why: str) -> Reply:
    """Return a reply to one command too many."""
    return not_done(cause, None, "busy", Exit.NOT_READY, Fault("BUSY", why, SAME_KEY))


def disk_full_reply(cause: Cause, now: Snapshot) -> Reply:
    """Return a reply to a command that can't be made durable."""
    error = Fault("DISK_FULL", DISK_FULL, f"free some space; {SAME_KEY}")
    return not_done(cause, now, "refused", Exit.NOT_READY, error)


def unjournaled_reply(cause: Cause, now: Snapshot, asked: Sequence[CancelRequested]) -> Reply:
    """Return a reply to a cancel or halt that was carried out and could not be written down.

    A cancel is the broker's to remember. A halt is nobody's until it is written: that is pending.
    """
    if cause.op == "halt":
        hint = "it is written down when there is room: free some space, ask again with the same key"
        error = Fault("DISK_FULL", f"{DISK_FULL}: open orders were asked back all the same", hint)
        pending = not_done(cause, now, "pending", Exit.PENDING, error)
        return replace(pending, data={"asked_back": [event.order_id for event in asked]})
    return Reply(
        command=cause.op,
        ok=True,
        status="accepted",
        exit=Exit.DONE,
        as_of=now.closed_at,
        seq=now.seq,
        data={"asked_back": [event.order_id for event in asked]},
        warnings=(f"{DISK_FULL}: the orders were asked back all the same",),
        key=cause.key,
        command_id=cause.rid,
    )


def not_final(command_id: str, wait: float, *, ending: bool) -> Fault:
    """Return why a client waited in vain for orders to be final."""
    if ending:
        why = "the daemon is stopping, and its orders are not final yet"
        return Fault("STOPPING", why, "ask again with the same key")
    hint = f"ask again with the same key, or `tm wait {command_id}`"
    return Fault("PENDING", f"its orders were not final within {wait:g} s", hint)


def conflict(known: StoredCommand, cause: Cause) -> Reply:
    """Return a reply to a key that was used before, for something else."""
    error = Fault(
        "KEY_CONFLICT",
        f"key {cause.key!r} was used for `tm {known.op}` with other arguments",
        "a key means one command for ever: use a new one",
    )
    return not_done(cause, None, "conflict", Exit.CONFLICT, error)


def too_late(request: Request, wall: datetime) -> Reply | None:
    """Return a refusal to a run that starts too long after it was meant to."""
    if request.scheduled_for is None or request.max_lateness is None:
        return None
    late = wall - request.scheduled_for
    if late <= timedelta(seconds=request.max_lateness):
        return None
    error = Fault(
        "TOO_LATE",
        f"the run was scheduled for {request.scheduled_for.isoformat()}, {late} ago, "
        f"and may be at most {request.max_lateness:g} s late",
        "nothing was done; the next scheduled run decides anew",
    )
    return Reply(op_of(request.ask), True, "skipped", Exit.NOTHING, error=error, key=request.key)
