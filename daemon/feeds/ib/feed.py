"""Closes out of the gateway's history as soon as a session is over; quotes while it lasts."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.brokers.ib.gateway import Gateway
from daemon.calendar import Calendar
from daemon.clock import MarketClock
from daemon.feeds.bar_check import Memory, Refusal
from daemon.feeds.gathering import Gathering
from daemon.feeds.ib.line import Line
from daemon.feeds.ib.past_sessions import PastSessions
from daemon.feeds.ib.streaming import Streaming
from daemon.feeds.ib.watching import Watching
from daemon.feeds.mqtt import Quoted, ignored
from daemon.feeds.past import Past
from daemon.feeds.quote_bars import worth
from daemon.seams import BrokerUnavailable, Clock
from state.instrument import Symbol
from state.quote import Close, Quote
from state.status import Stream

TICK: Final = 0.2  # seconds between looks at the clock and at the connection
RETRY: Final = 16.0  # seconds until what was not answered is asked again, twice as long each time
SELDOM: Final = 300.0  # up to this

log: Final = logging.getLogger(__name__)


class Terms(msgspec.Struct, frozen=True):
    """What is configured: `grace` in seconds, `lines` are subscriptions at most."""

    max_jump: float
    grace: float
    lines: int
    patience: float


class IbFeed:
    """Every close is the gateway's own daily bar of each symbol.

    What was missed while nobody was connected is asked for and delivered in order. Quotes are for
    orders that wait in the embedded broker, and build a session's bars only where there is no
    history of it and all of it was seen live.
    """

    kind = "ib"

    def __init__(
        self,
        symbols: Sequence[Symbol],
        calendar: Calendar,
        clock: Clock,
        market: MarketClock,
        past: Past,
        terms: Terms,
        *,
        after: date | None,
        memory: Callable[[Past, date], Memory],
        warms: bool,
    ) -> None:
        self.symbols = tuple(symbols)
        self.last_at: datetime | None = None
        self._calendar, self._clock, self._market = calendar, clock, market
        self._past, self._terms, self._memory, self._warms = past, terms, memory, warms
        self._sessions = PastSessions(
            symbols,
            calendar,
            clock,
            self._up,
            terms.patience,
            max_jump=terms.max_jump,
            after=after,
        )
        self._watching = Watching(calendar)
        self._line: Line | None = None
        self._gathering = self._gathered(symbols, None, None)  # until it is known what there is
        self._levels: dict[Symbol, float] = {}  # the last close of each
        self._ready = False
        self._streaming: Streaming | None = None
        self._refused: Counter[Refusal] = Counter()
        self._quotes = self._connections = 0

    def _gathered(
        self, symbols: Sequence[Symbol], after: date | None, memory: Memory | None
    ) -> Gathering:
        """Return where bars become closes: at once, for what is late was waited for before."""
        return Gathering(
            symbols,
            self._calendar,
            max_jump=self._terms.max_jump,
            grace=0.0,
            follows_feed=False,
            after=after,
            memory=memory,
        )

    def follow(self, line: Line) -> None:
        """Take prices from a connection; said once, before anything is asked."""
        self._line = line

    @property
    def connected(self) -> bool:
        """Return whether the gateway is there, with its servers."""
        return self._line is not None and self._line.gateway is not None

    @property
    def watched(self) -> bool:
        """Return whether every price comes live, and is watched."""
        return self._watching.since is not None

    @property
    def ended(self) -> bool:
        """Return False: there may always be another close."""
        return False

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Return how many bars and quotes were not believed, by reason."""
        return dict(self._refused + self._gathering.refused)

    @property
    def stream(self) -> Stream:
        """Return what came, and what did not."""
        so_far = self._gathering
        return Stream(
            so_far.bars, self._quotes, 0, self._connections, so_far.missed, so_far.missed_at
        )

    def history(
        self, before: date, bars: int
    ) -> tuple[tuple[Symbol, ...], Sequence[date], NDArray[np.float64]]:
        """Return symbols (N), sessions (T) and closes (T, N) from before a session."""
        return self._past.matrix(before, bars)

    def closes(self, before: date, count: int) -> Sequence[Close]:
        """Return the last `count` closes before the session `before`, oldest first."""
        return self._past.closes(before, count)

    async def warmed(self) -> None:
        """Return once the past is known; where nobody answers, wait for somebody who does."""
        past = self._sessions
        while not self._ready:
            _, line = await self._up()
            past.symbols = tuple(s for s in self.symbols if s in line.contracts.listed)
            try:
                if self._warms:
                    self._past = await past.warmed(self._past)
            except BrokerUnavailable as why:
                log.warning("ib_history_unanswered", extra={"detail": str(why)})
                await self._clock.sleep(RETRY)
                continue
            memory = self._memory(self._past, past.next)
            self._levels = {symbol: level.price for symbol, level in memory.levels.items()}
            self._gathering = self._gathered(past.symbols, past.known, memory)
            self._ready = True

    async def run(
        self,
        deliver: Callable[[Close], Awaitable[None]],
        quoted: Quoted = ignored,
    ) -> None:
        """Await `deliver` for each close, and `quoted` for quotes between them, until cancelled."""
        await self.warmed()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_up(), name="ib-history")
                while True:
                    self._subscribe()
                    await self._carry(deliver, quoted)
                    await self._clock.sleep(TICK)
        finally:
            if self._streaming is not None:
                self._streaming.close()

    async def _up(self) -> tuple[Gateway, Line]:
        """Return the connection as soon as there is one."""
        while True:
            if self._line is not None and (gateway := self._line.gateway) is not None:
                return gateway, self._line
            await self._clock.sleep(TICK)

    async def _keep_up(self) -> None:
        """Ask for every session that is over, for as long as it takes."""
        past, pause = self._sessions, RETRY
        while True:
            over = past.over()
            if over <= past.known:
                pause = RETRY
                await self._clock.sleep(TICK)
                continue
            bars = await past.caught_up(over, self._watching.bars, self._terms.grace)
            for bar in bars:
                self._gathering.take_bar(bar, self._clock.wall())
            if not bars:
                await self._clock.sleep(pause)
                pause = min(2 * pause, SELDOM)

    def _subscribe(self) -> None:
        """Have the quotes of the connection that there is."""
        assert self._line is not None
        gateway = self._line.gateway
        if self._streaming is not None and self._streaming.gateway is not gateway:
            self._watching.broken()
            if gateway is not None or self._streaming.gateway.gone.is_set():
                self._streaming.close()
                self._streaming = None
        if gateway is None:
            return
        if self._streaming is None:
            listed = {s: self._line.contracts.listed[s] for s in self._sessions.symbols}
            self._streaming = Streaming(gateway, listed, self._terms.lines, self._watching.broken)
            self._connections += 1
        try:
            self._streaming.subscribe()
        except ConnectionError:  # it broke this moment, and the next look finds it so
            return
        if self._streaming.whole:
            self._watching.live(self._clock.wall())

    async def _carry(
        self,
        deliver: Callable[[Close], Awaitable[None]],
        quoted: Quoted,
    ) -> None:
        """Carry on what is there: closes first, then quotes."""
        while (close := self._gathering.due(self._clock.wall(), self._clock.mono())) is not None:
            for symbol in self._gathering.shifted:
                log.warning("price_level_shifted", extra={"symbol": symbol})
            self._gathering.shifted.clear()
            self._levels |= {bar.symbol: float(bar.close) for bar in close.bars}
            self._market.reached(close.at)
            self.last_at = close.at
            await deliver(close)
        if self._streaming is not None and (quotes := self._fresh(self._streaming)):
            self._quotes += len(quotes)
            await quoted(quotes)

    def _fresh(self, streaming: Streaming) -> Sequence[Quote]:
        """Return the quotes that can be believed, of an open market."""
        wall = self._clock.wall()
        opened = self._calendar.open_of(self._calendar.session_of(wall))
        quotes, old = streaming.quotes(wall, opened)
        if old:
            self._refused[Refusal.NOT_LIVE] += old
        fresh = []
        for quote in quotes:
            level, price = self._levels.get(quote.symbol), worth(quote)
            if (
                price is not None
                and level is not None
                and abs(float(price) / level - 1) > self._terms.max_jump
            ):
                self._refused[Refusal.JUMP] += 1
            elif self._watching.take(quote):
                fresh.append(quote)
        return fresh
