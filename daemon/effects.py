"""Effects: what was committed is carried into the world, and nothing else is."""

import asyncio
import logging
from collections.abc import Sequence

from daemon.halt_file import HaltFile, HaltNote
from daemon.seams import Broker
from daemon.sender import Sender
from state.denial import Code
from state.event import (
    CancelRequested,
    CashMoved,
    Event,
    Halted,
    OrderSubmitted,
    Reconciled,
    Resumed,
    ShutdownRequested,
)
from state.snapshot import Snapshot

log = logging.getLogger(__name__)


class Effects:
    """Carries what was committed into the world: called once per commit, with its events."""

    def __init__(
        self, broker: Broker, sender: Sender, halt_file: HaltFile, stop: asyncio.Event
    ) -> None:
        self._broker, self._sender, self._halt_file, self._stop = broker, sender, halt_file, stop

    def __call__(self, events: Sequence[Event], now: Snapshot) -> None:
        """Act on `events`, in their order."""
        for event in events:
            match event:
                case OrderSubmitted() | Reconciled():
                    self._sender.wake()
                case CancelRequested(order_id):
                    if order := now.orders.get(order_id):
                        self._broker.cancel(order)
                case CashMoved(kind="pending", amount=amount):
                    log.warning("cash_pending", extra={"amount": f"{amount:+f}"})
                case CashMoved(amount=amount, ref=ref) if ref:
                    self._broker.move_cash(ref, amount)
                case Halted(scope="account", reason=reason, code=code, actor=actor, at=at) if (
                    code != Code.DISK_FULL  # lifted by itself, so what it lifts is no human's file
                ):
                    self._note(HaltNote("account", reason, actor, at, now.seq))
                case Resumed(scope=scope, actor=actor) if (
                    actor != "disk" and scope == self._halt_file.read().scope
                ):
                    self._halt_file.remove()
                case ShutdownRequested():
                    self._stop.set()

    def _note(self, note: HaltNote) -> None:
        """Write the halt file; where that fails the journal has the halt all the same."""
        try:
            self._halt_file.write(note)
        except OSError:
            log.critical("halt_file_unwritable", exc_info=True)
