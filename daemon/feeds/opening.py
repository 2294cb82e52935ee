"""Which feed it is: what is read before anything starts, and the feed made of it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Final, Protocol, runtime_checkable

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from daemon.brokers.ib.configured import described
from daemon.calendar import Calendar
from daemon.clock import MarketClock
from daemon.feeds.gathering import Gathering
from daemon.feeds.market_message import Reading
from daemon.feeds.mqtt import MqttFeed, Quoted
from daemon.feeds.past import Past
from daemon.feeds.prices import PriceTable
from daemon.feeds.replay import ReplayFeed
from daemon.mqtt_link import MqttLink
from daemon.seams import Broker, Clock, Feed, Store
from state.belief_answers import last_closes
from state.duration import seconds
from state.instrument import Symbol
from state.quote import Close
from state.settings import Settings
from state.snapshot import Snapshot
from state.status import Stream

REMEMBERED: Final = 1000  # closes of the journal that warm a strategy at most


class FeedImpossible(Exception):
    """No feed can be made of what is configured; the message says which setting."""


class PriceFeed(Feed, Protocol):
    """A feed of known symbols that also remembers what came before."""

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Return the symbols, in the order of bars and of `history`'s columns."""

    def history(
        self, before: date, bars: int
    ) -> tuple[tuple[Symbol, ...], Sequence[date], NDArray[np.float64]]:
        """Return the last closes before a session: symbols (N), sessions (T), closes (T, N)."""

    def closes(self, before: date, count: int) -> Sequence[Close]:
        """Return the last `count` closes before the session `before`, oldest first."""


@runtime_checkable
class Warming(Protocol):
    """A feed whose past has yet to be asked for."""

    async def warmed(self) -> None:
        """Return once `history` and `closes` know it."""


@runtime_checkable
class Quoting(Protocol):
    """A feed that has quotes between its closes."""

    @property
    def stream(self) -> Stream:
        """Return what came."""

    async def run(self, deliver: Callable[[Close], Awaitable[None]], quoted: Quoted) -> None:
        """Await `deliver` for each close, and `quoted` for quotes."""


class Source(msgspec.Struct, frozen=True):
    """What a feed is made of: the symbols, and the prices of a file, if any."""

    symbols: tuple[Symbol, ...]
    table: PriceTable | None


def source_of(settings: Settings, prices: Callable[[Settings], PriceTable]) -> Source:
    """Return what there is before a feed; raises PriceFileInvalid, FeedImpossible."""
    if settings.feed.kind == "replay":
        table = prices(settings)
        return Source(table.symbols, table)
    if settings.feed.kind == "ib":
        check_ib(settings)
    history = settings.feed.history
    if history:
        table = prices(replace(settings, replay=replace(settings.replay, file=history)))
        return Source(table.symbols, table)
    if not settings.universe.symbols:
        raise FeedImpossible(
            f"universe.symbols is empty, and feed.kind is {settings.feed.kind!r}: name the symbols "
            "that come, or give feed.history a file that has them"
        )
    return Source(settings.universe.symbols, None)


def check_ib(settings: Settings) -> None:
    """Return if the gateway can be asked for prices; raise FeedImpossible, GatewayImpossible."""
    described(settings)
    if settings.feed.clock == "feed":
        raise FeedImpossible(
            "feed.clock = 'feed' is for bars of old; prices of a gateway are of now, so leave it"
        )
    currency = settings.account.base_currency
    for symbol in settings.universe.symbols:
        if (other := settings.instrument(symbol).currency) != currency:
            raise FeedImpossible(
                f"{symbol} trades in {other}, the account is kept in {currency}, and nothing here "
                "converts: take it out of universe.symbols"
            )


def begins(settings: Settings, clock: Clock) -> date:
    """Return the first day of the market as this run sees it: today's, or a recording's."""
    if settings.feed.kind == "replay" or settings.feed.clock == "feed":
        return settings.replay.start
    return clock.wall().date()


async def open_feed(
    source: Source,
    settings: Settings,
    calendar: Calendar,
    clock: Clock,
    market: MarketClock,
    now: Snapshot,
    store: Store,
) -> PriceFeed:
    """Return the feed, going on after the last close on record."""
    if settings.feed.kind == "replay" and source.table is not None:
        return ReplayFeed(
            source.table,
            settings.replay,
            max_jump=settings.feed.max_jump,
            calendar=calendar,
            clock=clock,
            market=market,
            after=now.session,
        )
    past = Past(
        source.symbols,
        source.table,
        calendar,
        max_jump=settings.feed.max_jump,
        recorded=await store.read(last_closes, REMEMBERED),
    )
    if settings.feed.kind == "ib":
        from daemon.feeds.ib.opening import feed_of

        return feed_of(
            source.symbols,
            settings,
            calendar,
            clock,
            market,
            past,
            now.session,
            lambda known, before: known.memory(now, before),
        )
    gathering = Gathering(
        source.symbols,
        calendar,
        max_jump=settings.feed.max_jump,
        grace=seconds(settings.feed.grace),
        follows_feed=market.follows_feed,
        after=now.session,
        memory=past.memory(now, now.session or begins(settings, clock)),
    )
    return MqttFeed(
        source.symbols,
        MqttLink(settings.mqtt, settings.account.id, clock),
        Reading(settings.mqtt.prefix, source.symbols, calendar),
        gathering,
        past,
        clock,
        market,
        prefix=settings.mqtt.prefix,
        qos=settings.mqtt.qos,
    )


def led(
    feed: PriceFeed, broker: Broker, settings: Settings, clock: Clock
) -> Callable[[], Awaitable[None]] | None:
    """Lead a feed that has no connection of its own to one; return how to end that, if anything."""
    if feed.kind != "ib":
        return None
    from daemon.feeds.ib.feed import IbFeed
    from daemon.feeds.ib.opening import lead

    assert isinstance(feed, IbFeed)
    line = lead(feed, broker, settings, clock)
    return None if line is None else line.aclose


async def run_feed(
    feed: PriceFeed, deliver: Callable[[Close], Awaitable[None]], quoted: Quoted
) -> None:
    """Run a feed to its end; quotes are told where it has some."""
    if isinstance(feed, Quoting):
        await feed.run(deliver, quoted)
    else:
        await feed.run(deliver)
