"""How an order gets on, and what that moves: its own life, the day's budgets, the ledger."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from state.event import OrderFilled, OrderSubmitted
from state.instrument import amount
from state.ledger import post
from state.order import Order, OrderId, Rid, Status, Trigger, after
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
    session = now.session or event.traded_at.date()
    now = replace(now, executions={**now.executions, event.execution_id: session})
    order = now.orders.get(event.order_id)
    if order is None:  # a late execution of an order the snapshot let go: only the book moves
        return replace(now, ledger=ledger, invested=True)
    total = order.filled + abs(event.quantity)
    trigger = Trigger.FILL_ALL if total >= abs(order.quantity) else Trigger.FILL_SOME
    booked = with_order(
        now,
        order.order_id,
        trigger,
        filled=total,
        reported=max(order.reported, total),
        value=order.value + abs(amount(event.quantity, event.price)),
        fees=order.fees + event.fee,
    )
    return replace(booked, ledger=ledger, invested=True)


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
