"""A session's bar, built of the quotes that came while the market was open."""

from decimal import Decimal
from typing import Final

import msgspec

from state.instrument import EXACT, MICRO, Symbol
from state.quote import Bar, Quote

HALF: Final = Decimal("0.5")


class Building(msgspec.Struct, frozen=True):
    """A bar so far; `jumped` when all it has is prices too far from the last close."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    jumped: bool = False

    def bar(self, symbol: Symbol) -> Bar:
        """Return the bar it has become."""
        return Bar(symbol, self.close, self.open, self.high, self.low)


def worth(quote: Quote) -> Decimal | None:
    """Return what a quote says a unit is worth: the last trade, or the middle of bid and ask."""
    if quote.last is not None:
        return quote.last
    if quote.bid is None or quote.ask is None:
        return None
    return EXACT.quantize(EXACT.multiply(EXACT.add(quote.bid, quote.ask), HALF), MICRO)


def extended(so_far: Building | None, price: Decimal, *, jumped: bool) -> Building:
    """Return a bar with one more price in it.

    A price that jumped counts only while there is nothing but such: one wild quote doesn't make a
    bar's range, but a level that shifted for good makes a bar for the check to see.
    """
    if so_far is None or (so_far.jumped and not jumped):
        return Building(price, price, price, price, jumped)
    if jumped and not so_far.jumped:
        return so_far
    return Building(
        so_far.open, max(so_far.high, price), min(so_far.low, price), price, so_far.jumped
    )
