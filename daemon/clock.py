"""Where time comes from: the machine's clocks, the market's own, and a fake that tests advance."""

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta
from itertools import count

from daemon.seams import Clock


class SystemClock:
    """The machine's clocks. Nothing else in the daemon asks it for the time."""

    def wall(self) -> datetime:
        """Return the wall clock, UTC."""
        return datetime.now(UTC)

    def mono(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; 0 lets the other tasks run once."""
        await asyncio.sleep(seconds)


class MarketTimeUnknown(Exception):
    """The market's clock was read before the feed that sets it said what time it is."""


class MarketClock:
    """The market's time: the wall's, or the feed's, which then stands still between closes."""

    def __init__(self, clock: Clock, *, follows_feed: bool) -> None:
        self._clock = clock
        self._at: datetime | None = None
        self.follows_feed = follows_feed

    def now(self) -> datetime:
        """Return the market's time, UTC; raises MarketTimeUnknown before a feed first set it."""
        if not self.follows_feed:
            return self._clock.wall()
        if self._at is None:
            raise MarketTimeUnknown("the market's clock follows the feed, which has not set it yet")
        return self._at

    def reached(self, at: datetime) -> None:
        """Move to `at`, the feed's time, never back; nothing happens where the wall rules."""
        if not self.follows_feed:
            return
        if self._at is not None and at < self._at:
            raise ValueError(f"market time can't go back from {self._at} to {at}")
        self._at = at


class FakeClock:
    """A clock that moves only when told to, or, when `runs`, as far as the next sleeper wants.

    While it runs a sleep costs no real time: sleepers wake in the order of their deadlines, each
    as soon as the loop has had a turn, whatever else is under way. Otherwise they wait for
    `advance`. The wall can jump on its own, as walls do.
    """

    def __init__(
        self, wall: datetime = datetime(2025, 3, 3, 12, tzinfo=UTC), *, runs: bool = True
    ) -> None:
        self._wall = wall
        self._mono = 0.0
        self._runs = runs
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self._ticking = False

    def wall(self) -> datetime:
        """Return the wall clock, UTC."""
        return self._wall + timedelta(seconds=self._mono)

    def mono(self) -> float:
        """Return seconds since the clock was made."""
        return self._mono

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has moved `seconds` on."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        due = self._mono + max(seconds, 0.0)
        heapq.heappush(self._sleepers, (due, next(self._order), woken))
        if not self._ticking:
            self._ticking = True
            loop.call_soon(self._tick, loop)
        await woken

    def advance(self, seconds: float) -> None:
        """Move both clocks on, and wake who slept until then or earlier."""
        end = self._mono + seconds
        while (due := self._next_due()) is not None and due <= end:
            self._wake()
        self._mono = end

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or, with a negative number, back; mono doesn't notice."""
        self._wall += timedelta(seconds=seconds)

    def _next_due(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():  # the cancelled move no clock
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake(self) -> None:
        due, _, woken = heapq.heappop(self._sleepers)
        self._mono = max(self._mono, due)
        woken.set_result(None)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the next sleeper, and come back once it has had its turn."""
        due = self._next_due()
        self._ticking = due is not None and (self._runs or due <= self._mono)
        if self._ticking:
            self._wake()
            loop.call_soon(self._tick, loop)
