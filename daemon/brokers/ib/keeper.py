"""Keeps a connection to the gateway: a new one after each that broke, for ever."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from daemon.brokers.ib.gateway import Gateway, State
from daemon.seams import BrokerUnavailable, Clock

BACK_OFF: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds before the next try, then the last
PROBE: Final = 15.0  # seconds between questions that only see whether anybody answers
ALARM: Final = 300.0  # seconds without a gateway that has its servers, after which a human is told

log: Final = logging.getLogger(__name__)


class Keeper:
    """Has the connection of now; `chance` gives from 0 up to 1.

    `expected` gives the seconds for which the gateway may still be away for a known reason: who
    loses it then is alarmed as if that had been at their end.
    """

    def __init__(
        self,
        make: Callable[[], Gateway],
        connected: Callable[[Gateway], Awaitable[None]],
        clock: Clock,
        chance: Callable[[], float],
        expected: Callable[[], float] = float,
    ) -> None:
        self._make, self._connected = make, connected
        self._clock, self._chance, self._expected = clock, chance, expected
        self.gateway: Gateway | None = None
        # since when its absence counts, None while there is one with its servers
        self._down_since: float | None = clock.mono() + expected()
        self._told: float | None = None  # when a human was told last

    async def run(self) -> None:
        """Keep connecting until cancelled, always under the same client id."""
        failures = 0
        try:
            while True:
                try:
                    await self._connect()
                    failures = 0
                    await self._hold()
                except BrokerUnavailable as why:
                    log.warning("gateway_unavailable", extra={"detail": str(why)})
                    if self.gateway is not None:
                        self.gateway.close(str(why))
                self._look()
                await self._clock.sleep(back_off(failures, self._chance()))
                failures += 1
        finally:
            if self.gateway is not None:
                self.gateway.close("it is no longer wanted")

    @property
    def alarm(self) -> str:
        """Return what a person is wanted for, while they are: "" for nothing."""
        if self._away() < ALARM:
            return ""
        return f"no gateway with its servers for {ALARM:.0f} seconds or more; see to its login"

    async def _connect(self) -> None:
        """Make a new connection; raise BrokerUnavailable."""
        self.gateway = self._make()
        await self.gateway.connect()
        await self._connected(self.gateway)

    async def _hold(self) -> None:
        """Return when the connection is gone; raise BrokerUnavailable when nobody answers."""
        assert self.gateway is not None
        gone = asyncio.ensure_future(self.gateway.gone.wait())
        try:
            while not gone.done():
                await self.gateway.probe()
                self._look()
                pause = asyncio.ensure_future(self._clock.sleep(PROBE))
                try:
                    await asyncio.wait({gone, pause}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    pause.cancel()
        finally:
            gone.cancel()

    def _away(self) -> float:
        """Return for how many seconds a gateway with its servers was missed, 0 while there is."""
        return 0.0 if self._down_since is None else self._clock.mono() - self._down_since

    def _look(self) -> None:
        """Note since when there is no gateway with its servers, and tell a human in time."""
        now = self._clock.mono()
        if self.gateway is not None and self.gateway.state in {State.CONNECTED, State.READY}:
            self._down_since = self._told = None
        elif self._down_since is None:
            self._down_since = now + self._expected()
        elif self._away() >= ALARM and (self._told is None or now - self._told >= ALARM):
            self._told = now
            why = self.gateway.reason if self.gateway is not None else "never connected"
            log.critical("gateway_down", extra={"seconds": round(self._away()), "detail": why})


def back_off(failures: int, chance: float) -> float:
    """Return the seconds to wait after `failures` others: from half to one and a half times."""
    return BACK_OFF[min(failures, len(BACK_OFF) - 1)] * (0.5 + chance)
