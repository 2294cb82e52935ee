"""Which feed it is: what is read before anything starts, and the feed made of it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Final, Protocol

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from daemon.calendar import Calendar
from daemon.clock import MarketClock
from daemon.feeds.gathering import Gathering
from daemon.feeds.market_message import Reading
from daemon.feeds.mqtt import MqttFeed, Quoted
from daemon.feeds.past import Past
from daemon.feeds.prices import PriceTable
from daemon.feeds.replay import ReplayFeed
from daemon.mqtt_link import MqttLink
from daemon.seams import Clock, Feed, Store
from state.belief_answers import last_closes
from state.duration import seconds
from state.instrument import Symbol
from state.quote import Close
from state.settings import Settings
from state.snapshot import Snapshot

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


class Source(msgspec.Struct, frozen=True):
    """What a feed is made of: the symbols, and the prices of a file, if any."""

    symbols: tuple[Symbol, ...]
    table: PriceTable | None


def source_of(settings: Settings, prices: Callable[[Settings], PriceTable]) -> Source:
    """Return what there is before a feed; raises PriceFileInvalid, FeedImpossible."""
    if settings.feed.kind == "replay":
        table = prices(settings)
        return Source(table.symbols, table)
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


async def run_feed(
    feed: PriceFeed, deliver: Callable[[Close], Awaitable[None]], quoted: Quoted
) -> None:
    """Run a feed to its end; quotes are told where it has some."""
    if isinstance(feed, MqttFeed):
        await feed.run(deliver, quoted)
    else:
        await feed.run(deliver)
