"""Deciding single orders: submit through the gate, ask back, claim for sending."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Literal

from msgspec.structs import replace

from state.book import Book, book_of, with_order
from state.case import Case, Guard, Proposed
from state.command import CancelOrders, Claim, SubmitOrder, Withhold
from state.denial import Code, Denial
from state.event import CancelRequested, OrderClaimed, OrderDenied, OrderStopped, OrderSubmitted
from state.guards import exposure, soundness
from state.instrument import ZERO, Symbol
from state.moment import Moment
from state.order import Order, OrderId, Status
from state.risk import check
from state.snapshot import Snapshot
from state.unfolding import Unavailable, Unfolding


def submit(
    course: Unfolding,
    symbol: Symbol,
    quantity: Decimal,
    limit_price: Decimal | None,
    source: str,
) -> Denial | None:
    """Pass one order of signed `quantity` through the gate: the only way to an OrderSubmitted."""
    now, moment = course.now, course.moment
    proposed = Proposed(course.next_order_id(), symbol, quantity, limit_price, source)
    denial = check(now, proposed, moment, course.book)
    if denial is None:
        course.book = book_of(now, course.book)
    price = now.price(symbol)
    if denial is None and price is not None and moment.target is not None:
        course.note(
            OrderSubmitted(
                proposed.order_id,
                course.rid,
                symbol,
                quantity,
                price,
                limit_price,
                source,
                moment.target,
                moment.at,
            )
        )
        return None
    if denial is None:  # the gate let through what has no price or no session: deny all the same
        denial = Denial(
            Code.GUARD_FAILED,
            symbol,
            message="the order has no price or no session",
            hint="nothing was sent; wait for a bar: tm health",
        )
    course.note(OrderDenied(proposed.order_id, course.rid, symbol, quantity, denial, moment.at))
    return denial


def no_session(course: Unfolding) -> bool:
    """Skip the command when an order made now would have no session to trade in."""
    if course.moment.target is not None:
        return False
    if course.moment.feed_ended:
        course.skip("FEED_ENDED", "the feed has ended, so no bar will ever fill an order")
    else:
        course.skip("MARKET_CLOSED", "the market is closed and execution.session is not 'next'")
    return True


def starting(now: Snapshot) -> Unavailable | None:
    """Return what a daemon that starts still waits for, or None; a difference found is no wait.

    It is not to say "no" for ever to what it would take a moment later.
    """
    if now.start is None or not now.bars:
        return Unavailable(
            "not_ready",
            "NO_PRICES",
            "no bar has closed yet, so there is no price to decide by",
            "wait for the feed; see `tm status`",
        )
    if now.reconciled or now.differences:
        return None
    return Unavailable(
        "not_ready",
        Code.RECONCILE_PENDING,
        "the books are being compared with the broker's",
        "ask again in a moment; `tm reconcile` shows differences",
    )


def submit_order(course: Unfolding, command: SubmitOrder) -> Unavailable | None:
    """Submit one order, or refuse the command with the gate's reason."""
    if course.now.halting(command.symbol) is None and (wait := starting(course.now)):
        return wait
    if no_session(course):
        return None
    signed = command.quantity if command.side == "buy" else -command.quantity
    denial = submit(course, command.symbol, signed, command.limit_price, "manual")
    if denial is not None:
        course.refuse(denial)
    return None


def withdraw_orders(
    course: Unfolding,
    orders: tuple[Order, ...],
    reason: str,
    stopped: Literal["halted", "cancelled"] = "cancelled",
) -> None:
    """Ask orders back. What was never sent is over at once; for the rest the broker decides.

    What somebody else gave to the broker is left alone.
    """
    at = course.moment.at
    for order in orders:
        if order.external:
            continue
        if order.status is Status.PENDING:
            course.note(OrderStopped(order.order_id, stopped, reason, at))
        elif order.status is not Status.PENDING_CANCEL:
            course.note(CancelRequested(order.order_id, reason, at))


def cancel_orders(course: Unfolding, command: CancelOrders) -> Unavailable | None:
    """Ask one open order back, or all of them."""
    now = course.now
    if command.order_id is None:
        if not now.open_orders:
            course.skip("NO_OPEN_ORDERS", "there are no open orders")
        withdraw_orders(course, now.open_orders, f"cancelled by {course.actor}")
        return None
    order = now.orders.get(command.order_id)
    if order is None:
        return Unavailable(
            "not_found",
            "ORDER_NOT_FOUND",
            f"no open order has the id {command.order_id!r}",
            "list them with `tm orders --open`",
        )
    if not order.open:
        course.deny(
            Code.ORDER_FINAL,
            f"order {order.order_id} is {order.status} and cannot be cancelled",
            subject=order.symbol,
            value=order.status,
            hint=f"`tm explain {order.order_id}` shows how it ended",
        )
        return None
    if order.external:  # by name it may be asked back; only the broker knows whether we may
        course.note(
            CancelRequested(order.order_id, f"cancelled by {course.actor}", course.moment.at)
        )
    else:
        withdraw_orders(course, (order,), f"cancelled by {course.actor}")
    return None


def claim(course: Unfolding, command: Claim) -> None:
    """Take pending orders for sending: from the commit of this on they are in doubt.

    The halt, the session and the exposure are looked at once more; an order that is not claimed
    stays pending only while the books are being compared.
    """
    at, staying = course.moment.at, list[Order]()
    for order_id in command.order_ids:
        order = course.now.orders.get(order_id)
        if order is None or order.status is not Status.PENDING:
            continue
        if (halting := course.now.halting(order.symbol)) and order.source != "flatten":
            course.note(OrderStopped(order_id, "halted", halting.reason, at))
        elif passed(course.now, order, course.moment):
            course.note(OrderStopped(order_id, "expired", f"session {order.session} is over", at))
        else:
            staying.append(order)
    if not course.now.reconciled:
        return
    outgrown = too_much(course.now, staying, course.moment)
    for order in staying:
        if (why := outgrown.get(order.order_id)) is not None:
            course.note(OrderStopped(order.order_id, "expired", why, at))
        else:
            oid = max(course.now.next_oid, command.floor)
            course.note(OrderClaimed(order.order_id, oid, at))


ROOM: Final[tuple[Guard, ...]] = (  # what other orders may have changed since it was gated
    soundness.no_price,
    exposure.short_sale,
    exposure.position_weight,
    exposure.gross_exposure,
    exposure.net_exposure,
    exposure.insufficient_cash,
)


def too_much(now: Snapshot, pending: Sequence[Order], moment: Moment) -> dict[OrderId, str]:
    """Return which of the orders about to be sent no longer fit, and why; what reduces comes first.

    Between the gate and the send the sale may end that a purchase was to be paid with. One on its
    way is still counted on: after a lost connection it isn't any more, for then it is in doubt.
    """
    about = {order.order_id for order in pending}
    others = {
        order_id: replace(order, status=Status.LIVE) if order.status is Status.SENDING else order
        for order_id, order in now.orders.items()
        if order_id not in about
    }
    book, found = book_of(replace(now, orders=others)), dict[OrderId, str]()
    for order in sorted(pending, key=lambda one: book.stake(one.symbol).held * one.quantity >= 0):
        if (why := refused(ROOM, Case(now, proposed(order), moment, book))) is not None:
            found[order.order_id] = why
        else:
            book = with_order(book, order)
    return found


def refused(guards: Iterable[Guard], case: Case) -> str | None:
    """Return why an order must not be sent after all; a guard that fails holds it back."""
    try:
        for guard in guards:
            if denial := guard(case):
                return f"{denial.code}: {denial.message}"
    except Exception as error:  # noqa: BLE001  whatever broke, what was not looked at is not sent
        return f"{Code.GUARD_FAILED}: the last look failed: {type(error).__name__}: {error}"
    return None


def proposed(order: Order) -> Proposed:
    """Return an order on record as the guards see one."""
    return Proposed(order.order_id, order.symbol, order.quantity, order.limit_price, order.source)


def withhold(course: Unfolding, command: Withhold) -> None:
    """Note that a claimed order was never sent, and why: it is over, and nobody decides it anew."""
    order = course.now.orders.get(command.order_id)
    if order is not None and order.status is Status.SENDING:
        course.note(OrderStopped(order.order_id, command.why, command.reason, course.moment.at))


def passed(now: Snapshot, order: Order, moment: Moment) -> bool:
    """Return whether the session an order was made for is over, or past its last moment to join.

    In a replay that is when its bar has closed; else when orders go to a later session by now.
    """
    if now.replaying:
        return now.session is not None and order.session <= now.session
    return moment.target is not None and order.session < moment.target


AGAIN: Final[tuple[Guard, ...]] = (  # what time alone may have changed since the order was gated
    soundness.no_price,
    soundness.stale_data,
    exposure.price_collar,
)


def last_look(now: Snapshot, order: Order, moment: Moment, book: Book) -> Withhold | None:
    """Return why a claimed order must not be sent after all; a look that fails holds it back.

    `book` is that of `now`. What closes positions by order is held back by no halt.
    """
    if order.source != "flatten" and (halting := now.halting(order.symbol)):
        return Withhold(order.order_id, "halted", halting.reason)
    if passed(now, order, moment):
        return Withhold(order.order_id, "expired", f"session {order.session} is over")
    case = Case(now, proposed(order), moment, without(book, order))
    why = refused(AGAIN, case)
    return None if why is None else Withhold(order.order_id, "expired", why)


def without(book: Book, order: Order) -> Book:
    """Return the book in which an order does not stand in its own way."""
    stake, size = book.stake(order.symbol), abs(order.working)
    bought, sold = (size, ZERO) if order.quantity > 0 else (ZERO, size)
    rest = replace(stake, buying=stake.buying - bought, selling=stake.selling - sold)
    return replace(book, stakes={**book.stakes, order.symbol: rest})
