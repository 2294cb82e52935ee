"""Which rows of a price table are played, in what order, and as which sessions."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Final

import numpy as np

from daemon.calendar import Calendar
from daemon.feeds.prices import PriceFileInvalid, PriceTable
from state.settings import Replay

FEWEST: Final = 2  # sessions to play: one to decide at, one to trade in
DAY: Final = timedelta(days=1)

Frame = tuple[date, int]  # the session it is played as, and the table's row


class Reel:
    """The rows from `replay.start` to `replay.end`, in the file's order, once or in a loop.

    The first time a row is played as its own day, and rows out of order or on no session are left
    in for the check to refuse. In a loop the good ones repeat, as the sessions that follow on the
    calendar, so that market time never goes back. Raises PriceFileInvalid: too few of them.
    """

    def __init__(self, table: PriceTable, replay: Replay, calendar: Calendar) -> None:
        self._days, self._calendar = table.days, calendar
        self._loops = replay.at_end == "loop"
        numbers = np.array(table.days, dtype="datetime64[D]")
        until = np.full(len(numbers), fill_value=True)
        if replay.end is not None:
            until = numbers <= np.datetime64(replay.end)
        self._until_end = np.nonzero(until)[0]
        self._numbers = numbers[self._until_end]
        played = self._numbers >= np.datetime64(replay.start)
        self._rows: Sequence[int] = self._until_end[played].tolist()
        self._good = self._in_order(self._rows)
        if len(self._good) < FEWEST:
            raise PriceFileInvalid(
                table.source,
                f"too short: {len(self._good)} sessions of {calendar.name} between replay.start "
                f"{replay.start} and {replay.end or 'its end'}, at least {FEWEST} are needed; it "
                f"holds {min(table.days)} to {max(table.days)}",
            )
        self.last = self._days[self._good[-1]]

    def after(self, session: date | None) -> Iterator[Frame]:
        """Yield what is played after `session`, or from the start."""
        for row in self._rows:
            if session is None or self._days[row] > session:
                yield self._days[row], row
        if self._loops:
            yield from self._again(max(session or self.last, self.last))

    def before(self, session: date, count: int) -> Sequence[Frame]:
        """Return the last `count` rows before `session`; those before the start are among them."""
        rows = self._until_end[self._numbers < np.datetime64(session)][-count:].tolist()
        frames = [(self._days[row], row) for row in rows]
        if self._loops and session > self.last:
            repeats = self._calendar.sessions_between(self.last + DAY, session - DAY)[-count:]
            if repeats:
                frames += islice(self._again(repeats[0] - DAY), len(repeats))
        return frames[-count:]

    def is_seam(self, session: date, row: int) -> bool:
        """Return whether the start's prices come here after the end's."""
        return self._loops and session > self.last and row == self._good[0]

    def _again(self, after: date) -> Iterator[Frame]:
        played = len(self._calendar.sessions_between(self.last + DAY, after))
        session = self._calendar.next_session(after)
        while session is not None:
            yield session, self._good[played % len(self._good)]
            played += 1
            session = self._calendar.next_session(session)

    def _in_order(self, rows: Sequence[int]) -> Sequence[int]:
        kept: list[int] = []
        newest = date.min
        for row in rows:
            day = self._days[row]
            if day > newest and self._calendar.is_session(day):
                newest = day
                kept.append(row)
        return kept
