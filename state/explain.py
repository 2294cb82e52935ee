"""The chain behind an order or a plan: seen, believed, wanted, checked, sent and filled."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec
from msgspec.structs import replace

from state import answers, plan_answers
from state.belief import InstrumentBelief, instruments
from state.blended import parts
from state.canonical import KINDS, event_in
from state.event import (
    BarsClosed,
    CommandReceived,
    Event,
    OrderAccepted,
    OrderClaimed,
    OrderDenied,
    OrderFilled,
    OrderSubmitted,
    PlanExecuted,
    PlanMade,
)
from state.history import command_by_id, order_by_id, orders_of, records
from state.instrument import Symbol
from state.journal import Database
from state.measures import Weighed
from state.order import Order, OrderId
from state.reasons import Closed, Reason, reasons
from state.record import Recorded
from state.risk import GUARDS
from state.weighing import Apart

OF_PLANS = ("plan_made", "plan_approved", "plan_rejected", "plan_executed")
OF_ORDERS = (
    *("order_submitted", "order_denied", "order_claimed", "order_stopped", "order_accepted"),
    *("cancel_requested", "order_cancelled", "order_rejected", "order_lost", "order_not_placed"),
    "order_filled",
)
OF_ANSWERS = ("command_refused", "command_skipped")
ALL = tuple(code.value for code, _ in GUARDS)
BEFORE = "SELECT body FROM event WHERE type = 'bars_closed' AND seq < ? ORDER BY seq DESC"


class Asked(msgspec.Struct, frozen=True):
    """The command that caused it: who asked for what, under which key."""

    key: str
    op: str
    principal: str
    at: datetime


class Wanted(msgspec.Struct, frozen=True):
    """The target of a symbol at the close it was decided by, and what it was made of.

    `belief` is None where the strategy has none; then the closes alone led to the target.
    `members` are those of a blend, with the part of the target that each asked for.
    """

    symbol: Symbol
    close: datetime
    session: date
    strategy: str
    target: float | None
    engine: str | None
    model_hash: str | None
    belief: InstrumentBelief | None
    members: Mapping[str, float] = {}


class Judged(msgspec.Struct, frozen=True):
    """What the gate said of an order: let past, or denied by a guard with its value and limit.

    `asked` are the guards that let it past, in the order in which they were asked; `weighed` what
    they measured, computed again from the journal, and empty where that would not be exact.
    """

    order_id: OrderId
    symbol: Symbol
    passed: bool
    code: str | None = None
    value: str | None = None
    limit: str | None = None
    message: str | None = None
    asked: tuple[str, ...] = ()
    weighed: tuple[Weighed, ...] = ()


class Happened(msgspec.Struct, frozen=True):
    """One step of an order's life, as the journal has it."""

    seq: int
    at: datetime
    order_id: OrderId
    what: str
    detail: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """The whole chain, from what was believed to what was filled."""

    subject: str
    id: str
    command: Asked | None
    plan: plan_answers.PlanAnswer | None
    wanted: tuple[Wanted, ...]
    gate: tuple[Judged, ...]
    orders: tuple[answers.OrderAnswer, ...]
    steps: tuple[Happened, ...]
    fills: tuple[answers.FillAnswer, ...]
    close: Closed | None = None
    why: tuple[Reason, ...] = ()
    apart: tuple[Apart, ...] = ()


def explained(db: Database, id_: str) -> Explanation | None:
    """Return the chain behind an order's or a plan's id, or a command's key; None if unknown."""
    order = order_by_id(db, id_)
    plans = [r for r in records(db, 0, OF_PLANS) if plan_of(r.event) == id_]
    made = next((r for r in plans if isinstance(r.event, PlanMade)), None)
    command = command_by_id(db, id_)
    no = denied(db, id_) if order is None else None
    if order is not None:
        subject, rid, symbols = "order", order.rid, {order.symbol}
    elif no is not None:
        subject, rid, symbols = "order", no.rid, {no.symbol}
    elif made is not None:
        subject, symbols = "plan", None
        rid = next((r.event.rid for r in plans if isinstance(r.event, PlanExecuted)), "")
    elif command is not None:
        subject, rid, symbols = "command", command.rid, None
    else:
        return None
    orders = [order] if order else orders_of(db, rid) if rid and not no else []
    wanted_ids = {o.order_id for o in orders}
    steps = [
        r
        for r in records(db, 0, OF_ORDERS)
        if order_of(r.event) in wanted_ids | ({no.order_id} if no else set())
        or (isinstance(r.event, OrderDenied) and r.event.rid == rid and symbols is None)
    ]
    began = [r.seq for r in steps] + ([made.seq] if made else [])
    asked = next(
        (
            r.event
            for r in records(db, 0, ("command_received",))
            if isinstance(r.event, CommandReceived) and rid and r.event.rid == rid
        ),
        None,
    )
    decided = close_before(db, min(began)) if began else None
    chain = assembled(subject, id_, asked, made, decided, orders, steps)
    answered = [r for r in records(db, 0, OF_ANSWERS) if rid and getattr(r.event, "rid", "") == rid]
    held = [*steps, *answered] if subject == "command" else steps
    return replace(chain, why=tuple(reasons(held)))


def denied(db: Database, order_id: OrderId) -> OrderDenied | None:
    """Return the denial of an order that the gate stopped."""
    return next(
        (
            r.event
            for r in records(db, 0, ("order_denied",))
            if isinstance(r.event, OrderDenied) and r.event.order_id == order_id
        ),
        None,
    )


def assembled(
    subject: str,
    id_: str,
    asked: CommandReceived | None,
    made: Recorded | None,
    decided: BarsClosed | None,
    orders: Sequence[Order],
    steps: Sequence[Recorded],
) -> Explanation:
    """Return the chain from its links: all of them facts of the journal.

    asked    the command behind it, None when no command is known
    made     the record of the plan, None for a rebalance or an order by hand
    decided  the close that targets were of, None when nothing had closed
    steps    what happened to the orders, in the order in which it was written
    """
    plan = made.event.plan if made is not None and isinstance(made.event, PlanMade) else None
    lines = plan.lines if plan else ()
    stopped = [r.event.symbol for r in steps if isinstance(r.event, OrderDenied)]
    symbols = [*(o.symbol for o in orders), *stopped] or [line.symbol for line in lines]
    key = asked.key if asked else None
    return Explanation(
        subject=subject,
        id=id_,
        command=Asked(asked.key, asked.op, asked.principal, asked.at) if asked else None,
        plan=plan_answers.plan(plan) if plan else None,
        wanted=tuple(wanted(decided, dict.fromkeys(symbols))) if decided else (),
        gate=tuple(
            judged(r.event) for r in steps if isinstance(r.event, OrderSubmitted | OrderDenied)
        ),
        orders=tuple(answers.order(o, key) for o in orders),
        steps=tuple(happened(r) for r in steps),
        fills=tuple(answers.fill(r.event) for r in steps if isinstance(r.event, OrderFilled)),
    )


def wanted(decided: BarsClosed, symbols: Iterable[Symbol]) -> list[Wanted]:
    """Return what a close made of some symbols: their targets, and the beliefs behind them."""
    belief = decided.belief
    told = {one.symbol: one for one in instruments(belief)} if belief else {}
    asked = parts(decided.blend) if decided.blend else {}
    return [
        Wanted(
            symbol=symbol,
            close=decided.at,
            session=decided.session,
            strategy=decided.strategy,
            target=(decided.targets or {}).get(symbol),
            engine=belief.engine if belief else None,
            model_hash=belief.model_hash if belief else None,
            belief=told.get(symbol),
            members={name: part.get(symbol, 0.0) for name, part in asked.items()},
        )
        for symbol in symbols
    ]


def judged(event: OrderSubmitted | OrderDenied) -> Judged:
    """Return what the gate said."""
    if isinstance(event, OrderSubmitted):
        return Judged(event.order_id, event.symbol, passed=True, asked=ALL)
    no = event.denial
    asked = ALL[: ALL.index(no.code)] if no.code in ALL else ()
    return Judged(
        event.order_id, event.symbol, False, no.code, no.value, no.limit, no.message, asked
    )


def happened(record: Recorded) -> Happened:
    """Return one step of an order's life."""
    event = record.event
    detail = str(getattr(event, "reason", ""))
    match event:
        case OrderClaimed(broker_oid=oid):
            detail = f"broker order id {oid}"
        case OrderAccepted(broker_id=broker_id):
            detail = f"broker's id {broker_id}" if broker_id else ""
        case OrderFilled(execution_id=execution, quantity=quantity, price=price):
            detail = f"{quantity.normalize():f} at {price.normalize():f}, execution {execution}"
        case OrderDenied(denial=no):
            detail = str(no)
    return Happened(record.seq, event.at, order_of(event), KINDS[type(event)], detail)


def close_before(db: Database, seq: int) -> BarsClosed | None:
    """Return the close that what was written at `seq` was decided by: the last with targets."""
    rows = db.execute(BEFORE, (seq,))
    try:
        for (body,) in rows:
            event = event_in(body)
            if isinstance(event, BarsClosed) and event.targets is not None:
                return event
    finally:
        rows.close()
    return None


def order_of(event: Event) -> OrderId:
    """Return the order that an event is about, "" for none."""
    return str(getattr(event, "order_id", ""))


def plan_of(event: Event) -> str:
    """Return the plan that an event is about, "" for none."""
    return event.plan.plan_id if isinstance(event, PlanMade) else str(getattr(event, "plan_id", ""))
