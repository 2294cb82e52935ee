"""What a minute and a day may cost, by figures that are state and so outlive a restart."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from state.book import fraction
from state.case import Case, share
from state.denial import Code, Denial
from state.instrument import EXACT, ZERO
from state.settings import Limits
from state.snapshot import Day

MINUTE: Final = timedelta(minutes=1)


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
    day, limits = case.day, case.limits
    if case.notional <= turnover_left(day, limits, exempt=day.exempt):
        return None
    value = share(day.turnover + case.notional, day.start_equity)
    most = turnover_limit(limits, exempt=day.exempt)
    return case.deny(
        Code.DAY_TURNOVER,
        f"the day's turnover would be {value} of its starting equity "
        f"{day.start_equity:,.2f}; the limit is {most}",
        "wait for the next session, trade less, or raise risk.max_day_turnover",
        value,
        most,
    )


def turnover_limit(limits: Limits, *, exempt: bool) -> float:
    """Return what a day's turnover may be, as a fraction of the equity it began with."""
    first = fraction(limits.max_gross) if exempt else ZERO
    return float(fraction(limits.max_day_turnover) + first)


def turnover_left(day: Day, limits: Limits, *, exempt: bool) -> Decimal:
    """Return the notional that may still be traded this day; negative when it is overspent."""
    most = fraction(turnover_limit(limits, exempt=exempt))
    return EXACT.multiply(most, day.start_equity) - day.turnover


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
