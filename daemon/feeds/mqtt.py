"""Market data by MQTT: each message is read as it comes, and kept only as long as it is news."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import aiomqtt
import numpy as np
from numpy.typing import NDArray

from daemon.clock import MarketClock
from daemon.feeds.bar_check import Refusal
from daemon.feeds.gathering import Gathering
from daemon.feeds.market_message import DayBar, Reading, bar_topic, quote_topic
from daemon.feeds.past import Past
from daemon.mqtt_link import MqttLink, lost
from daemon.seams import Clock
from state.instrument import Symbol
from state.quote import Close, Quote
from state.status import Stream

TICK: Final = 0.2  # seconds between looks at the clock, for closes that waited long enough
PAUSE: Final = 0.005  # seconds in which quotes gather: in a flood, one look for many
AGES: Final = 10_000  # quotes whose age on arrival is remembered

Quoted = Callable[[Collection[Quote]], Awaitable[None]]

log = logging.getLogger(__name__)


async def ignored(quotes: Collection[Quote]) -> None:
    """Do nothing with quotes."""


class Arrivals:
    """Stands where the client would queue messages: each is read at once, and none is queued."""

    def __init__(self, take: Callable[[str, bytes, bool], None]) -> None:
        self._take = take

    def put_nowait(self, message: aiomqtt.Message) -> None:
        """Take a message in."""
        payload = message.payload
        self._take(
            message.topic.value, payload if isinstance(payload, bytes) else b"", message.retain
        )

    async def get(self) -> aiomqtt.Message:
        """Wait for ever: there is never a message to fetch."""
        never: asyncio.Future[aiomqtt.Message] = asyncio.get_running_loop().create_future()
        return await never

    def qsize(self) -> int:
        """Return how many messages wait: none."""
        return 0


class MqttFeed:
    """Closes as they become whole; between them quotes, of each symbol the newest.

    Bars are subscribed with the configured quality of service, so that the broker keeps what was
    missed; quotes always with 0, for an old quote is no news. Nothing but the topics of prices is
    ever subscribed.
    """

    kind = "mqtt"

    def __init__(
        self,
        symbols: Sequence[Symbol],
        link: MqttLink,
        reading: Reading,
        gathering: Gathering,
        past: Past,
        clock: Clock,
        market: MarketClock,
        *,
        prefix: str,
        qos: int,
    ) -> None:
        self.symbols = tuple(symbols)
        self.last_at: datetime | None = None
        self.connected = False
        self._link, self._reading, self._gathering, self._past = link, reading, gathering, past
        self._clock, self._market = clock, market
        self._topics = [(bar_topic(prefix, "+"), qos), (quote_topic(prefix, "+"), 0)]
        self._qos = qos
        self._news = asyncio.Event()
        self._connections = 0
        self._ages: deque[float] = deque(maxlen=AGES)

    @property
    def ended(self) -> bool:
        """Return False: there may always be another close."""
        return False

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Return how many bars and quotes were not believed, by reason."""
        return dict(self._gathering.refused)

    @property
    def stream(self) -> Stream:
        """Return what came, and what did not."""
        so_far = self._gathering
        ages = sorted(self._ages)
        return Stream(
            so_far.bars,
            so_far.quotes,
            so_far.conflated,
            self._connections,
            so_far.missed,
            so_far.missed_at,
            ages[int(0.99 * (len(ages) - 1))] if ages else None,
        )

    def history(
        self, before: date, bars: int
    ) -> tuple[tuple[Symbol, ...], Sequence[date], NDArray[np.float64]]:
        """Return symbols (N), sessions (T) and closes (T, N) from before a session."""
        return self._past.matrix(before, bars)

    def closes(self, before: date, count: int) -> Sequence[Close]:
        """Return the last `count` closes before the session `before`, oldest first."""
        return self._past.closes(before, count)

    async def run(
        self, deliver: Callable[[Close], Awaitable[None]], quoted: Quoted = ignored
    ) -> None:
        """Await `deliver` for each close, and `quoted` for quotes between them, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.keep("in", self._listen), name="mqtt-in")
            tasks.create_task(self._tick(), name="mqtt-tick")
            while True:
                await self._news.wait()
                self._news.clear()
                await self._carry(deliver, quoted)
                await self._clock.sleep(PAUSE)

    async def _carry(self, deliver: Callable[[Close], Awaitable[None]], quoted: Quoted) -> None:
        """Carry on what is there: closes first, then quotes."""
        while (close := self._gathering.due(self._clock.wall(), self._clock.mono())) is not None:
            self._tell(close)
            self._market.reached(close.at)
            self.last_at = close.at
            await deliver(close)
            await self._clock.sleep(0.0)  # a flood of closes lets others run, too
        if quotes := self._gathering.fresh():
            wall = self._clock.wall()
            self._ages.extend((wall - quote.at).total_seconds() for quote in quotes.values())
            await quoted(quotes.values())

    def _tell(self, close: Close) -> None:
        """Log what was lost, and every level that shifted."""
        if close.missed:
            lost = sum(len(gap.symbols) for gap in close.missed)
            first = close.missed[0]
            extra = {
                "bars": lost,
                "first": first.session.isoformat(),
                "symbols": first.symbols[:5],
                "session": close.session.isoformat(),
            }
            log.warning("bars_missed", extra=extra)
        for symbol in self._gathering.shifted:
            log.warning("price_level_shifted", extra={"symbol": symbol})
        self._gathering.shifted.clear()

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            self._news.set()

    async def _listen(self, arrived: Callable[[], None]) -> None:
        """Be connected, until the connection is lost."""
        arrivals: Any = Arrivals(self.take)
        client = self._link.client("in", resumes=self._qos > 0, queue_type=lambda maxsize: arrivals)
        async with client:
            await client.subscribe(self._topics)
            arrived()
            self.connected = True
            self._connections += 1
            try:
                await lost(client)
            finally:
                self.connected = False

    def take(self, topic: str, payload: bytes, retained: bool) -> None:
        """Take one message in. It can change prices, and nothing else."""
        said = self._reading.read(topic, payload)
        if isinstance(said, Refusal):
            self._refuse(said, topic)
        elif isinstance(said, DayBar):
            refused = self._gathering.take_bar(said, self._clock.wall(), retained=retained)
            self._news.set() if refused is None else self._log_refusal(refused, topic)
        else:
            self._take_quote(said, topic, retained)

    def _take_quote(self, quote: Quote, topic: str, retained: bool) -> None:
        try:
            refused = self._gathering.take_quote(quote, self._clock.wall(), retained=retained)
        except ValueError:  # a time that no session of the calendar is near
            self._refuse(Refusal.NOT_A_SESSION, topic)
            return
        self._news.set() if refused is None else self._log_refusal(refused, topic)

    def _refuse(self, reason: Refusal, topic: str) -> None:
        self._log_refusal(self._gathering.refuse(reason), topic)

    def _log_refusal(self, reason: Refusal, topic: str) -> None:
        """Log the first of each kind; the others are counted."""
        if self._gathering.refused[reason] == 1:
            log.warning("message_refused", extra={"reason": str(reason), "topic": topic[:200]})
