"""Deciding whether the books agree with the broker's: cash that moves, and differences."""

from collections.abc import Sequence
from decimal import Decimal

from state.book import book_of
from state.command import AcceptDifference, ExpectDifference, MoveCash, RecordReconciliation
from state.denial import Code, Denial
from state.event import (
    CashMoved,
    Difference,
    DifferenceExpected,
    Expected,
    OrderSettled,
    PositionAdjusted,
    Reconciled,
    ReconcileStarted,
)
from state.explaining import (
    CASH,
    CASH_KINDS,
    SIGN,
    explain,
    is_split,
    split,
    split_ratio,
    tolerance,
)
from state.halting import flatten_queued, lasting, stop_trading
from state.instrument import LARGEST, ZERO, AmountOutOfRange, money
from state.order import OrderId
from state.snapshot import Snapshot
from state.unfolding import Unavailable, Unfolding


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
        course.deny(
            Code.INVALID_QUANTITY,
            str(e),
            subject="cash",
            value=command.amount,
            hint="give an amount of money with at most six decimals",
        )
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
        course.deny(
            Code.INVALID_QUANTITY,
            str(e),
            subject="cash",
            value=command.amount,
            hint="give an amount of money with at most six decimals",
        )
    return None


def record_reconciliation(course: Unfolding, found: RecordReconciliation) -> Unavailable | None:
    """Book the outcome of a comparison. A difference halts; the first adopts the broker's cash.

    Of books that changed since they were compared nothing is said: somebody else's comparison may
    have booked the same split, the same deposit. They are to be compared again.
    """
    if found.looked:
        return None
    if found.started:
        if course.now.reconciled:
            course.note(ReconcileStarted(course.moment.at))
        return None
    if (no := moved_since(course.now, found.differences)) is not None:
        return Unavailable("not_ready", no.code, no.message, no.hint)
    decide_books(course, found)
    return None


def decide_books(course: Unfolding, found: RecordReconciliation) -> None:
    """Explain what can be explained; what is left closes the gate, and halts."""
    at = course.moment.at
    if not course.now.funded and found.opening is not None:
        course.note(CashMoved("initial", found.opening, "the broker's cash", at))
    known = course.now.differences
    left = explain(course, found.differences, found.stated, found.splits)
    if not left:
        settle(course, found.settled)
    if course.now.reconciled and not left:
        return
    if left and left == known and not course.now.reconciled:
        return  # it is on record, and so is the halt
    course.note(Reconciled(left, at))
    if not left:
        flatten_queued(course)
    if left and left != known and not lasting(course.now):
        shown = "; ".join(f"{d.subject} ours {d.ours}, broker {d.broker}" for d in left)
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


def expect_difference(course: Unfolding, command: ExpectDifference) -> None:
    """Take an announcement of what will happen at the broker."""
    amount, symbol = command.amount, command.symbol or ""
    split = command.kind.startswith("split:")
    wrong = ""
    if split and (split_ratio(command.kind) is None or not course.now.ledger.held(symbol)):
        wrong = f"a split is of a holding, by a ratio above 0: {command.kind} of {symbol or 'none'}"
    elif not split and (amount is None or not 0 < amount <= LARGEST or symbol):
        wrong = f"{command.kind} is cash: it has an amount above 0, and no symbol"
    elif command.kind == "adjustment":
        wrong = "an adjustment is what nobody expected: accept it when it is found"
    if wrong:
        hint = "say --as split:2 --symbol KO, or --as deposit --amount 5000"
        course.deny(Code.KIND_MISMATCH, wrong, subject=symbol or "cash", hint=hint)
        return
    signed = ZERO if amount is None else money(amount)
    if command.kind == "withdrawal":
        signed = -signed
    session = course.now.session or course.moment.session
    expected = Expected(course.rid, command.kind, signed, symbol, command.reason, session)
    course.note(DifferenceExpected(expected, course.moment.at))


def accept_difference(course: Unfolding, command: AcceptDifference) -> None:
    """Book the differences found as what somebody says they are, or what is pending."""
    now = course.now
    if not now.differences:
        explain_pending(course, command)
        return
    no = moved_since(now, now.differences) or unpriced(now) or mismatch(now, command.kind)
    if no is not None:
        course.refuse(no)
        return
    ratio, at = split_ratio(command.kind), course.moment.at
    for found in now.differences:
        gap = found.broker - found.ours
        if found.subject == CASH:
            kind = "pending" if ratio is not None else CASH_KINDS[command.kind]
            course.note(CashMoved(kind, gap, command.reason, at))
        elif ratio is not None:
            course.note(split(found, ratio, command.reason, course))
        else:
            price = now.marks[found.subject].price
            course.note(PositionAdjusted(found.subject, gap, price, command.reason, at))
    course.note(Reconciled((), at))
    flatten_queued(course)


def explain_pending(course: Unfolding, command: AcceptDifference) -> None:
    """Say what the cash was that was booked as pending."""
    pending, kind = course.now.pending, CASH_KINDS.get(command.kind)
    if not pending or kind is None:
        course.skip("NO_DIFFERENCE", "the books agree, so there is nothing to accept")
    elif pending * SIGN.get(command.kind, pending) < 0:
        course.refuse(no_such(command.kind, CASH, pending))
    else:
        course.note(CashMoved("explained", -pending, command.reason, course.moment.at))
        course.note(CashMoved(kind, pending, command.reason, course.moment.at))


def moved_since(now: Snapshot, differences: Sequence[Difference]) -> Denial | None:
    """Refuse to book differences of books that changed since they were compared."""
    for found in differences:
        ours = now.ledger.cash if found.subject == CASH else now.ledger.held(found.subject)
        if ours != found.ours:
            return Denial(
                Code.POSITIONS_CHANGED,
                found.subject,
                str(ours),
                str(found.ours),
                f"{found.subject} is {ours:f} by now, and was {found.ours:f} when it was compared",
                "compare again with `tm reconcile`",
            )
    return None


def unpriced(now: Snapshot) -> Denial | None:
    """Refuse to book units that nobody can say the worth of."""
    missing = [d.subject for d in now.differences if d.subject not in {CASH, *now.marks}]
    if not missing:
        return None
    return Denial(
        Code.NO_PRICE,
        missing[0],
        message=f"there is no price of {', '.join(missing)}, so nobody can say what it is worth",
        hint="add it to the price feed, or trade it away at the broker",
    )


def mismatch(now: Snapshot, kind: str) -> Denial | None:
    """Refuse to call a difference what it can't be."""
    ratio, sign = split_ratio(kind), SIGN.get(kind)
    for found in now.differences:
        gap, cash = found.broker - found.ours, found.subject == CASH
        if kind.startswith("split:"):
            paid_out = cash and abs(gap) <= tolerance(now)
            wrong = ratio is None or not (paid_out if cash else is_split(found, ratio))
        else:
            wrong = sign is not None and (not cash or gap * sign < 0)
        if wrong:
            return no_such(kind, found.subject, gap)
    return None


def no_such(kind: str, subject: str, gap: Decimal) -> Denial:
    """Return a refusal to call `gap` of something `kind`."""
    return Denial(
        Code.KIND_MISMATCH,
        subject,
        str(gap),
        kind,
        f"{subject} differs by {gap}, which is no {kind}",
        "say --as adjustment, or explain the cash first",
    )
