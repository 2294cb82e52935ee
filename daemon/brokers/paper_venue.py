"""What messages and prices do to the paper account: the rules of its one venue. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from daemon.brokers import execution_model as model
from daemon.brokers.paper_account import (
    Account,
    Cancellation,
    Changes,
    Execution,
    Known,
    Message,
    Movement,
    PaperOrder,
    Placement,
    Refusal,
    Step,
    ended,
    report,
)
from daemon.calendar import Calendar
from state.command import RecordFill, RecordStatus, ReportKind
from state.instrument import ZERO, AmountOutOfRange, Instrument, Symbol, amount
from state.quote import Close, Quote

DUPLICATE: Final = "103 duplicate order id"
NOT_FOUND: Final = "135 no such order"
REFUSED: Final = "201 order rejected"
ASKED_BACK: Final = "cancelled on request"
EXPIRED: Final = "day order expired"
NO_CASH: Final = "insufficient cash"


class Rules(msgspec.Struct, frozen=True):
    """What the venue knows and allows."""

    terms: model.Terms
    instrument: Callable[[Symbol], Instrument]
    calendar: Calendar
    margin: bool = False
    allow_short: bool = False


def carried_out(
    account: Account, rules: Rules, messages: Iterable[Message], known: Known, at: datetime | None
) -> Step:
    """Return what `messages` do, in their order. `at` is the last price's time, None if unknown."""
    changes = Changes(account)
    moved = set(known.moves)
    for message in messages:
        match message:
            case Movement(ref, _):
                if ref not in moved:
                    moved.add(ref)
                    changes.movement(message)
            case Placement():
                placed(changes, rules, message, known)
            case Cancellation(ref):
                asked_back(changes, ref, known, at)
            case _:
                assert_never(message)
    return changes.step


def standing(changes: Changes, order_ref: str, known: Known) -> PaperOrder | None:
    """Return the order of that name as it stands now, None when there never was one."""
    return (
        changes.orders.get(order_ref)
        or changes.open.get(order_ref)
        or known.completed.get(order_ref)
    )


def placed(changes: Changes, rules: Rules, placement: Placement, known: Known) -> None:
    """Take an order into the book, once; a name or an id that was used before is refused."""
    order, oid = placement.order, placement.broker_oid
    before = standing(changes, order.order_ref, known)
    if before is not None:  # its first placing stands as it is: nothing is rejected that may trade
        changes.refusals.append(Refusal(order.order_ref, oid, DUPLICATE))
        changes.reports.append(report(before))
        return
    if oid < changes.next_oid:
        changes.refusals.append(Refusal(order.order_ref, oid, DUPLICATE))
        changes.reports.append(
            RecordStatus(order.order_id, ReportKind.REJECTED, filled=ZERO, reason=DUPLICATE)
        )
        return
    taken = PaperOrder(
        broker_oid=oid,
        order_ref=order.order_ref,
        order_id=order.order_id,
        symbol=order.symbol,
        quantity=order.quantity,
        limit_price=order.limit_price,
        session=order.session,
        created_at=order.created_at,
        touched=order.created_at,
    )
    objection = objection_to(taken, changes, rules)
    if objection:
        taken = replace(taken, status="rejected", reason=f"{REFUSED}: {objection}")
    changes.order(taken)
    changes.reports.append(report(taken))


def objection_to(order: PaperOrder, changes: Changes, rules: Rules) -> str:
    """Return why the venue rejects a fresh order, empty when it doesn't."""
    if not order.quantity:
        return "the quantity is zero"
    if model.luck(rules.terms, order.order_ref).rejected:
        return "by chance, as paper.reject_rate asks"
    if order.quantity < 0 and not rules.allow_short:
        held = changes.positions.get(order.symbol, ZERO)
        others = (o for o in changes.open.values() if o.symbol == order.symbol and o.quantity < 0)
        selling = sum((o.left for o in others), ZERO)
        if selling + order.left > held:
            return (
                f"selling {plain(order.left)} {order.symbol} with {plain(held)} held and "
                f"{plain(selling)} already on sale is a short sale; sell less, or set "
                "risk.allow_short"
            )
    return ""


def plain(quantity: Decimal) -> str:
    """Return a quantity without the zeros that a file adds and a message does not need."""
    return f"{quantity.normalize():f}"


def asked_back(changes: Changes, order_ref: str, known: Known, at: datetime | None) -> None:
    """Cancel an open order; one that has ended stays as it ended."""
    order = standing(changes, order_ref, known)
    if order is None:
        changes.refusals.append(Refusal(order_ref, None, NOT_FOUND))
        return
    if order.status == "open":
        order = ended(order, ASKED_BACK, at)
        changes.order(order)
    changes.reports.append(report(order))


def closed(account: Account, rules: Rules, close: Close) -> Step:
    """Return what the bars of a close do: sales first, then purchases, each by age.

    An order trades in its session only, at closes later than its own creation. What is left of it
    after the session's last bar expires; without any bar it waits for a later session to say so.
    """
    changes = Changes(account)
    bars = {bar.symbol: bar for bar in close.bars}
    opens, ends = rules.calendar.open_of(close.session), rules.calendar.close_of(close.session)
    for order in in_turn(account.open.values()):
        if order.session < close.session:
            settled(changes, ended(order, EXPIRED, close.at))
            continue
        bar = bars.get(order.symbol)
        if bar is None or order.session != close.session or close.at <= order.touched:
            continue
        whole = order.created_at <= opens and not order.filled
        price = model.bar_price(bar, order.side, order.limit_price, rules.terms, whole=whole)
        result = order
        if price is not None:
            at = opens if whole and bar.open is not None else close.at
            result = executed(changes, rules, order, price, at, close.at)
        if result.status == "open" and close.at >= ends:
            result = ended(result, EXPIRED, close.at)
        if result is not order:
            settled(changes, result)
    return changes.step


def quoted(account: Account, rules: Rules, quote: Quote) -> Step:
    """Return what a quote does to the open orders of its symbol, during their session only."""
    changes = Changes(account)
    for order in in_turn(o for o in account.open.values() if o.symbol == quote.symbol):
        if quote.at >= rules.calendar.close_of(order.session):
            settled(changes, ended(order, EXPIRED, quote.at))
        elif quote.at > order.touched and quote.at >= rules.calendar.open_of(order.session):
            price = model.quote_price(quote, order.side, order.limit_price, rules.terms)
            if price is not None:
                settled(changes, executed(changes, rules, order, price, quote.at, quote.at))
    return changes.step


def in_turn(orders: Iterable[PaperOrder]) -> list[PaperOrder]:
    """Return orders as they trade: sales first, which pay for the purchases; then by age."""
    return sorted(orders, key=lambda order: (order.side, order.broker_oid))


def settled(changes: Changes, order: PaperOrder) -> None:
    """Keep an order as a price left it; that it filled, its executions have said."""
    changes.order(order)
    if order.status == "cancelled":
        changes.reports.append(report(order))


def executed(
    changes: Changes,
    rules: Rules,
    order: PaperOrder,
    price: Decimal,
    at: datetime,
    booked_at: datetime,
) -> PaperOrder:
    """Trade as much of an order as chance and cash allow at `price`; return it afterwards."""
    instrument = rules.instrument(order.symbol)
    wanted = size = order.left
    if not order.filled:
        luck = model.luck(rules.terms, order.order_ref)
        wanted = size = model.first_part(order.left, luck, instrument)
    try:
        if order.side > 0 and not rules.margin:
            size = model.affordable(
                changes.cash, price, wanted, instrument, rules.terms, order.value, order.fees
            )
        if not size:
            return ended(order, NO_CASH, booked_at)
        paid = amount(order.side * size, price)
        fee = model.fee(rules.terms, order.value + abs(paid), order.fees)
    except AmountOutOfRange as e:
        return ended(order, str(e), booked_at)
    traded = replace(
        order,
        filled=order.filled + size,
        value=order.value + abs(paid),
        fees=order.fees + fee,
        executions=order.executions + 1,
        touched=booked_at,
        status="open" if size < order.left else "filled",
    )
    fill = RecordFill(
        execution_id=f"{order.broker_id}.{traded.executions}",
        order_id=order.order_id,
        symbol=order.symbol,
        quantity=order.side * size,
        price=price,
        fee=fee,
        at=at,
    )
    changes.execution(Execution(order.broker_oid, traded.executions, fill, paid, booked_at))
    return ended(traded, NO_CASH, booked_at) if size < wanted else traded
