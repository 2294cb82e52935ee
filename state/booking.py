"""Deciding what the broker says of orders: their states, and their executions."""

from decimal import Decimal

from msgspec.structs import replace

from state.command import (
    RecordFill,
    RecordOpenOrder,
    RecordStatus,
    ReportKind,
)
from state.event import (
    CancelRequested,
    ExecutionCorrected,
    OrderAccepted,
    OrderAdopted,
    OrderCancelled,
    OrderFilled,
    OrderLost,
    OrderNotPlaced,
    OrderRecalled,
    OrderRejected,
)
from state.halting import lasting, stop_trading
from state.instrument import ZERO
from state.order import TRANSITIONS, Order, Status, Trigger
from state.unfolding import Unfolding

TRIGGERS = {
    ReportKind.ACCEPTED: Trigger.ACCEPT,
    ReportKind.CANCELLED: Trigger.CANCEL,
    ReportKind.REJECTED: Trigger.REJECT,
    ReportKind.LOST: Trigger.LOSE,
    ReportKind.NOT_SEEN: Trigger.NOT_SEEN,
}


def record_status(course: Unfolding, said: RecordStatus) -> None:
    """Book what the broker says of an order; repeats and what no longer matters change nothing."""
    order = course.now.orders.get(said.order_id) or said.over
    if order is None:
        return
    reported = said.filled if said.filled is not None else order.reported
    following = TRANSITIONS.get((order.status, TRIGGERS[said.kind]))
    news = reported > order.reported or (said.broker_id or order.broker_id) != order.broker_id
    if following is None or (following is order.status and not news):
        return
    recall(course, order)
    at = course.moment.at
    match said.kind:
        case ReportKind.ACCEPTED:
            course.note(OrderAccepted(order.order_id, said.broker_id, reported, at))
        case ReportKind.CANCELLED:
            course.note(OrderCancelled(order.order_id, reported, said.reason, at))
        case ReportKind.REJECTED:
            course.note(OrderRejected(order.order_id, reported, said.reason, at))
        case ReportKind.LOST:
            course.note(OrderLost(order.order_id, said.reason, at))
        case ReportKind.NOT_SEEN if order.asked_back:  # nobody is to decide it anew
            why = "asked back, and never reached the broker"
            course.note(OrderCancelled(order.order_id, reported, why, at))
        case ReportKind.NOT_SEEN:
            course.note(OrderNotPlaced(order.order_id, at))


def recall(course: Unfolding, order: Order | None) -> None:
    """Follow an order again that memory let go, for there is news of it."""
    if order is not None and order.order_id not in course.now.orders:
        course.note(OrderRecalled(order, course.moment.at))


def record_open_order(course: Unfolding, said: RecordOpenOrder) -> None:
    """Adopt an order that is open at the broker and not with us: it counts from here.

    Somebody else's is left alone. One of ours should not be there at all, and is asked back.
    """
    found, at = said.order, course.moment.at
    known = course.now.orders.get(found.order_id) or said.over
    if known is not None:
        if known.open or known.status is Status.FILLED:
            return
        found = replace(
            known,
            status=Status.LIVE,
            broker_id=found.broker_id,
            reported=max(known.reported, found.reported),
            asked_back=False,
        )
    else:
        mine = (b for b in course.now.executions.values() if b.order_id == found.order_id)
        found = replace(found, filled=sum((abs(b.quantity) for b in mine), ZERO))
        if found.filled >= abs(found.quantity):
            return  # it filled while its list was on the way: nothing of it is open
    course.note(OrderAdopted(found, at))
    if not found.external:
        course.note(CancelRequested(found.order_id, "open at the broker, and not of this book", at))


def record_fill(course: Unfolding, said: RecordFill) -> None:
    """Book one execution, once; a higher revision books the difference.

    It is booked as it happened, whatever the order's state: more than was ordered halts.
    """
    known = course.now.executions.get(said.execution_id) or said.booked
    if known is not None and said.revision <= known.revision:
        return
    recall(course, said.over)
    at = course.moment.at
    if known is None:
        course.note(
            OrderFilled(
                said.execution_id,
                said.order_id,
                said.symbol,
                said.quantity,
                said.price,
                said.fee,
                said.at,
                at,
                said.revision,
            )
        )
    else:
        course.note(
            ExecutionCorrected(
                said.execution_id,
                said.order_id,
                said.symbol,
                said.quantity,
                said.price,
                said.fee,
                said.at,
                said.revision,
                known,
                at,
            )
        )
    order = course.now.orders.get(said.order_id)
    if order is not None and overfilled(order, said.quantity) and not lasting(course.now):
        stop_trading(
            course,
            "account",
            f"the broker filled {order.filled} of order {order.order_id} for {order.quantity}",
            "OVERFILLED",
            "risk",
        )


def overfilled(order: Order, quantity: Decimal) -> bool:
    """Return whether an execution went past what was ordered, or the other way."""
    return order.filled > abs(order.quantity) or quantity * order.quantity < ZERO
