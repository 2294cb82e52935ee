"""The gate: the questions every order must pass on the only path to a broker. It fails closed.

A guard is a pure function of a `Case` and answers with a denial or None; `GUARDS` asks them in
order and the first denial stands. A guard that raises denies. Value and bound are in every denial.
At the bound an order passes, beyond it not; a loss or an age that has reached its bound is refused.
It is one long module because it is one list, which somebody has to be able to review in one go.

Who may pass when others may not: an order that only brings a holding nearer zero (it is *reducing*)
is never held up by restrictions, stale data, losses or exposure; one that also has the source
"flatten" (it is *flattening*) passes halts, the day's budgets, the rate and the size of an order as
well, or the kill switch would be stopped by the limits it protects.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec

from state.book import Book, Stake, book_of, with_order
from state.denial import Code, Denial
from state.duration import Bars, staleness
from state.instrument import EXACT, LARGEST, ONE, ZERO, Symbol, amount
from state.moment import Moment
from state.order import Order, OrderId, Status
from state.settings import Limits
from state.snapshot import Day, Snapshot

MINUTE: Final = timedelta(minutes=1)
TWO: Final = Decimal(2)


class Proposed(msgspec.Struct, frozen=True):
    """An order somebody wants sent; `quantity` is signed, `source` as in `Order`."""

    order_id: OrderId
    symbol: Symbol
    quantity: Decimal
    limit_price: Decimal | None = None
    source: str = "manual"  # or "rebalance", "flatten"


class Case(msgspec.Struct, frozen=True):
    """One order before the gate: everything a guard may look at."""

    now: Snapshot
    order: Proposed
    moment: Moment
    book: Book

    @property
    def limits(self) -> Limits:
        """Return the limits in force; raises NothingStarted before the first start."""
        if self.now.start is None:
            raise NothingStarted
        return self.now.start.limits

    @property
    def stake(self) -> Stake:
        """Return what is held and on order of the order's symbol."""
        return self.book.stake(self.order.symbol)

    @property
    def reducing(self) -> bool:
        """Return whether, whatever fills, the order only brings the holding nearer zero."""
        return self.order.quantity.is_finite() and self.stake.reduces(self.order.quantity)

    @property
    def flattening(self) -> bool:
        """Return whether it is a reducing order of the kill switch."""
        return self.order.source == "flatten" and self.reducing

    @property
    def price(self) -> Decimal:
        """Return the last price known; a symbol without one raises KeyError."""
        return self.now.marks[self.order.symbol].price

    @property
    def notional(self) -> Decimal:
        """Return the order's size at the last price, as it counts into turnover."""
        return abs(amount(self.order.quantity, self.price))

    @property
    def day(self) -> Day:
        """Return the day's budgets; raises NothingStarted before the first close."""
        if self.now.day is None:
            raise NothingStarted
        return self.now.day

    @property
    def after(self) -> Book:
        """Return the book with this order on record."""
        order = self.order
        return with_order(
            self.book,
            Order(
                order_id=order.order_id,
                rid="",
                symbol=order.symbol,
                quantity=order.quantity,
                status=Status.PENDING,
                created_at=self.moment.at,
                session=self.moment.session,
                price=self.price,
                limit_price=order.limit_price,
                source=order.source,
            ),
        )

    def deny(self, code: Code, message: str, hint: str, value: object, limit: object) -> Denial:
        """Return a denial about this order's symbol."""
        return Denial(code, self.order.symbol, str(value), str(limit), message, hint)


class NothingStarted(Exception):
    """Limits or budgets were asked for before a run was started or a bar closed."""

    def __init__(self) -> None:
        super().__init__("no run was started, or no bar has closed yet")


def check(
    now: Snapshot, order: Proposed, moment: Moment, before: Book | None = None
) -> Denial | None:
    """Return why `order` may not be sent, or None if it may.

    `before` only saves time: any earlier `book_of`, when many orders are gated in a row.
    """
    asked = "book"
    try:
        case = Case(now, order, moment, book_of(now, before))
        for code, guard in GUARDS:
            asked = code.value
            denial = guard(case)
            if denial is not None:
                return denial
    except Exception as error:  # noqa: BLE001  whatever broke, an order that was not judged is not sent
        return Denial(
            Code.GUARD_FAILED,
            order.symbol,
            value=asked,
            message=f"the guard {asked} failed: {type(error).__name__}: {error}",
            hint="nothing was sent; this is a defect or damaged state: see the log, run tm audit",
        )
    return None


def halted(case: Case) -> Denial | None:
    """Refuse while the account or the symbol is halted."""
    halt = case.now.halting(case.order.symbol)
    if halt is None or case.flattening:
        return None
    return case.deny(
        Code.TRADING_HALTED,
        f"trading is halted for {halt.scope} since {halt.at:%Y-%m-%d %H:%M} UTC by {halt.actor}: "
        f"{halt.reason}",
        f"when the cause is gone: tm resume --scope {halt.scope} --reason TEXT --accept-risk NAME",
        halt.scope,
        "no halt",
    )


def reconcile_pending(case: Case) -> Denial | None:
    """Refuse everything while the books are not known to agree with the broker's."""
    if case.now.reconciled:
        return None
    differences = len(case.now.differences)
    found = f"{differences} differ" if differences else "not compared yet"
    return case.deny(
        Code.RECONCILE_PENDING,
        f"our book is not known to agree with the broker's ({found})",
        "see tm reconcile; book an explained difference with tm reconcile accept"
        if differences
        else "wait for readiness: tm health, tm reconcile",
        found,
        "0 differences",
    )


def unknown_symbol(case: Case) -> Denial | None:
    """Refuse what is not in the universe."""
    if case.order.symbol in case.now.instruments:
        return None
    return case.deny(
        Code.UNKNOWN_SYMBOL,
        f"{case.order.symbol} is none of the {len(case.now.instruments)} symbols of the universe",
        "check the spelling, or add it to universe.symbols and restart",
        case.order.symbol,
        "universe.symbols",
    )


def restricted_symbol(case: Case) -> Denial | None:
    """Refuse to open what is on the restricted list."""
    listed = {*case.limits.restricted, *(case.now.start.restricted if case.now.start else ())}
    if case.order.symbol not in listed or case.reducing:
        return None
    return case.deny(
        Code.RESTRICTED_SYMBOL,
        f"{case.order.symbol} is restricted: a holding of it may only be reduced",
        "take it off risk.restricted if that is no longer so",
        case.order.symbol,
        "risk.restricted",
    )


def currency_mismatch(case: Case) -> Denial | None:
    """Refuse an instrument of another currency than the account's: nothing here converts."""
    currency = case.now.instruments[case.order.symbol].currency
    base = case.now.start.base_currency if case.now.start else ""
    if currency == base:
        return None
    return case.deny(
        Code.CURRENCY_MISMATCH,
        f"{case.order.symbol} trades in {currency}, the account is kept in {base}",
        "trade it from an account of its own currency",
        currency,
        base,
    )


def duplicate_order(case: Case) -> Denial | None:
    """Refuse an order id known already, and another command's open order over again.

    The latter are the duplicative orders of SEC rule 15c3-5 (c)(1)(ii): same symbol, side, size.
    """
    order = case.order
    hint = "see tm orders --open; cancel the other, or ask for another quantity"
    if order.order_id in case.now.orders:
        message = f"order {order.order_id} is on record already"
        return case.deny(Code.DUPLICATE_ORDER, message, hint, order.order_id, "once")
    mine = order.order_id.rpartition(".")[0]
    for other in case.stake.orders:
        if other.open and other.quantity == order.quantity and other.rid != mine:
            return case.deny(
                Code.DUPLICATE_ORDER,
                f"order {other.order_id} of another command, {other.status}, already asks for "
                f"{order.quantity:+} {order.symbol}",
                hint,
                other.order_id,
                "once",
            )
    return None


def symbol_frozen(case: Case) -> Denial | None:
    """Refuse while nobody can say where an order of the symbol is."""
    for other in case.stake.orders:
        if other.status is Status.UNKNOWN:
            return case.deny(
                Code.SYMBOL_FROZEN,
                f"order {other.order_id} ({other.quantity:+} {other.symbol}) is in doubt: "
                f"{other.reason or 'the broker has not said what became of it'}",
                "wait for the reconciliation, or start it: tm reconcile",
                other.order_id,
                "no order in doubt",
            )
    return None


def invalid_quantity(case: Case) -> Denial | None:
    """Refuse what is no quantity: zero, not finite, out of range, or not whole lots."""
    quantity, lot = case.order.quantity, case.now.instruments[case.order.symbol].lot
    hint = f"ask for a positive multiple of {lot}"
    if not quantity.is_finite() or not quantity or abs(quantity) > LARGEST:
        message = f"{quantity} is no quantity to trade"
        return case.deny(Code.INVALID_QUANTITY, message, hint, quantity, f"±{LARGEST}")
    if EXACT.remainder(quantity, lot):
        message = f"quantity {quantity} is not a multiple of the lot {lot}"
        return case.deny(Code.INVALID_QUANTITY, message, hint, quantity, lot)
    return None


def invalid_price(case: Case) -> Denial | None:
    """Refuse a limit that is no price: not finite, not positive, or between ticks."""
    limit, instrument = case.order.limit_price, case.now.instruments[case.order.symbol]
    if limit is None:
        return None
    hint = f"give a positive limit in steps of {instrument.tick}"
    if not limit.is_finite() or not ZERO < limit <= LARGEST:
        message = f"limit {limit} is no price"
        return case.deny(Code.INVALID_PRICE, message, hint, limit, "> 0")
    if not instrument.on_tick(limit):
        message = f"limit {limit} is not a multiple of the tick {instrument.tick}"
        return case.deny(Code.INVALID_PRICE, message, hint, limit, instrument.tick)
    return None


def no_price(case: Case) -> Denial | None:
    """Refuse without a price; and to open anything while some holding has none."""
    hint = "wait for its first price: see feed in tm status"
    if case.order.symbol not in case.now.marks:
        message = f"no price of {case.order.symbol} has arrived yet"
        return case.deny(Code.NO_PRICE, message, hint, "none", "a price")
    if case.book.unpriced and not case.reducing:
        names = ", ".join(sorted(case.book.unpriced))
        message = f"equity is not known: no price of {names}, which is held or on order"
        return case.deny(Code.NO_PRICE, message, hint, names, "a price")
    return None


def stale_data(case: Case) -> Denial | None:
    """Refuse to open on a price that is `stale_after` old, in closes or on the market clock."""
    if case.reducing:
        return None
    mark, after = case.now.marks[case.order.symbol], staleness(case.limits.stale_after)
    if isinstance(after, Bars):
        missed = case.now.bars - mark.bars
        stale, age = missed >= after.count, str(Bars(missed))
    else:
        old = case.moment.at - mark.at
        stale, age = old >= after, f"{old.total_seconds():.0f} s"
    if not stale:
        return None
    return case.deny(
        Code.STALE_DATA,
        f"the last price of {case.order.symbol} is from {mark.at:%Y-%m-%d %H:%M} UTC, {age} old; "
        f"risk.stale_after is {after}",
        "see feed in tm status; an order that reduces the holding passes",
        age,
        after,
    )


def no_session(case: Case) -> Denial | None:
    """Refuse what has no session to trade in."""
    if case.moment.target is not None:
        return None
    why = "the feed has ended" if case.moment.feed_ended else "the market is closed or has no day"
    return case.deny(
        Code.NO_SESSION,
        f"there is no session this order could trade in: {why}",
        'wait for the next session, or set execution.session = "next"',
        "none",
        "a session",
    )


def order_rate(case: Case) -> Denial | None:
    """Refuse more orders than `max_orders_per_minute`."""
    most = case.limits.max_orders_per_minute
    if case.flattening or len(case.now.recent) < most:
        return None
    count = 1 + sum(case.moment.at - sent < MINUTE for sent in case.now.recent)
    if count <= most:
        return None
    return case.deny(
        Code.ORDER_RATE,
        f"this would be order number {count} within a minute; the limit is {most}",
        "wait a minute, or raise risk.max_orders_per_minute",
        count,
        most,
    )


def day_orders(case: Case) -> Denial | None:
    """Refuse more orders than `max_day_orders`."""
    count, most = case.day.orders + 1, case.limits.max_day_orders
    if count <= most or case.flattening:
        return None
    return case.deny(
        Code.DAY_ORDERS,
        f"this would be order number {count} of {case.day.session}; the limit is {most}",
        "wait for the next session, or raise risk.max_day_orders",
        count,
        most,
    )


def day_turnover(case: Case) -> Denial | None:
    """Refuse past `max_day_turnover` of the equity the day began with.

    On the day of the first investment, exempt once, one whole book (`max_gross`) is allowed on top.
    """
    if case.flattening:
        return None
    day, most = case.day, fraction(case.limits.max_day_turnover)
    if day.exempt:
        most += fraction(case.limits.max_gross)
    spent = day.turnover + case.notional
    if spent <= most * day.start_equity:
        return None
    value = share(spent, day.start_equity)
    return case.deny(
        Code.DAY_TURNOVER,
        f"the day's turnover would be {value} of its starting equity "
        f"{day.start_equity:,.2f}; the limit is {most}",
        "wait for the next session, trade less, or raise risk.max_day_turnover",
        value,
        most,
    )


def day_loss(case: Case) -> Denial | None:
    """Refuse to open after a loss of `max_day_loss` since the day began, at the last prices."""
    if case.reducing:
        return None
    return lost(
        case, Code.DAY_LOSS, case.day.start_equity, case.limits.max_day_loss, "risk.max_day_loss",
        "since the day began",
    )  # fmt: skip


def drawdown(case: Case) -> Denial | None:
    """Refuse to open at more than `max_drawdown` below the highest equity at a close."""
    if case.reducing:
        return None
    return lost(
        case, Code.DRAWDOWN, case.now.high_water, case.limits.max_drawdown, "risk.max_drawdown",
        "below the highest equity",
    )  # fmt: skip


def lost(
    case: Case, code: Code, top: Decimal, limit: float, setting: str, since: str
) -> Denial | None:
    """Refuse when equity has lost `limit` of `top`, just where the account is halted."""
    equity, most = case.book.equity, fraction(limit)
    if equity >= top or top - equity < most * top:
        return None
    value = share(top - equity, top)
    return case.deny(
        code,
        f"equity {equity:,.2f} is {value} {since} ({top:,.2f}); the limit is {most}",
        f"only orders that reduce a holding pass; {setting} sets the limit",
        value,
        most,
    )


def order_quantity(case: Case) -> Denial | None:
    """Refuse more units than `max_order_quantity` in one order."""
    size, most = abs(case.order.quantity), case.limits.max_order_quantity
    if size <= most or case.flattening:
        return None
    return case.deny(
        Code.ORDER_QUANTITY,
        f"order of {size:,} units exceeds the per-order limit of {most:,}",
        "split the order, or raise risk.max_order_quantity",
        size,
        most,
    )


def order_notional(case: Case) -> Denial | None:
    """Refuse an order worth more than `max_order_notional`, at its limit or the last price."""
    size = abs(case.order.quantity)
    worth = amount(size, max(case.price, case.order.limit_price or case.price))
    most = case.limits.max_order_notional
    if worth <= most or case.flattening:
        return None
    return case.deny(
        Code.ORDER_NOTIONAL,
        f"order notional {worth:,.2f} exceeds the per-order limit {most:,}",
        "split the order, or raise risk.max_order_notional",
        worth,
        most,
    )


def price_collar(case: Case) -> Denial | None:
    """Refuse a limit further than `price_collar` from the last price; twice that when reducing."""
    limit, price = case.order.limit_price, case.price
    if limit is None:
        return None
    most = fraction(case.limits.price_collar) * (TWO if case.reducing else ONE)
    if abs(limit - price) <= most * price:
        return None
    value = share(abs(limit - price), price)
    return case.deny(
        Code.PRICE_COLLAR,
        f"limit {limit} is {value} away from the last price {price}; the collar is {most}",
        "give a limit nearer the market, or widen risk.price_collar",
        value,
        most,
    )


def short_sale(case: Case) -> Denial | None:
    """Refuse to sell what is not held, counting what other orders may already sell."""
    if case.order.quantity >= 0 or case.limits.allow_short:
        return None
    left = case.stake.held - case.stake.selling + case.order.quantity
    if left >= 0:
        return None
    return case.deny(
        Code.SHORT_SALE,
        f"selling {-case.order.quantity:,} with {case.stake.held:,} held and "
        f"{case.stake.selling:,} on sale already would leave {left:,}",
        "sell what is held at most, or set risk.allow_short",
        left,
        0,
    )


def position_weight(case: Case) -> Denial | None:
    """Refuse to let a holding grow past `max_position_weight`, whatever fills."""
    if case.reducing:
        return None
    after = case.after
    worth = amount(after.stake(case.order.symbol).widest, case.price)
    return beyond(
        case, Code.POSITION_WEIGHT, worth, after.least_equity, case.limits.max_position_weight,
        "risk.max_position_weight", f"the holding of {case.order.symbol}",
    )  # fmt: skip


def gross_exposure(case: Case) -> Denial | None:
    """Refuse to let longs and shorts together grow past `max_gross`."""
    if case.reducing:
        return None
    after = case.after
    return beyond(
        case, Code.GROSS_EXPOSURE, after.gross, after.least_equity, case.limits.max_gross,
        "risk.max_gross", "gross exposure",
    )  # fmt: skip


def net_exposure(case: Case) -> Denial | None:
    """Refuse to let longs less shorts grow past `max_net`, on either side."""
    if case.reducing:
        return None
    after = case.after
    return beyond(
        case, Code.NET_EXPOSURE, max(abs(after.high), abs(after.low)), after.least_equity,
        case.limits.max_net, "risk.max_net", "net exposure",
    )  # fmt: skip


def beyond(
    case: Case, code: Code, worth: Decimal, equity: Decimal, limit: float, setting: str, what: str
) -> Denial | None:
    """Refuse when `worth` is more than `limit` of `equity`; always when equity is gone."""
    most = fraction(limit)
    if equity > 0 and worth <= most * equity:
        return None
    value = share(worth, equity)
    return case.deny(
        code,
        f"{what} could come to {worth:,.2f}, {value} of equity {equity:,.2f}, with the orders "
        f"already open; the limit is {most}",
        f"buy or sell less, cancel open orders, or raise {setting}",
        value,
        most,
    )


def insufficient_cash(case: Case) -> Denial | None:
    """Refuse to buy, without margin, for more than cash, sure proceeds and open buys leave."""
    if case.limits.margin or case.order.quantity <= 0 or case.flattening:
        return None
    left = case.after.cash
    if left >= 0:
        return None
    return case.deny(
        Code.INSUFFICIENT_CASH,
        f"buying would leave cash at {left:,.2f} once the open orders and costs are paid",
        "buy less, deposit (tm cash deposit), cancel open buys, or set risk.margin",
        left,
        0,
    )


def fraction(limit: float) -> Decimal:
    """Return a limit as the decimal it was written as."""
    return Decimal(str(limit))


def share(part: Decimal, whole: Decimal) -> str:
    """Return part / whole for people, to four digits; "infinite" when there is no whole."""
    return f"{EXACT.divide(part, whole):.4f}" if whole > 0 else "infinite"


Guard = Callable[[Case], Denial | None]

GUARDS: Final[tuple[tuple[Code, Guard], ...]] = (
    (Code.TRADING_HALTED, halted),
    (Code.RECONCILE_PENDING, reconcile_pending),
    (Code.UNKNOWN_SYMBOL, unknown_symbol),
    (Code.RESTRICTED_SYMBOL, restricted_symbol),
    (Code.CURRENCY_MISMATCH, currency_mismatch),
    (Code.DUPLICATE_ORDER, duplicate_order),
    (Code.SYMBOL_FROZEN, symbol_frozen),
    (Code.INVALID_QUANTITY, invalid_quantity),
    (Code.INVALID_PRICE, invalid_price),
    (Code.NO_PRICE, no_price),
    (Code.STALE_DATA, stale_data),
    (Code.NO_SESSION, no_session),
    (Code.ORDER_RATE, order_rate),
    (Code.DAY_ORDERS, day_orders),
    (Code.DAY_TURNOVER, day_turnover),
    (Code.DAY_LOSS, day_loss),
    (Code.DRAWDOWN, drawdown),
    (Code.ORDER_QUANTITY, order_quantity),
    (Code.ORDER_NOTIONAL, order_notional),
    (Code.PRICE_COLLAR, price_collar),
    (Code.SHORT_SALE, short_sale),
    (Code.POSITION_WEIGHT, position_weight),
    (Code.GROSS_EXPOSURE, gross_exposure),
    (Code.NET_EXPOSURE, net_exposure),
    (Code.INSUFFICIENT_CASH, insufficient_cash),
)
