"""How near the account is to each of its limits."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from state.instrument import Symbol, amount, ratio
from state.settings import Limits
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
    investment, whose limit is the wider for it.
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


def day_turnover(now: Snapshot) -> float | None:
    """Return the day's turnover as a share of its opening equity; None as in `day_loss`."""
    if now.day is None or now.day.start_equity <= 0:
        return None
    return ratio(now.day.turnover, now.day.start_equity)


def headroom(now: Snapshot, at: datetime) -> tuple[Headroom, ...]:
    """Return every limit with what is used of it at `at` (the market clock); () before a start."""
    if now.start is None:
        return ()
    limits = now.start.limits
    rate = sum(1 for t in now.recent if at - t < MINUTE)
    return (
        Headroom(Meter.DRAWDOWN, max(0.0, now.drawdown), limits.max_drawdown),
        *of_day(now, limits),
        *of_holdings(now, limits),
        Headroom(Meter.ORDER_RATE, float(rate), float(limits.max_orders_per_minute)),
    )


def of_day(now: Snapshot, limits: Limits) -> tuple[Headroom, ...]:
    """Return the day's loss, turnover (both of the equity it began with) and orders."""
    day, worth = now.day, equity(now)
    exempt = day is not None and day.exempt
    most = limits.max_day_turnover + (limits.max_gross if exempt else 0.0)  # as the gate allows
    if day is None:
        why = "no session has begun"
        return (
            Headroom(Meter.DAY_LOSS, None, limits.max_day_loss, why=why),
            Headroom(Meter.DAY_TURNOVER, None, most, why=why),
            Headroom(Meter.DAY_ORDERS, None, float(limits.max_day_orders), why=why),
        )
    empty = f"the session began with an equity of {day.start_equity:f}"
    lost = None if worth is None else day_loss(now, worth)
    spent = day_turnover(now)
    why = no_price(now) if worth is None else empty
    return (
        Headroom(Meter.DAY_LOSS, lost, limits.max_day_loss, why="" if lost is not None else why),
        Headroom(
            Meter.DAY_TURNOVER, spent, most, why=empty if spent is None else "", exempt=exempt
        ),
        Headroom(Meter.DAY_ORDERS, float(day.orders), float(limits.max_day_orders)),
    )


def of_holdings(now: Snapshot, limits: Limits) -> tuple[Headroom, ...]:
    """Return gross, net and the largest holding, as shares of equity at the last prices."""
    worth = equity(now)
    if worth is None or worth <= 0:
        why = no_price(now) if worth is None else f"equity is {worth:f}"
        return (
            Headroom(Meter.GROSS, None, limits.max_gross, why=why),
            Headroom(Meter.NET, None, limits.max_net, why=why),
            Headroom(Meter.POSITION_WEIGHT, None, limits.max_position_weight, why=why),
        )
    each = weights(now, worth)
    largest = max(each, key=lambda s: abs(each[s]), default="")
    most = abs(each.get(largest, 0.0))
    return (
        Headroom(Meter.GROSS, sum(abs(w) for w in each.values()), limits.max_gross),
        Headroom(Meter.NET, abs(sum(each.values())), limits.max_net),
        Headroom(Meter.POSITION_WEIGHT, most, limits.max_position_weight, largest),
    )


def no_price(now: Snapshot) -> str:
    """Return why equity is unknown."""
    return f"no price for {', '.join(unpriced(now))}"
