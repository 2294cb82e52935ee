"""How an order gets on, and what that moves: its own life, the day's budgets, the ledger."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from state.event import Booked, ExecutionCorrected, OrderFilled, OrderSubmitted
from state.instrument import ZERO, amount
from state.ledger import post
from state.order import Order, OrderId, Rid, Status, Trigger, after
from state.quote import Mark
from state.snapshot import Day, Snapshot

MINUTE = timedelta(minutes=1)


def submitted(now: Snapshot, event: OrderSubmitted) -> Snapshot:
    """An order is on record: it counts from here at full size."""
    order = Order(
        order_id=event.order_id,
        rid=event.rid,
        symbol=event.symbol,
        quantity=event.quantity,
        status=Status.PENDING,
        created_at=event.at,
        session=event.session,
        price=event.price,
        limit_price=event.limit_price,
        source=event.source,
    )
    notional = abs(amount(event.quantity, event.price))
    day = now.day
    if day is not None:
        day = replace(day, orders=day.orders + 1, turnover=day.turnover + notional)
    return replace(
        now,
        orders={**now.orders, order.order_id: order},
        commands={**now.commands, event.rid: (*now.commands.get(event.rid, ()), order.order_id)},
        day=day,
        recent=(*(t for t in now.recent if event.at - t < MINUTE), event.at),
        invested=True,
    )


def with_order(now: Snapshot, order_id: OrderId, trigger: Trigger, **fields: Any) -> Snapshot:
    """Return `now` with an order moved along its transition table."""
    order = now.orders[order_id]
    moved_on = replace(order, status=after(order, trigger), **fields)
    return replace(
        now, orders={**now.orders, order_id: moved_on}, day=charged(now.day, order, moved_on)
    )


def ended(
    now: Snapshot, order_id: OrderId, trigger: Trigger, reported: Decimal, reason: str
) -> Snapshot:
    """The broker will trade no more of an order than it `reported`."""
    most = max(now.orders[order_id].reported, reported)
    return with_order(now, order_id, trigger, reported=most, reason=reason)


def filled(now: Snapshot, event: OrderFilled) -> Snapshot:
    """An execution is booked, in the order and in the ledger."""
    ledger = post(now.ledger, event.symbol, event.quantity, event.price, event.fee)
    now = with_execution(replace(now, ledger=ledger, invested=True), event)
    return with_traded(
        now,
        event.order_id,
        abs(event.quantity),
        abs(amount(event.quantity, event.price)),
        event.fee,
    )


def corrected(now: Snapshot, event: ExecutionCorrected) -> Snapshot:
    """An execution was not what it was booked as: the one is taken back, the other booked."""
    was = event.was
    without = post(now.ledger, was.symbol, -was.quantity, was.price, -was.fee)
    ledger = post(without, event.symbol, event.quantity, event.price, event.fee)
    now = with_execution(replace(now, ledger=ledger), event)
    return with_traded(
        now,
        event.order_id,
        abs(event.quantity) - abs(was.quantity),
        abs(amount(event.quantity, event.price)) - abs(amount(was.quantity, was.price)),
        event.fee - was.fee,
    )


def with_execution(now: Snapshot, event: OrderFilled | ExecutionCorrected) -> Snapshot:
    """Return `now` remembering an execution; it is the price of what never had one."""
    session = now.session or event.traded_at.date()
    booked = Booked(
        session,
        event.order_id,
        event.symbol,
        event.quantity,
        event.price,
        event.fee,
        event.traded_at,
        event.revision,
    )
    marks = now.marks
    if event.symbol not in marks and event.price > 0:
        mark = Mark(event.price, event.traded_at, session, now.bars)
        marks = {**marks, event.symbol: mark}
    return replace(now, executions={**now.executions, event.execution_id: booked}, marks=marks)


def with_traded(
    now: Snapshot, order_id: OrderId, quantity: Decimal, value: Decimal, fee: Decimal
) -> Snapshot:
    """Return `now` with `quantity` more of an order traded; all three are negative when less."""
    order = now.orders.get(order_id)
    if order is None:  # of nobody's order that we know: only the book moves
        return now
    total = order.filled + quantity
    trigger = Trigger.FILL_ALL if total >= abs(order.quantity) else Trigger.FILL_SOME
    return with_order(
        now,
        order_id,
        trigger,
        filled=total,
        reported=max(order.reported + min(quantity, ZERO), total),
        value=order.value + value,
        fees=order.fees + fee,
    )


def adopted(now: Snapshot, order: Order) -> Snapshot:
    """The broker has an open order that we did not know to be open: it counts at full size."""
    was = now.orders.get(order.order_id)
    day = charged(now.day, was, order) if was else now.day
    return replace(now, orders={**now.orders, order.order_id: order}, day=day)


def released(now: Snapshot, order_id: OrderId) -> Snapshot:
    """An order is over, and its command long before it: the journal keeps both."""
    return replace(now, orders={i: order for i, order in now.orders.items() if i != order_id})


def finished(now: Snapshot, rid: Rid) -> Snapshot:
    """A command is over: its final orders leave memory, the journal keeps them."""
    mine = now.commands.get(rid, ())
    gone = {order_id for order_id in mine if not now.orders[order_id].working}
    return replace(
        now,
        commands={r: ids for r, ids in now.commands.items() if r != rid},
        orders={order_id: o for order_id, o in now.orders.items() if order_id not in gone},
    )


def charged(day: Day | None, was: Order, order: Order) -> Day | None:
    """Return the day after an order came to stand for more, or for less, than it `was` charged for.

    What it will not trade is given back, but only by the day that it was charged to. What it trades
    after all (a zombie, more than was ordered) is charged to the day that finds it out.
    """
    more = order.filled + abs(order.working) - was.filled - abs(was.working)
    if day is None or not more:
        return day
    if more < 0 and day.began is not None and order.created_at < day.began:
        return day
    return replace(day, turnover=day.turnover + amount(more, order.price))
