"""The link to the broker: recovery at start, at each reconnect and every minute; and the gate."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from daemon.engine import Engine
from daemon.recovery import check, recover
from daemon.seams import Broker, BrokerUnavailable, Clock
from daemon.sender import Sender
from state.command import RecordReconciliation, RecordStatus, ReportKind
from state.order import OrderId, Status

ROUND: Final = 1.0  # seconds between looks at the connection; the sender looks before each order
COMPARE: Final = 60  # rounds between comparisons with the broker
PATIENCE: Final = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before the next try, the last one for ever

log = logging.getLogger(__name__)


class Link:
    """Opens the gate when the books were compared, and closes it when the broker can't be asked.

    `opened` is awaited each time the gate opens: there may be something left undone.
    """

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        sender: Sender,
        clock: Clock,
        settle: float,
        opened: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine, self._broker, self._sender = engine, broker, sender
        self._clock, self._settle, self._opened = clock, settle, opened
        self._owing: frozenset[OrderId] = frozenset()
        self._connection = 0  # of the last recovery
        self.tried = asyncio.Event()  # set once the broker was asked, whatever it said

    async def run(self) -> None:
        """Keep the link until cancelled."""
        failures = 0
        while True:
            try:
                await self._open()
                failures = 0
                self.tried.set()
                await self._hold()
            except BrokerUnavailable as why:
                log.warning("broker_unavailable", extra={"detail": str(why)})
            self.tried.set()
            self._close()
            await self._clock.sleep(PATIENCE[min(failures, len(PATIENCE) - 1)])
            failures += 1

    async def _open(self) -> None:
        """Recover, and open the gate; raises BrokerUnavailable."""
        if not self._broker.connected:
            raise BrokerUnavailable(f"the {self._broker.kind} broker is not connected")
        self._connection = self._broker.connection
        floor = await recover(self._engine, self._broker, self._clock, self._settle)
        if not self._connected():
            raise BrokerUnavailable(f"the {self._broker.kind} broker's connection broke meanwhile")
        self._remember()
        self._sender.open(floor)
        await self._opened()

    def _connected(self) -> bool:
        """Return whether the connection of the last recovery is still up."""
        return self._broker.connected and self._broker.connection == self._connection

    async def _hold(self) -> None:
        """Compare the books every minute, and return when the connection is gone.

        What waited for the end of a pause is sent then; it may have ended before the first round.
        """
        rounds = 0
        paused = "until somebody looked"
        while self._connected():
            await self._clock.sleep(ROUND)
            rounds += 1
            before, paused = paused, self._sender.paused
            if before and not paused:
                self._sender.wake()
            if rounds % COMPARE == 0 and self._connected():
                await self._compare()

    async def _compare(self) -> None:
        """Go the path of recovery with the gate open; raises BrokerUnavailable."""
        owing = sorted(self._owing)
        await check(self._engine, self._broker, self._clock, self._settle, owing)
        self._remember()

    def _remember(self) -> None:
        """Keep which orders owe executions: those that still do at the next comparison are over."""
        now = self._engine.snapshot
        self._owing = frozenset(order.order_id for order in now.orders.values() if order.owed)

    def _close(self) -> None:
        """Close the gate: what may be on the wire is in doubt until the broker is asked again."""
        self._sender.close()
        now = self._engine.snapshot
        if now.reconciled:
            self._engine.report(RecordReconciliation(started=True))
        for order in now.orders.values():
            if order.status is Status.SENDING:
                why = f"the {self._broker.kind} broker's connection closed"
                self._engine.report(RecordStatus(order.order_id, ReportKind.LOST, reason=why))
