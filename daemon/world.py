"""What one run takes from the machine it runs on; a simulation gives another world instead."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from daemon.brokers.paper import PaperBroker
from daemon.calendar import Calendar, open_calendar
from daemon.calendar_file import kept
from daemon.clock import SystemClock
from daemon.door import Door
from daemon.engine import Engine
from daemon.feeds.prices import PriceTable
from daemon.feeds.replay import replay_table
from daemon.lock import held
from daemon.pool import ThreadPool
from daemon.seams import Broker, Clock, Listener, OwnedStore, Pool, Store
from daemon.server import Handler, control_socket
from daemon.space import DiskSpace
from daemon.store import open_store
from daemon.telemetry.lifesign import Service
from daemon.watch import Watch
from state.chain import SNAPSHOT_EVERY
from state.instrument import Instrument
from state.record import Head
from state.settings import Control, InteractiveBrokers, Settings
from state.snapshot import Snapshot
from strategies.plugin import Strategy, load


class World(Protocol):
    """Time, files, prices, who executes and who is let in."""

    clock: Clock
    service: Service  # who started the daemon and wants to hear of it
    settle: float  # seconds that a byte already written to the broker may take to arrive, at most
    snapshot_every: int  # events

    def strategy(self, name: str, parameters: Mapping[str, float]) -> Strategy:
        """Return the strategy of that name; raises StrategyUnusable."""

    def prices(self, settings: Settings) -> PriceTable:
        """Return the prices to replay; raises PriceFileInvalid."""

    def calendar(self, file: Path, name: str) -> tuple[Calendar, bool]:
        """Return the calendar, and whether it has yet to be kept in `file`."""

    def pool(self, name: str) -> Pool:
        """Return where work is done that takes too long for the event loop."""

    def free(self, state: Path) -> int:
        """Return the bytes that may still be written there, none on a read-only disk."""

    def held(self, state: Path) -> AbstractContextManager[None]:
        """Hold a state directory as its one daemon; raises StateHeld."""

    async def open_store(self, journal: Path) -> tuple[OwnedStore, Snapshot, Head]:
        """Open the journal, checked through; raises UnfitJournal."""

    async def open_broker(
        self, book: Path, settings: Settings, calendar: Calendar, listener: Listener
    ) -> Broker:
        """Return who executes, its reports going to `listener`."""

    def open_ib(
        self,
        ib: InteractiveBrokers,
        currency: str,
        instruments: Sequence[Instrument],
        listener: Listener,
        calendar: Calendar,
    ) -> Broker:
        """Return who executes at Interactive Brokers, through the gateway that `ib` describes."""

    def serve(
        self,
        path: str,
        handle: Handler,
        *,
        version: str,
        control: Control,
        door: Door | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Answer clients while the block runs, and those who come over TCP by the door."""

    def page(
        self, address: str, handle: Handler, engine: Engine, store: Store, watch: Watch, zone: str
    ) -> AbstractAsyncContextManager[Handler]:
        """Let people look while the block runs; "" is off. Yield the handler to be asked."""


class Machine:
    """The machine itself."""

    settle: float = 0.0  # the paper broker reads its book after all that was sent
    snapshot_every: int = SNAPSHOT_EVERY

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.service = Service(os.environ, os.getpid())

    def strategy(self, name: str, parameters: Mapping[str, float]) -> Strategy:
        """Return an installed strategy."""
        return load(name, parameters)

    def prices(self, settings: Settings) -> PriceTable:
        """Return the prices of the configured file."""
        return replay_table(settings)

    def calendar(self, file: Path, name: str) -> tuple[Calendar, bool]:
        """Return the calendar that an earlier run kept, or compute it."""
        known = kept(file, name)
        return (known, False) if known else (open_calendar(name), True)

    def pool(self, name: str) -> Pool:
        """Return a thread of that name."""
        return ThreadPool(name)

    def free(self, state: Path) -> int:
        """Ask the disk."""
        return DiskSpace(state).free()

    def held(self, state: Path) -> AbstractContextManager[None]:
        """Lock the state directory."""
        return held(state)

    async def open_store(self, journal: Path) -> tuple[OwnedStore, Snapshot, Head]:
        """Open the journal in a thread of its own."""
        return await open_store(journal)

    async def open_broker(
        self, book: Path, settings: Settings, calendar: Calendar, listener: Listener
    ) -> Broker:
        """Return the paper broker, with its book as it was left."""
        return await PaperBroker.open(
            book,
            settings.paper,
            listener=listener,
            clock=self.clock,
            instrument=settings.instrument,
            calendar=calendar,
            account=settings.account.id,
            margin=settings.risk.margin,
            allow_short=settings.risk.allow_short,
        )

    def open_ib(
        self,
        ib: InteractiveBrokers,
        currency: str,
        instruments: Sequence[Instrument],
        listener: Listener,
        calendar: Calendar,
    ) -> Broker:
        """Return the broker behind a gateway; what that takes is only imported for it."""
        from daemon.brokers.ib.opening import open_ib

        return open_ib(ib, currency, instruments, listener, self.clock, calendar)

    def serve(
        self,
        path: str,
        handle: Handler,
        *,
        version: str,
        control: Control,
        door: Door | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Answer clients on a Unix socket, and at the door."""
        return control_socket(
            path,
            handle,
            version=version,
            max_connections=control.max_connections,
            connections_each=control.connections_each,
            door=door,
            frame_timeout=control.frame_timeout,
        )

    def page(
        self, address: str, handle: Handler, engine: Engine, store: Store, watch: Watch, zone: str
    ) -> AbstractAsyncContextManager[Handler]:
        """Answer HTTP on a TCP port; what that takes is only imported when it is on."""
        if not address:
            return nullcontext(handle)
        from daemon.page.opening import page

        return page(address, handle, engine, store, watch, self.clock, zone)
