"""What memory does not hold and a batch of messages is about: looked up in the journal first."""

from collections.abc import Mapping, Sequence
from typing import Final, Self

from msgspec.structs import replace

from daemon.message import Message
from daemon.seams import Store
from state.command import Command, RecordFill, RecordOpenOrder, RecordStatus
from state.event import CommandFinished, Event, OrderReleased
from state.order import Order, OrderId, Rid
from state.record import Kept, StoredCommand
from state.snapshot import Snapshot

REPORTS: Final = (RecordFill, RecordOpenOrder, RecordStatus)


class Recollection:
    """What the journal keeps of the commands, orders and executions that a batch names."""

    def __init__(self, commands: Mapping[Rid, StoredCommand], kept: Kept) -> None:
        self._commands, self._executions = commands, kept.executions
        self._orders: dict[OrderId, Order] = dict(kept.orders)

    @classmethod
    async def of(cls, store: Store, now: Snapshot, messages: Sequence[Message]) -> Self:
        """Look up what `now` does not hold; nothing is asked where it holds all."""
        rids = [cause.rid for _, cause, _ in messages if cause is not None]
        commands = await store.commands(rids) if rids else {}
        reports = [m[0] for m in messages if isinstance(m[0], REPORTS)]
        orders = {report.order_id for report in reports} - now.orders.keys()
        fills = {report.execution_id for report in reports if isinstance(report, RecordFill)}
        executions = fills - now.executions.keys()
        if not (orders or executions):
            return cls(commands, Kept())
        return cls(commands, await store.kept(sorted(orders), sorted(executions)))

    def command(self, rid: Rid) -> StoredCommand | None:
        """Return a command that was taken before this batch."""
        return self._commands.get(rid)

    def reminded(self, command: Command) -> Command:
        """Return a report with what the journal keeps of its subject; others as they are."""
        match command:
            case RecordFill(execution_id=execution_id, order_id=order_id):
                booked = self._executions.get(execution_id)
                return replace(command, over=self._orders.get(order_id), booked=booked)
            case RecordStatus() | RecordOpenOrder():
                return replace(command, over=self._orders.get(command.order_id))
        return command

    def note(self, events: Sequence[Event]) -> None:
        """Keep what this batch itself lets go of; the journal does not have it yet."""
        for event in events:
            match event:
                case CommandFinished(orders=orders):
                    self._orders.update((order.order_id, order) for order in orders)
                case OrderReleased(order):
                    self._orders[order.order_id] = order
