"""How near the account is to each of its limits."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from state.instrument import ZERO, Symbol, amount, ratio
from state.snapshot import Snapshot

MINUTE = timedelta(minutes=1)


class Meter(StrEnum):
    """What is measured against a limit. The values are the names of the limits in `[risk]`."""

    DRAWDOWN = "max_drawdown"
    DAY_LOSS = "max_day_loss"
    GROSS = "max_gross"
    NET = "max_net"
    POSITION_WEIGHT = "max_position_weight"
    DAY_TURNOVER = "max_day_turnover"
    DAY_ORDERS = "max_day_orders"
    ORDER_RATE = "max_orders_per_minute"


class Headroom(msgspec.Struct, frozen=True):
    """One limit and how much of it is used. `value` None: nobody can say, and `why` says why.

    Exposures, losses and turnover are fractions of equity, the rest are counts. `subject` is the
    symbol that comes nearest to a limit of single positions. `exempt` marks the day of the first
    investment, whose turnover is let past.
    """

    meter: Meter
    value: float | None
    limit: float
    subject: Symbol = ""
    why: str = ""
    exempt: bool = False

    @property
    def used(self) -> float | None:
        """Return the share of the limit in use, 1 at the limit; None when nobody can say.

        Of a limit of zero anything at all is infinitely much, and nothing is none.
        """
        if self.value is None:
            return None
        if not self.limit:
            return float("inf") if self.value else 0.0
        return self.value / self.limit


def unpriced(now: Snapshot) -> tuple[Symbol, ...]:
    """Return the symbols held that never had a price: they make equity unknowable."""
    return tuple(
        sorted(s for s, p in now.ledger.positions.items() if p.quantity and s not in now.marks)
    )


def equity(now: Snapshot) -> Decimal | None:
    """Return what the account is worth; None when something held has no price."""
    return None if unpriced(now) else now.equity


def weights(now: Snapshot, worth: Decimal) -> dict[Symbol, float]:
    """Return each holding's signed share of `worth`; every holding must have a price."""
    return {
        symbol: ratio(amount(held.quantity, now.marks[symbol].price), worth)
        for symbol, held in sorted(now.ledger.positions.items())
        if held.quantity
    }


def day_loss(now: Snapshot, worth: Decimal) -> float | None:
    """Return the share of the day's opening equity lost so far, 0 when nothing is.

    None before there is a day, or when it opened with nothing.
    """
    if now.day is None or now.day.start_equity <= 0:
        return None
    return max(0.0, ratio(now.day.start_equity - worth, now.day.start_equity))


def headroom(now: Snapshot, at: datetime) -> tuple[Headroom, ...]:
    """Return every limit with what is used of it at `at` (the market clock); () before a start."""
    if now.start is None:
        return ()
    limits = now.start.limits
    worth = equity(now)
    day = now.day
    rate = sum(1 for t in now.recent if at - t < MINUTE)
    counts = (
        Headroom(Meter.DAY_ORDERS, float(day.orders if day else 0), float(limits.max_day_orders)),
        Headroom(Meter.ORDER_RATE, float(rate), float(limits.max_orders_per_minute)),
    )
    fractions = (
        (Meter.DAY_LOSS, limits.max_day_loss),
        (Meter.GROSS, limits.max_gross),
        (Meter.NET, limits.max_net),
        (Meter.POSITION_WEIGHT, limits.max_position_weight),
        (Meter.DAY_TURNOVER, limits.max_day_turnover),
    )
    if worth is None or worth <= 0:
        why = (
            f"no price for {', '.join(unpriced(now))}" if worth is None else f"equity is {worth:f}"
        )
        unknown = tuple(Headroom(meter, None, limit, why=why) for meter, limit in fractions)
        return (drawdown(now, limits.max_drawdown), *unknown, *counts)
    each = weights(now, worth)
    largest = max(each, key=lambda s: abs(each[s]), default="")
    loss = day_loss(now, worth)
    return (
        drawdown(now, limits.max_drawdown),
        Headroom(
            Meter.DAY_LOSS,
            loss,
            limits.max_day_loss,
            why="no session has begun" if loss is None else "",
        ),
        Headroom(Meter.GROSS, sum(abs(w) for w in each.values()), limits.max_gross),
        Headroom(Meter.NET, abs(sum(each.values())), limits.max_net),
        Headroom(
            Meter.POSITION_WEIGHT, abs(each.get(largest, 0.0)), limits.max_position_weight, largest
        ),
        Headroom(
            Meter.DAY_TURNOVER,
            ratio(day.turnover if day else ZERO, worth),
            limits.max_day_turnover,
            exempt=day.exempt if day else False,
        ),
        *counts,
    )


def drawdown(now: Snapshot, limit: float) -> Headroom:
    """Return the fall from the greatest close, as it stood at the last one."""
    return Headroom(Meter.DRAWDOWN, max(0.0, now.drawdown), limit)
