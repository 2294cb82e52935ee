"""Facts of the market: bars, quotes, and the last price known of each symbol."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import msgspec

from state.instrument import Symbol


class Bar(msgspec.Struct, frozen=True, array_like=True):
    """One instrument's bar; a closes-only source leaves the range and the volume None."""

    symbol: Symbol
    close: Decimal
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Decimal | None = None


class Missed(msgspec.Struct, frozen=True):
    """Bars of a session that never came."""

    session: date
    symbols: tuple[Symbol, ...]


class Close(msgspec.Struct, frozen=True):
    """All bars that closed together: `at` is the close in UTC, `session` the trading day.

    `missed` is what a feed should have had by then and never will, earlier sessions included.
    """

    at: datetime
    session: date
    bars: tuple[Bar, ...]
    missed: tuple[Missed, ...] = ()


class Quote(msgspec.Struct, frozen=True):
    """The market's best prices at a moment; a side nobody quotes is None."""

    symbol: Symbol
    at: datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


class Mark(msgspec.Struct, frozen=True):
    """The last price known of a symbol, and the close `before` it.

    `bars` counts the closes of the feed up to it.
    """

    price: Decimal
    at: datetime
    session: date
    bars: int
    before: Decimal | None = None


Marks = Mapping[Symbol, Mark]
