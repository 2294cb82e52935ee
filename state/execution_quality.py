"""What trading cost against the prices it was decided at."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from statistics import fmean

import msgspec

from state.instrument import ZERO, amount, ratio
from state.order import Order
from state.performance import Undefined

BPS = 10_000


class Placed(msgspec.Struct, frozen=True):
    """An order as it stands, or ended: `last` is the last price known then.

    `first_fill` is when it first traded, by the broker's clock; None when it did not.
    """

    order: Order
    last: Decimal
    first_fill: datetime | None = None


def by_status(placed: Iterable[Placed]) -> Mapping[str, int]:
    """Return how many orders are in each status, by name."""
    return dict(sorted(Counter(p.order.status.value for p in placed).items()))


def decided(placed: Iterable[Placed]) -> Decimal:
    """Return the money all orders were meant to move, at the prices they were decided at."""
    return sum((abs(amount(p.order.quantity, p.order.price)) for p in placed), ZERO)


def executed(placed: Iterable[Placed]) -> Decimal:
    """Return the money that what did trade would have moved at the prices it was decided at."""
    return sum((amount(p.order.filled, p.order.price) for p in placed), ZERO)


def fill_ratio(placed: Sequence[Placed]) -> float:
    """Return which share of what was ordered has traded, weighed by money."""
    if not decided(placed):
        raise Undefined("no order was submitted")
    return ratio(executed(placed), decided(placed))


def slippage(order: Order) -> Decimal:
    """Return what an order's executions cost beyond its reference price; negative is a gain.

    The reference is the last price known at the decision, so the market's own move until the
    execution is in it (arrival cost; Kissell 2013, 3).
    """
    paid = order.value - amount(order.filled, order.price)
    return paid if order.quantity > 0 else -paid


def slippage_bps(placed: Sequence[Placed]) -> float:
    """Return slippage over the money traded, in basis points; positive is a cost."""
    if not executed(placed):
        raise Undefined("nothing was executed")
    return ratio(sum((slippage(p.order) for p in placed), ZERO), executed(placed)) * BPS


def missed(placed: Placed) -> Decimal:
    """Return what not trading the rest of an order cost, at the last price; negative is luck."""
    order = placed.order
    left = (abs(order.quantity) - order.filled).copy_sign(order.quantity)
    return amount(left, placed.last) - amount(left, order.price)


def shortfall_bps(placed: Sequence[Placed]) -> float:
    """Return the implementation shortfall: slippage, fees and what was missed, in basis points.

    Over the money decided: how much the real book fell short of one that traded all of it at once,
    free, at the decision's prices (Perold 1988).
    """
    if not decided(placed):
        raise Undefined("no order was submitted")
    lost = sum((slippage(p.order) + p.order.fees + missed(p) for p in placed), ZERO)
    return ratio(lost, decided(placed)) * BPS


def delay(placed: Iterable[Placed]) -> float:
    """Return the mean seconds from decision to first execution, on the market's clock."""
    waits = [
        (p.first_fill - p.order.created_at).total_seconds()
        for p in placed
        if p.first_fill is not None
    ]
    if not waits:
        raise Undefined("nothing was executed")
    return fmean(waits)
