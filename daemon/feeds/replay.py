"""Real prices of the past, played as if they closed now; the market's clock follows them."""

import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.calendar import Calendar
from daemon.clock import MarketClock
from daemon.feeds.bar_check import Checked, Memory, Refusal, check
from daemon.feeds.bundle import STOCKS, NotBundled, bundled
from daemon.feeds.price_file import read_prices
from daemon.feeds.prices import PriceFileInvalid, PriceTable
from daemon.feeds.reel import DAY, FEWEST, Reel
from daemon.seams import Clock
from state.instrument import Symbol
from state.quote import Close
from state.settings import Replay, Settings

PRIMING: Final = 64  # closes before the start that the check has seen when it starts
BEHIND: Final = 1.0  # seconds late after which the pace starts afresh instead of catching up

log = logging.getLogger(__name__)


class ReplayFeed:
    """Plays the closes of a price table from a start, session by session, at a pace.

    Each close sets the market's clock, then is delivered, and the next waits until that is done.
    It goes on after the session `after` as if it had never stopped; the market's clock stands at
    the close before the next from the moment the feed is made. At the end `hold` and `stop` differ
    only in what the daemon does then. `loop` begins again at the start's prices, but as the
    sessions that follow on the calendar: market time never goes back. Where the end meets the
    start prices jump, which no check refuses and every limit sees.
    """

    kind = "replay"

    def __init__(
        self,
        table: PriceTable,
        replay: Replay,
        *,
        max_jump: float,
        calendar: Calendar,
        clock: Clock,
        market: MarketClock,
        after: date | None = None,
    ) -> None:
        self._table, self._pace, self._max_jump = table, replay.pace, max_jump
        self._calendar, self._clock, self._market = calendar, clock, market
        self._reel = Reel(table, replay, calendar)
        self._resumed = after is not None
        self._refused: Counter[Refusal] = Counter()
        frames = self._reel.after(after)
        first = next(frames, None)
        start = first[0] if first else (after or self._reel.last) + DAY
        self._memory = self._primed(start)
        self._frames = chain([first], frames) if first else frames
        before = calendar.previous_session(start)
        if before is not None:
            market.reached(calendar.close_of(before))
        self.last_at = calendar.close_of(before) if before and self._resumed else None
        self._next = self._advance()

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Return the symbols that have prices, in the order of bars and of `history`'s columns."""
        return self._table.symbols

    @property
    def connected(self) -> bool:
        """Return whether there are closes to come."""
        return not self.ended

    @property
    def ended(self) -> bool:
        """Return whether there will never be another close: true while the last is delivered."""
        return self._next is None

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Return how many bars were refused since the start, by reason."""
        return dict(self._refused)

    async def run(self, deliver: Callable[[Close], Awaitable[None]]) -> None:
        """Await `deliver` for each close, `replay.pace` of them a second; return at the end.

        The first close comes at once on a fresh start, and one interval after a restart. A late
        close does not make the others late, unless the feed fell a second behind.
        """
        interval = 1.0 / self._pace if self._pace else 0.0
        origin = self._clock.mono() + (interval if self._resumed else 0.0)
        count = 0
        while (close := self._next) is not None:
            wait = origin + count * interval - self._clock.mono()
            if wait < -BEHIND:
                origin, count, wait = self._clock.mono(), 0, 0.0
            await self._clock.sleep(max(wait, 0.0))
            self._next = self._advance()
            self._market.reached(close.at)
            self.last_at = close.at
            await deliver(close)
            count += 1

    def history(
        self, before: date, bars: int
    ) -> tuple[tuple[Symbol, ...], Sequence[date], NDArray[np.float64]]:
        """Return the last `bars` closes before the session `before`, as they were or would be.

        Symbols (N), sessions (T), oldest first, and closes (T, N), NaN where a bar is missing or
        was refused; T is less than `bars` where the file begins later.
        """
        closes = self.closes(before, bars)
        column = {symbol: n for n, symbol in enumerate(self.symbols)}
        matrix = np.full((len(closes), len(column)), np.nan)
        for t, close in enumerate(closes):
            for bar in close.bars:
                matrix[t, column[bar.symbol]] = float(bar.close)
        return self.symbols, [close.session for close in closes], matrix

    def closes(self, before: date, count: int) -> Sequence[Close]:
        """Return the last `count` closes before the session `before`, checked, oldest first."""
        memory, closes = Memory(), deque[Close](maxlen=count)
        for session, row in self._reel.before(before, count + PRIMING):
            checked = self._checked(memory, session, row)
            memory = checked.memory
            if checked.close is not None:
                closes.append(checked.close)
        return tuple(closes)

    def _advance(self) -> Close | None:
        """Return the next close that is not refused whole, None when there is none."""
        for session, row in self._frames:
            checked = self._checked(self._memory, session, row)
            self._memory = checked.memory
            if checked.refused or checked.shifted:
                self._note(checked, session, row)
            if checked.close is not None:
                return checked.close
        return None

    def _note(self, checked: Checked, session: date, row: int) -> None:
        """Count what was refused; log the first of each kind, and every level that shifted."""
        place = {
            "file": self._table.source,
            "row": self._table.lines[row],
            "session": session.isoformat(),
        }
        if any(reason not in self._refused for reason in checked.refused):
            reasons = {str(reason): count for reason, count in checked.refused.items()}
            log.warning("bars_refused", extra={**place, "reasons": reasons})
        self._refused.update(checked.refused)
        for symbol in checked.shifted:
            log.warning("price_level_shifted", extra={**place, "symbol": symbol})

    def _checked(self, memory: Memory, session: date, row: int) -> Checked:
        known = self._calendar.is_session(session)
        at = self._calendar.close_of(session) if known else datetime.combine(session, time(), UTC)
        if self._reel.is_seam(session, row):
            memory = Memory(memory.at)  # no jump from the end's prices to the start's
        return check(
            memory,
            Close(at, session, self._table.bars(row)),
            max_jump=self._max_jump,
            is_session=self._calendar.is_session,
        )

    def _primed(self, start: date) -> Memory:
        """Return the check's memory at `start`; what it refuses before then is not counted."""
        memory = Memory()
        for session, row in self._reel.before(start, PRIMING):
            memory = self._checked(memory, session, row).memory
        return memory


def open_replay(
    settings: Settings,
    *,
    calendar: Calendar,
    clock: Clock,
    market: MarketClock,
    after: date | None = None,
) -> ReplayFeed:
    """Return the feed that the settings describe; raises PriceFileInvalid.

    `replay.file` is a path, `bundled`, or `bundled:NAME` for another of the bundled files.
    """
    return ReplayFeed(
        replay_table(settings),
        settings.replay,
        max_jump=settings.feed.max_jump,
        calendar=calendar,
        clock=clock,
        market=market,
        after=after,
    )


def replay_table(settings: Settings) -> PriceTable:
    """Return the prices of the universe that `replay.file` holds; raises PriceFileInvalid."""
    file = settings.replay.file
    kind, _, name = file.partition(":")
    try:
        path = bundled(name or STOCKS) if kind == "bundled" else Path(file).expanduser()
    except NotBundled as e:
        raise PriceFileInvalid(file, str(e)) from e
    return read_prices(path, settings.universe.symbols, fewest=FEWEST, source=file)
