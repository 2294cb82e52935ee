"""The feed as it is configured, and the connection that it has to itself or shares."""

import logging
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from daemon.brokers.ib.broker import InteractiveBroker
from daemon.brokers.ib.configured import described
from daemon.brokers.ib.gateway import Address
from daemon.calendar import Calendar
from daemon.clock import MarketClock
from daemon.feeds.bar_check import Memory
from daemon.feeds.ib.feed import IbFeed, Terms
from daemon.feeds.ib.line import OwnLine
from daemon.feeds.past import Past
from daemon.seams import Broker, Clock
from state.duration import seconds
from state.instrument import Symbol
from state.settings import Settings


def feed_of(
    symbols: Sequence[Symbol],
    settings: Settings,
    calendar: Calendar,
    clock: Clock,
    market: MarketClock,
    past: Past,
    after: date | None,
    memory: Callable[[Past, date], Memory],
) -> IbFeed:
    """Return the feed; it asks nobody before it was led to a line."""
    terms = Terms(
        settings.feed.max_jump,
        seconds(settings.feed.grace),
        settings.ib.lines,
        settings.ib.patience,
    )
    warms = not settings.feed.history
    return IbFeed(
        symbols, calendar, clock, market, past, terms, after=after, memory=memory, warms=warms
    )


def lead(feed: IbFeed, broker: Broker, settings: Settings, clock: Clock) -> OwnLine | None:
    """Let a feed take its prices from the broker's connection, or from the one returned."""
    if isinstance(broker, InteractiveBroker):
        feed.follow(broker)
        return None
    logging.getLogger("ib_async").setLevel(logging.WARNING)  # below, it tells all of the account
    ib = described(settings)
    line = OwnLine(
        Address(ib.host, ib.port, ib.feed_client_id, ib.account),
        tuple(map(settings.instrument, feed.symbols)),
        settings.account.base_currency,
        clock,
        np.random.default_rng(ib.feed_client_id).random,  # they come back at different times
        ib.patience,
    )
    feed.follow(line)
    return line
