"""What goes into the journal in one transaction, and what comes out of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from state.event import Booked, Event
from state.order import Order, OrderId, Rid
from state.snapshot import Snapshot


class StoredCommand(msgspec.Struct, frozen=True):
    """A keyed command and its answer. `final` says that the answer will not change any more."""

    rid: Rid
    key: str
    op: str
    principal: str
    digest: str
    reply: bytes
    final: bool
    wall: datetime


class Batch(msgspec.Struct, frozen=True):
    """One transaction: events in order, and the rows that follow from them.

    `orders` are the orders the events touched, as they stand afterwards; `commands` are new or
    newly final. `snapshot` is the state after the last event, given when it should be saved too.
    """

    events: Sequence[Event]
    wall: datetime
    orders: Sequence[Order] = ()
    commands: Sequence[StoredCommand] = ()
    snapshot: Snapshot | None = None


class Kept(msgspec.Struct, frozen=True):
    """What the journal keeps of some orders and executions, as they stand."""

    orders: Mapping[OrderId, Order] = {}
    executions: Mapping[str, Booked] = {}


class Head(msgspec.Struct, frozen=True):
    """The end of the journal: its last sequence number and that record's chain hash."""

    seq: int
    hash: bytes

    def noted(self) -> dict[str, int | str]:
        """Return it as people and programs note it elsewhere, the hash in hexadecimal digits."""
        return {"seq": self.seq, "hash": self.hash.hex()}


class Recorded(msgspec.Struct, frozen=True):
    """One event as the journal holds it; `wall` is when it was written."""

    seq: int
    wall: datetime
    event: Event
    hash: bytes
