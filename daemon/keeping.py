"""What the journal keeps of a decision beside its events: the command's row, and its orders."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from control.protocol import Reply, decode_reply, encode
from daemon.replies import conflict
from state.command import Cause
from state.event import CommandFinished, Event
from state.order import Order, OrderId
from state.record import StoredCommand
from state.snapshot import Snapshot


def row(cause: Cause, reply: Reply, wall: datetime, *, final: bool) -> StoredCommand:
    """Return what the journal keeps of a command and its answer."""
    return StoredCommand(
        cause.rid, cause.key, cause.op, cause.principal, cause.digest, encode(reply), final, wall
    )


def replayed(known: StoredCommand, cause: Cause) -> Reply:
    """Return the stored reply to the same question, or a conflict when the arguments differ."""
    if known.digest != cause.digest:
        return conflict(known, cause)
    return replace(decode_reply(known.reply), replayed=True)


def touched(now: Snapshot, events: Sequence[Event]) -> tuple[Order, ...]:
    """Return the orders that `events` changed, as they stand afterwards."""
    orders: dict[OrderId, Order] = {}
    for event in events:
        if isinstance(event, CommandFinished):
            orders.update((order.order_id, order) for order in event.orders)
        elif order := now.orders.get(getattr(event, "order_id", "")):
            orders[order.order_id] = order
    return tuple(orders.values())
