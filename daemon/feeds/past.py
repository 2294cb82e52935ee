"""Closes before the first that comes: of a file, and then those on record."""

from collections import deque
from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.calendar import Calendar
from daemon.feeds.bar_check import Level, Memory, check
from daemon.feeds.prices import PriceTable
from state.event import BarsClosed
from state.instrument import Symbol
from state.quote import Close
from state.snapshot import Snapshot

PRIMING: Final = 64  # closes more, for the check to have seen


class Past:
    """What is known from before. `recorded` are closes of the journal, the newest ones."""

    def __init__(
        self,
        symbols: Sequence[Symbol],
        table: PriceTable | None,
        calendar: Calendar,
        *,
        max_jump: float,
        recorded: Sequence[BarsClosed | Close] = (),
    ) -> None:
        self._symbols, self._table, self._calendar = tuple(symbols), table, calendar
        self._max_jump = max_jump
        self._recorded = [Close(c.at, c.session, c.bars) for c in recorded]

    def closes(self, before: date, count: int) -> Sequence[Close]:
        """Return the last `count` closes before the session `before`, oldest first."""
        recorded = [close for close in self._recorded if close.session < before][-count:]
        first = recorded[0].session if recorded else before
        return (*self._of_file(first, count - len(recorded)), *recorded)

    def matrix(
        self, before: date, bars: int
    ) -> tuple[tuple[Symbol, ...], Sequence[date], NDArray[np.float64]]:
        """Return symbols (N), sessions (T) and closes (T, N), NaN where one is missing."""
        closes = self.closes(before, bars)
        column = {symbol: n for n, symbol in enumerate(self._symbols)}
        matrix = np.full((len(closes), len(column)), np.nan)
        for t, close in enumerate(closes):
            for bar in close.bars:
                if (n := column.get(bar.symbol)) is not None:
                    matrix[t, n] = float(bar.close)
        return self._symbols, [close.session for close in closes], matrix

    def with_earlier(self, closes: Sequence[Close]) -> "Past":
        """Return it with closes from before the first on record."""
        first = self._recorded[0].session if self._recorded else date.max
        earlier = [close for close in closes if close.session < first]
        return Past(
            self._symbols,
            self._table,
            self._calendar,
            max_jump=self._max_jump,
            recorded=[*earlier, *self._recorded],
        )

    def memory(self, now: Snapshot, before: date) -> Memory:
        """Return what the check of the next bar compares with."""
        levels = {
            bar.symbol: Level(close.at, float(bar.close))
            for close in self._of_file(before, 1)
            for bar in close.bars
        }
        levels |= {
            bar.symbol: Level(close.at, float(bar.close))
            for close in self.closes(before, 1)
            for bar in close.bars
        }
        levels |= {symbol: Level(mark.at, float(mark.price)) for symbol, mark in now.marks.items()}
        return Memory(now.closed_at, levels)

    def _of_file(self, before: date, count: int) -> Sequence[Close]:
        if self._table is None or count <= 0:
            return ()
        days = self._table.days
        rows = deque((row for row, day in enumerate(days) if day < before), count + PRIMING)
        memory, closes = Memory(), deque[Close](maxlen=count)
        for row in rows:
            if not self._calendar.is_session(days[row]):
                continue
            at = self._calendar.close_of(days[row])
            close = Close(at, days[row], self._table.bars(row))
            checked = check(
                memory, close, max_jump=self._max_jump, is_session=self._calendar.is_session
            )
            memory = checked.memory
            if checked.close is not None:
                closes.append(checked.close)
        return tuple(closes)
