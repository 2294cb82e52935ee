"""What the account was worth at every close, read from the journal once and then followed."""

from datetime import datetime
from typing import Final

import msgspec

from daemon.seams import Store
from state.event import BarsClosed
from state.history import records
from state.journal import Database
from state.series import thinned

POINTS: Final = 800
CLOSED: Final = "bars_closed"

Point = tuple[datetime, float, float, float]


class Drawn(msgspec.Struct, frozen=True):
    """A curve for a plot: equity in money, gross and net as fractions of it."""

    at: tuple[datetime, ...]
    equity: tuple[float, ...]
    gross: tuple[float, ...]
    net: tuple[float, ...]


class Curve:
    """The account's closes so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._points: list[Point] = []
        self._seq = 0

    async def drawn(self, most: int = POINTS) -> Drawn:
        """Return the whole curve in at most so many points, the last close among them."""
        seq, new = await self._store.read(closes_after, self._seq)
        if seq > self._seq:  # another reader may have come first
            self._seq = seq
            self._points += new
        kept = thinned(self._points, most)
        return Drawn(*(tuple(column) for column in zip(*kept, strict=True))) if kept else EMPTY


EMPTY: Final = Drawn((), (), (), ())


def closes_after(db: Database, seq: int) -> tuple[int, list[Point]]:
    """Return the closes journaled after `seq`, and the number of the last."""
    points: list[Point] = []
    for record in records(db, seq, (CLOSED,)):
        event = record.event
        if isinstance(event, BarsClosed):
            seq = record.seq
            points.append((event.at, float(event.equity), event.gross, event.net))
    return seq, points
