"""How large an order and a holding may be, counting all that is on order at its worst."""

from decimal import Decimal
from typing import Final

from state.book import fraction
from state.case import Case, share
from state.denial import Code, Denial
from state.instrument import ONE, amount

TWO: Final = Decimal(2)


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
    """Refuse when `worth` is more than `limit` of `equity`, so always when equity is gone."""
    most = fraction(limit)
    if worth <= most * equity:
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
