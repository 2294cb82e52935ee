"""The orders of a period that traded, as a report lists them."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from state.answers import Side, plain
from state.execution_quality import BPS, Placed, slippage
from state.instrument import EXACT, Symbol, amount, ratio
from state.order import OrderId

MOST: Final = 250


class Trade(msgspec.Struct, frozen=True):
    """One order's executions; `slippage_bps` is a cost against the price at its decision."""

    at: datetime | None
    order_id: OrderId
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    notional: Decimal
    fees: Decimal
    slippage_bps: float | None
    source: str


def trades(placed: Iterable[Placed]) -> tuple[Trade, ...]:
    """Return the last 250 orders that traded, in the order in which they were submitted."""
    return tuple(trade(each) for each in [p for p in placed if p.order.filled][-MOST:])


def trade(placed: Placed) -> Trade:
    """Return one order that traded."""
    order = placed.order
    meant = amount(order.filled, order.price)
    return Trade(
        at=placed.first_fill,
        order_id=order.order_id,
        symbol=order.symbol,
        side="buy" if order.quantity > 0 else "sell",
        quantity=plain(order.filled),
        price=plain(EXACT.divide(order.value, order.filled)),
        notional=plain(order.value),
        fees=plain(order.fees),
        slippage_bps=round(BPS * ratio(slippage(order), meant), 2) if meant else None,
        source=order.source,
    )
