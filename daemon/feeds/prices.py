"""A table of prices, exact and compact: whole millionths, made into bars when they are due."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from state.instrument import EXACT, LARGEST, MICRO, Symbol
from state.quote import Bar

Micros = NDArray[np.int64]

MISSING: Final = -(1 << 63)  # no bar here
ODD: Final = MISSING + 1  # a value that no price can have: see PriceTable.odd

TIMES: Final = EXACT.multiply


class PriceFileInvalid(Exception):
    """A price file can't be replayed; `row` is its line, counted from 1, None for the whole file.

    In a Parquet file, which has no lines, the first row is 1.
    """

    def __init__(self, source: str, reason: str, row: int | None = None) -> None:
        where = source if row is None else f"{source}, row {row}"
        super().__init__(f"{where}: {reason}")
        self.source, self.row, self.reason = source, row, reason


class PriceTable(msgspec.Struct, frozen=True):
    """Daily prices in the order of their file, (T, N) each, micros; row by row, symbol by symbol.

    days     of each row, as the file has them: whether they are in order is for the check to say
    lines    of each row in the file, for messages
    odd      values no price can have (NaN, infinite, beyond 9e12) by field, row and column
    """

    source: str
    days: Sequence[date]
    lines: Sequence[int]
    symbols: tuple[Symbol, ...]
    close: Micros
    open: Micros | None = None
    high: Micros | None = None
    low: Micros | None = None
    volume: Micros | None = None
    odd: Mapping[tuple[str, int, int], Decimal] = {}

    def bars(self, row: int) -> tuple[Bar, ...]:
        """Return the bars of `row`, good or bad; a symbol without a price has none."""
        closes = self.close[row].tolist()
        if self.open is None and self.high is None and self.low is None and self.volume is None:
            return tuple(
                Bar(symbol, TIMES(micros, MICRO))
                if micros > ODD
                else Bar(symbol, self.odd["close", row, column])
                for column, (symbol, micros) in enumerate(zip(self.symbols, closes, strict=True))
                if micros != MISSING
            )
        return tuple(
            Bar(
                symbol,
                close,
                self._value("open", row, column),
                self._value("high", row, column),
                self._value("low", row, column),
                self._value("volume", row, column),
            )
            for column, symbol in enumerate(self.symbols)
            if (close := self._value("close", row, column)) is not None
        )

    def _value(self, field: str, row: int, column: int) -> Decimal | None:
        of_field: Micros | None = getattr(self, field)
        if of_field is None:
            return None
        micros = int(of_field[row, column])
        if micros == MISSING:
            return None
        return self.odd[field, row, column] if micros == ODD else TIMES(micros, MICRO)


def in_micros(
    values: NDArray[np.float64], text: Callable[[int], str]
) -> tuple[Micros, Mapping[int, Decimal]]:
    """Return `values` in whole micros, rounded half-even from their text, and the odd ones.

    values  (T,)  each number as the nearest float
    text          the number at a place, as it was written

    A float times a million is off by at most 2.2e-16 of itself: where that can't change which
    whole number is nearest, the float decides; where it can, the text does.
    """
    scaled = values * 1e6
    with np.errstate(invalid="ignore"):
        nearest = np.rint(scaled)
        size, off = np.abs(scaled), np.abs(scaled - nearest)
        sure = ((size < 1e12) & (off < 0.499)) | ((size < 1e15) & (off < 0.25))
    micros = np.where(sure, nearest, 0).astype(np.int64)
    odd: dict[int, Decimal] = {}
    for i in np.nonzero(~sure)[0].tolist():
        exact = Decimal(text(i))
        if exact.is_finite() and abs(exact) <= LARGEST:
            micros[i] = int(EXACT.quantize(exact, MICRO).scaleb(6, EXACT))
        else:
            micros[i], odd[i] = ODD, exact
    return micros, odd
