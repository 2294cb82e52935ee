"""What each guard of the gate measured, and its bound: for an order that it let past as well.

The figures are those a denial by the same guard would carry. Nothing is decided by them.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from state.book import fraction
from state.case import Case, share
from state.denial import Code
from state.duration import Bars, staleness
from state.guards.budget import MINUTE, turnover_limit
from state.guards.exposure import TWO
from state.instrument import ONE, ZERO, amount

Measure = Callable[[Case], tuple[object, object]]


class Weighed(msgspec.Struct, frozen=True):
    """One guard that let an order past: its value and its limit, as text.

    `spared` says why the guard let it past whatever the value: it is reducing, or flattening.
    """

    code: str
    value: str
    limit: str
    spared: str = ""


REDUCING: Final = frozenset(
    {
        *(Code.RESTRICTED_SYMBOL, Code.STALE_DATA, Code.DAY_LOSS, Code.DRAWDOWN),
        *(Code.POSITION_WEIGHT, Code.GROSS_EXPOSURE, Code.NET_EXPOSURE),
    }
)
FLATTENING: Final = frozenset(
    {
        *(Code.TRADING_HALTED, Code.ORDER_RATE, Code.DAY_ORDERS, Code.DAY_TURNOVER),
        *(Code.ORDER_QUANTITY, Code.ORDER_NOTIONAL, Code.INSUFFICIENT_CASH),
    }
)
# A denied order's own limit price is in no record: what these would say of it is not known.
BY_LIMIT_PRICE: Final = frozenset(
    {
        *(Code.INVALID_PRICE, Code.ORDER_NOTIONAL, Code.PRICE_COLLAR, Code.POSITION_WEIGHT),
        *(Code.GROSS_EXPOSURE, Code.NET_EXPOSURE, Code.INSUFFICIENT_CASH),
    }
)


def measured(case: Case, codes: Collection[str]) -> tuple[Weighed, ...]:
    """Return what the guards of `codes` measured of an order, in the order they are asked."""
    found = []
    for code, measure in MEASURES.items():
        if code in codes:
            value, limit = measure(case)
            spared = "reducing" if code in REDUCING and case.reducing else ""
            if code in FLATTENING and case.flattening:
                spared = "flattening"
            found.append(Weighed(code.value, written(value), written(limit), spared))
    return tuple(found)


def written(value: object) -> str:
    """Return a figure as text, without the zeros that a journal keeps behind the point."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def halted(case: Case) -> tuple[object, object]:
    """Return the scope of the halt in force."""
    halt = case.now.halting(case.order.symbol)
    return halt.scope if halt else "no halt", "no halt"


def differences(case: Case) -> tuple[object, object]:
    """Return how many differences there are between the books."""
    return f"{len(case.now.differences)} differ", "0 differences"


def listed(case: Case) -> tuple[object, object]:
    """Return whether the symbol is restricted."""
    names = {*case.limits.restricted, *(case.now.start.restricted if case.now.start else ())}
    symbol = case.order.symbol
    return f"{symbol} is listed" if symbol in names else "not listed", "risk.restricted"


def currency(case: Case) -> tuple[object, object]:
    """Return the instrument's currency and the account's."""
    base = case.now.start.base_currency if case.now.start else ""
    return case.now.instruments[case.order.symbol].currency, base


def limit_price(case: Case) -> tuple[object, object]:
    """Return the limit price and the tick that it is to be on."""
    limit = case.order.limit_price
    tick = case.now.instruments[case.order.symbol].tick
    return "no limit price" if limit is None else limit, f"ticks of {tick}"


def age(case: Case) -> tuple[object, object]:
    """Return how old the last price is, in closes or in open-market time."""
    mark, after = case.now.marks[case.order.symbol], staleness(case.limits.stale_after)
    if isinstance(after, Bars):
        return Bars(case.now.bars - mark.bars), after
    old = case.moment.open_time(mark.at, case.moment.at)
    return f"{old.total_seconds():.0f} s of open market", after


def rate(case: Case) -> tuple[object, object]:
    """Return which order within a minute it is."""
    sent = sum(case.moment.at - one < MINUTE for one in case.now.recent)
    return 1 + sent, case.limits.max_orders_per_minute


def turnover(case: Case) -> tuple[object, object]:
    """Return the day's turnover with this order, as a fraction of the equity it began with."""
    day = case.day
    most = turnover_limit(case.limits, exempt=day.exempt)
    return share(day.turnover + case.notional, day.start_equity), most


def day_loss(case: Case) -> tuple[object, object]:
    """Return what was lost since the day began, as a fraction; 0 after a gain."""
    top = case.day.start_equity
    return share(max(top - case.book.equity, ZERO), top), fraction(case.limits.max_day_loss)


def drawdown(case: Case) -> tuple[object, object]:
    """Return how far equity is below its highest, as a fraction."""
    top = case.now.high_water
    return share(max(top - case.book.equity, ZERO), top), fraction(case.limits.max_drawdown)


def notional(case: Case) -> tuple[object, object]:
    """Return what the order is worth, at its limit or the last price if that is higher."""
    price = max(case.price, case.order.limit_price or case.price)
    return amount(abs(case.order.quantity), price), case.limits.max_order_notional


def collar(case: Case) -> tuple[object, object]:
    """Return how far the limit price is from the last, as a fraction."""
    limit, price = case.order.limit_price, case.price
    most = fraction(case.limits.price_collar) * (TWO if case.reducing else ONE)
    return "no limit price" if limit is None else share(abs(limit - price), price), most


def short(case: Case) -> tuple[object, object]:
    """Return what is left of the holding once this and all other sales have filled."""
    left = case.stake.held - case.stake.selling + min(case.order.quantity, ZERO)
    return left, "shorts are allowed" if case.limits.allow_short else 0


def weight(case: Case) -> tuple[object, object]:
    """Return the largest the holding could become, as a fraction of equity."""
    after = case.after
    worth = amount(after.stake(case.order.symbol).widest, case.price)
    return share(worth, after.least_equity), fraction(case.limits.max_position_weight)


def gross(case: Case) -> tuple[object, object]:
    """Return what longs and shorts together could come to, as a fraction of equity."""
    after = case.after
    return share(after.gross, after.least_equity), fraction(case.limits.max_gross)


def net(case: Case) -> tuple[object, object]:
    """Return what longs less shorts could come to on either side, as a fraction of equity."""
    after = case.after
    worth = max(abs(after.high), abs(after.low))
    return share(worth, after.least_equity), fraction(case.limits.max_net)


def cash(case: Case) -> tuple[object, object]:
    """Return the cash that would be left, in base currency."""
    return case.after.cash, "margin is allowed" if case.limits.margin else 0


MEASURES: Final[Mapping[Code, Measure]] = {
    Code.TRADING_HALTED: halted,
    Code.RECONCILE_PENDING: differences,
    Code.UNKNOWN_SYMBOL: lambda case: (case.order.symbol, "one of universe.symbols"),
    Code.RESTRICTED_SYMBOL: listed,
    Code.CURRENCY_MISMATCH: currency,
    Code.DUPLICATE_ORDER: lambda case: (case.order.order_id, "once"),
    Code.SYMBOL_FROZEN: lambda _: ("none in doubt", "no order in doubt"),
    Code.INVALID_QUANTITY: lambda case: (
        case.order.quantity,
        f"lots of {case.now.instruments[case.order.symbol].lot}",
    ),
    Code.INVALID_PRICE: limit_price,
    Code.NO_PRICE: lambda case: (case.price, "a price"),
    Code.STALE_DATA: age,
    Code.NO_SESSION: lambda case: (case.moment.target, "a session"),
    Code.ORDER_RATE: rate,
    Code.DAY_ORDERS: lambda case: (case.day.orders + 1, case.limits.max_day_orders),
    Code.DAY_TURNOVER: turnover,
    Code.DAY_LOSS: day_loss,
    Code.DRAWDOWN: drawdown,
    Code.ORDER_QUANTITY: lambda case: (abs(case.order.quantity), case.limits.max_order_quantity),
    Code.ORDER_NOTIONAL: notional,
    Code.PRICE_COLLAR: collar,
    Code.SHORT_SALE: short,
    Code.POSITION_WEIGHT: weight,
    Code.GROSS_EXPOSURE: gross,
    Code.NET_EXPOSURE: net,
    Code.INSUFFICIENT_CASH: cash,
}
