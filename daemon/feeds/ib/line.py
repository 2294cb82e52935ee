"""The connection that prices come over: the broker's, or one of the feed's own."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from daemon.brokers.ib.contracts import Contracts
from daemon.brokers.ib.executions import ReportUnreadable
from daemon.brokers.ib.gateway import Address, Gateway, State
from daemon.brokers.ib.keeper import Keeper
from daemon.seams import BrokerUnavailable, Clock
from state.instrument import AmountOutOfRange, Instrument


class Line(Protocol):
    """A connection that somebody keeps, and the contracts that were asked for over it."""

    @property
    def gateway(self) -> Gateway | None:
        """Return the gateway while it has its servers, and knows our contracts."""

    @property
    def contracts(self) -> Contracts:
        """Return what is known of each symbol."""


class OwnLine:
    """A connection of the feed alone, for a daemon whose broker is another; it never orders."""

    def __init__(
        self,
        address: Address,
        instruments: Sequence[Instrument],
        currency: str,
        clock: Clock,
        chance: Callable[[], float],
        patience: float,
    ) -> None:
        self.contracts = Contracts(instruments, currency)
        self._address, self._patience = address, patience
        self._known: Gateway | None = None
        self._keeper = Keeper(self._made, self._connected, clock, chance)
        self._keeping = asyncio.create_task(self._keeper.run(), name="ib-prices")

    @property
    def gateway(self) -> Gateway | None:
        """Return the gateway while it has its servers; raise what ended the keeping."""
        if self._keeping.done() and not self._keeping.cancelled():
            failure = self._keeping.exception()
            raise RuntimeError("nobody keeps the connection that prices come over") from failure
        known = self._known
        return known if known is not None and known.state is State.CONNECTED else None

    async def aclose(self) -> None:
        """Let go of the connection."""
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)

    def _made(self) -> Gateway:
        self._known = None
        return Gateway(self._address, self._patience)

    async def _connected(self, gateway: Gateway) -> None:
        """Ask for the contracts; raise BrokerUnavailable."""
        try:
            await self.contracts.qualify(gateway)
        except (ReportUnreadable, AmountOutOfRange) as why:
            raise BrokerUnavailable(f"a contract's details can't be read: {why}") from why
        self._known = gateway
