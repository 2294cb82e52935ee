"""Time as an input: what the clocks and the calendar say when a command is decided."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import msgspec

OpenTime = Callable[[datetime, datetime], timedelta]  # from a time to a later one, market open


def elapsed(start: datetime, end: datetime) -> timedelta:
    """Return the open-market time of a market that never closes."""
    return end - start


class Moment(msgspec.Struct, frozen=True):
    """`at` is the market clock (the feed's in replay), `wall` the wall clock, both UTC.

    `session` is the trading day `at` belongs to (the last one begun). `target` is the session an
    order made now would trade in, None when there is none: the feed ended, the calendar ended, or
    `execution.session = "now"` while the market is closed. `open_time` measures how old a price is,
    and `bar` is how much of it passes in `session`, from one daily bar to the next.
    """

    at: datetime
    wall: datetime
    session: date
    target: date | None
    market_open: bool = False
    feed_ended: bool = False
    open_time: OpenTime = elapsed
    bar: timedelta = timedelta()
