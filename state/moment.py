"""Time as an input: what the clocks and the calendar say when a command is decided."""

from datetime import date, datetime

import msgspec


class Moment(msgspec.Struct, frozen=True):
    """`at` is the market clock (the feed's in replay), `wall` the wall clock, both UTC.

    `session` is the trading day `at` belongs to (the last one begun). `target` is the session an
    order made now would trade in, None when there is none: the feed ended, the calendar ended, or
    `execution.session = "now"` while the market is closed.
    """

    at: datetime
    wall: datetime
    session: date
    target: date | None
    market_open: bool = False
    feed_ended: bool = False
