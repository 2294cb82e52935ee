"""Deciding whether the books agree with the broker's: cash that moves, and differences."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from state.book import book_of
from state.command import (
    AcceptDifference,
    MoveCash,
    RecordReconciliation,
)
from state.denial import Code
from state.event import (
    CashMoved,
    OrderSettled,
    PositionAdjusted,
    Reconciled,
    ReconcileStarted,
)
from state.halting import lasting, stop_trading
from state.instrument import AmountOutOfRange, money
from state.order import OrderId
from state.unfolding import Unavailable, Unfolding

CASH_KINDS: Final[Mapping[str, Literal["deposit", "withdraw", "dividend", "adjustment"]]] = {
    "deposit": "deposit",
    "withdrawal": "withdraw",
    "dividend": "dividend",
    "adjustment": "adjustment",
}


def move_cash(course: Unfolding, command: MoveCash) -> Unavailable | None:
    """Book a deposit, a withdrawal or a dividend on paper; live, cash moves at the broker."""
    now = course.now
    if not now.funded:
        return Unavailable(
            "not_ready",
            Code.RECONCILE_PENDING,
            "the broker has not said yet with how much cash the account begins",
            "wait for readiness: tm health, tm reconcile",
        )
    if now.start is not None and now.start.mode == "live":
        course.deny(
            Code.NOT_PAPER,
            "cash of a live account moves at the broker, not here",
            hint="after it moved, `tm reconcile accept --as deposit` explains it",
        )
        return None
    try:
        amount = money(command.amount)
    except AmountOutOfRange as e:
        course.deny(Code.INVALID_QUANTITY, str(e), subject="cash", value=command.amount)
        return None
    if amount <= 0:
        course.deny(
            Code.INVALID_QUANTITY,
            f"the amount is {command.amount}, and has to be above 0",
            subject="cash",
            value=command.amount,
            limit=0,
            hint="say `tm cash withdraw AMOUNT` to take money out",
        )
        return None
    book = book_of(now)
    free = min(now.ledger.cash, book.cash, book.least_equity)  # what shorts brought in is owed
    if command.kind == "withdraw" and amount > free:
        course.deny(
            Code.INSUFFICIENT_CASH,
            f"a withdrawal of {amount} exceeds the {free} that open orders leave",
            subject="cash",
            value=amount,
            limit=free,
            hint="sell or cancel first, or withdraw less",
        )
        return None
    signed = -amount if command.kind == "withdraw" else amount
    by = f"by {course.actor}"
    moved = CashMoved(command.kind, signed, by, course.moment.at, ref=course.rid)
    try:
        money(max(now.ledger.cash, book.equity, now.high_water) + signed)
        course.note(moved)
    except AmountOutOfRange as e:
        course.deny(Code.INVALID_QUANTITY, str(e), subject="cash", value=command.amount)
    return None


def record_reconciliation(course: Unfolding, found: RecordReconciliation) -> None:
    """Book the outcome of a comparison. A difference halts; the first adopts the broker's cash."""
    at = course.moment.at
    if found.looked:
        return
    if found.started:
        if course.now.reconciled:
            course.note(ReconcileStarted(at))
        return
    if not course.now.funded and found.broker_cash is not None:
        course.note(CashMoved("initial", found.broker_cash, "the broker's cash", at))
    known = course.now.differences
    if not found.differences:
        settle(course, found.settled)
    if course.now.reconciled and not found.differences:
        return
    if found.differences and found.differences == known and not course.now.reconciled:
        return  # it is on record, and so is the halt
    course.note(Reconciled(found.differences, at))
    if found.differences and found.differences != known and not lasting(course.now):
        shown = "; ".join(
            f"{d.subject} ours {d.ours}, broker {d.broker}" for d in found.differences
        )
        stop_trading(
            course, "account", f"the books differ: {shown}", Code.RECONCILE_PENDING, "reconcile"
        )


def settle(course: Unfolding, order_ids: Sequence[OrderId]) -> None:
    """Let orders end that wait for executions which the agreeing books show to be booked."""
    for order_id in order_ids:
        order = course.now.orders.get(order_id)
        if order is not None and order.owed:
            why = f"the broker counted {order.reported:f}, and the books agree at {order.filled:f}"
            course.note(OrderSettled(order_id, why, course.moment.at))


def accept_difference(course: Unfolding, command: AcceptDifference) -> None:
    """Book the differences found as what somebody says they are."""
    differences, ledger = course.now.differences, course.now.ledger
    if not differences:
        course.skip("NO_DIFFERENCE", "the books agree, so there is nothing to accept")
        return
    for found in differences:
        ours = ledger.cash if found.subject == "cash" else ledger.held(found.subject)
        if ours != found.ours:
            course.deny(
                Code.POSITIONS_CHANGED,
                f"{found.subject} is {ours:f} by now, and was {found.ours:f} when it was compared",
                subject=found.subject,
                value=ours,
                limit=found.ours,
                hint="compare again with `tm reconcile`",
            )
            return
    unpriced = [d.subject for d in differences if d.subject not in {"cash", *course.now.marks}]
    if unpriced:
        course.deny(
            Code.NO_PRICE,
            f"there is no price of {', '.join(unpriced)}, so nobody can say what it is worth",
            subject=unpriced[0],
            hint="add it to the price feed, or trade it away at the broker",
        )
        return
    sign = {"deposit": 1, "dividend": 1, "withdrawal": -1}.get(command.kind)
    for found in differences:
        gap = found.broker - found.ours
        if sign is not None and (found.subject != "cash" or gap * sign < 0):
            course.deny(
                Code.KIND_MISMATCH,
                f"{found.subject} differs by {gap}, which is no {command.kind}",
                subject=found.subject,
                value=gap,
                limit=command.kind,
                hint="say --as adjustment, or explain the cash first",
            )
            return
    at = course.moment.at
    for found in differences:
        gap = found.broker - found.ours
        if found.subject == "cash":
            course.note(CashMoved(CASH_KINDS[command.kind], gap, command.reason, at))
        else:
            price = course.now.marks[found.subject].price
            course.note(PositionAdjusted(found.subject, gap, price, command.reason, at))
    course.note(Reconciled((), at))
