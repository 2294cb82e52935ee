"""The only place that sends orders: claim durably, look once more, send with no await between."""

import asyncio
import logging
from collections.abc import Callable

from daemon.engine import Engine
from daemon.seams import Broker, Pausing
from state.book import Book, book_of
from state.command import Claim, RecordStatus, ReportKind, Withhold
from state.order import Order, Status
from state.trading import last_look

log = logging.getLogger(__name__)


class Sender:
    """Takes pending orders to the broker. `gate` is closed while the books are compared."""

    def __init__(self, engine: Engine, broker: Broker, stopped: Callable[[], bool]) -> None:
        self._engine, self._broker, self._stopped = engine, broker, stopped
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._book: Book | None = None  # of the last look: many orders are looked at in a row
        self._floor: int | None = None  # the gate is closed until recovery says where ids begin
        self._connection = 0  # the one that the books were compared over
        self._pausing = broker if isinstance(broker, Pausing) else None

    def open(self, floor: int) -> None:
        """Open the gate; broker order ids below `floor` were used by somebody."""
        self._floor, self._connection = floor, self._broker.connection
        self.wake()

    def close(self) -> None:
        """Close the gate: nothing is claimed or sent until recovery opens it."""
        self._floor = None

    def wake(self) -> None:
        """Look for pending orders soon."""
        self._idle.clear()
        self._wake.set()

    @property
    def paused(self) -> str:
        """Return why the broker is sent nothing new, and until when; "" while orders go."""
        return self._pausing.paused if self._pausing else ""

    async def flushed(self) -> None:
        """Return once every order that could be sent was sent."""
        await self._idle.wait()

    async def run(self) -> None:
        """Send what is pending, whenever there is something, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._floor is not None and (pending := self._pending()):
                await self._send(pending, self._floor)
            if not self._wake.is_set():
                self._idle.set()

    def _connected(self) -> bool:
        """Return whether the connection is up that the books were compared over."""
        return self._broker.connected and self._broker.connection == self._connection

    def _pending(self) -> tuple[Order, ...]:
        now = self._engine.snapshot
        if not now.reconciled or not self._connected():
            return ()
        if self.paused:
            return ()
        return tuple(o for o in now.orders.values() if o.status is Status.PENDING)

    async def _send(self, pending: tuple[Order, ...], floor: int) -> None:
        """Claim orders in one transaction, then send each; from here on they are in doubt."""
        await self._engine.tell(Claim(tuple(o.order_id for o in pending), floor))
        for claimed in pending:
            order = self._engine.snapshot.orders.get(claimed.order_id)
            if order is None or order.status not in {Status.SENDING, Status.PENDING_CANCEL}:
                continue
            if (held_back := self._last_check(order)) is not None:
                log.warning("order_not_sent", extra={"report": repr(held_back)})
                self._engine.report(held_back)
            else:
                self._broker.place(order)

    def _last_check(self, order: Order) -> Withhold | RecordStatus | None:
        """Return why an order must not go after all; read with no await before the send."""
        now, order_id = self._engine.snapshot, order.order_id
        if order.status is Status.PENDING_CANCEL:
            why = "asked back before it was sent"
            return RecordStatus(order_id, ReportKind.NOT_SEEN, reason=why)
        if order.source != "flatten" and self._stopped():
            return Withhold(order_id, "halted", "halted by the halt file")
        if self._floor is None or not self._connected():
            why = "the broker's connection closed"
            return RecordStatus(order_id, ReportKind.NOT_SEEN, reason=why)
        if why := self.paused:
            return RecordStatus(order_id, ReportKind.NOT_SEEN, reason=why)
        self._book = book_of(now, self._book)
        return last_look(now, order, self._engine.moment(), self._book)
