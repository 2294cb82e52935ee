"""What the journal keeps of a decision beside its events: the command's row, and its orders."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from control.protocol import Reply, decode_reply, encode
from daemon.replies import (
    conflict,
    disk_full_reply,
    final_reply,
    unavailable_reply,
    unjournaled_reply,
)
from state.command import CancelOrders, Cause, Command, Halt
from state.decider import decide
from state.denial import Code
from state.event import (
    CancelRequested,
    CommandFinished,
    Event,
    Halted,
    OrderAdopted,
    OrderReleased,
)
from state.moment import Moment
from state.order import Order, OrderId
from state.record import StoredCommand
from state.snapshot import Snapshot
from state.unfolding import Unavailable


def row(cause: Cause, reply: Reply, wall: datetime, *, final: bool) -> StoredCommand:
    """Return what the journal keeps of a command and its answer."""
    return StoredCommand(
        cause.rid, cause.key, cause.op, cause.principal, cause.digest, encode(reply), final, wall
    )


def finalised(known: StoredCommand, finished: CommandFinished) -> StoredCommand:
    """Return the row of a command that is over: from now on its reply never changes."""
    return replace(known, reply=encode(final_reply(known, finished)), final=True)


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
        elif isinstance(event, OrderAdopted | OrderReleased):
            orders[event.order.order_id] = event.order
        if order := now.orders.get(getattr(event, "order_id", "")):
            orders[order.order_id] = order
    return tuple(orders.values())


def unjournaled(
    now: Snapshot, command: Command, cause: Cause, moment: Moment
) -> tuple[Reply, Sequence[Event]]:
    """Return the reply to a command of which nothing can be kept, and what is done of it.

    Orders can still be asked back. A halt is done as far as it can be, and written down later.
    """
    if not isinstance(command, CancelOrders | Halt):
        return disk_full_reply(cause, now), ()
    decided = decide(now, command, moment, cause)
    if isinstance(decided, Unavailable):
        return unavailable_reply(decided, cause, now), ()
    done = [event for event in decided.events if isinstance(event, CancelRequested | Halted)]
    asked = [event for event in done if isinstance(event, CancelRequested)]
    return unjournaled_reply(cause, now, asked), done


def without_disk(now: Snapshot) -> bool:
    """Return whether an earlier run left the account halted for want of disk space."""
    halting = now.halting()
    return halting is not None and halting.code == Code.DISK_FULL
