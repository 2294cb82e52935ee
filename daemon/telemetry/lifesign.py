"""Signs of life: to an address of the operator's choice, and to systemd. Silence means trouble."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from daemon.seams import Clock
from daemon.telemetry.delivery import NotDelivered

LONGEST: Final = 10.0  # seconds that the engine may take to get to a question
LOOKS: Final = 4  # signs in the time that systemd waits for one

log = logging.getLogger(__name__)

Progress = Callable[[], Awaitable[bool]]


async def pinging(
    clock: Clock,
    every: float,
    send: Callable[[None], Awaitable[None]],
    progress: Progress,
    note: Callable[[str], None],
) -> None:
    """Send a sign every `every` seconds in which there is progress, until cancelled."""
    while True:
        if await progress():
            try:
                await send(None)
            except NotDelivered as e:
                note("failed")
                log.warning("ping_not_delivered", extra={"detail": str(e)})
            else:
                note("delivered")
        else:
            log.warning("ping_withheld")
        await clock.sleep(every)


async def settles(settled: Callable[[], Awaitable[None]], patience: float = LONGEST) -> bool:
    """Return whether the engine gets to what is asked now, within `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            await settled()
    except TimeoutError:
        return False
    return True


class Service:
    """What runs the daemon and wants to hear of it: systemd, by datagrams, or nobody.

    `watchdog` is how many seconds it waits for a sign before it ends the daemon; 0: it doesn't.
    """

    def __init__(self, env: Mapping[str, str], pid: int) -> None:
        self._address = env.get("NOTIFY_SOCKET", "")
        meant = env.get("WATCHDOG_PID", str(pid)) == str(pid)
        micros = env.get("WATCHDOG_USEC", "")
        self.watchdog = int(micros) / 1e6 if self._address and meant and micros.isdigit() else 0.0

    def say(self, what: str) -> None:
        """Send an assignment like "READY=1"; who does not listen is no reason to stop."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
                out.sendto(what.encode(), address)
        except OSError as e:
            log.warning("service_not_told", extra={"what": what, "detail": str(e)})

    async def watched(self, clock: Clock, progress: Progress) -> None:
        """Show progress while there is any, until cancelled."""
        while self.watchdog:
            if await progress():
                self.say("WATCHDOG=1")
            await clock.sleep(self.watchdog / LOOKS)
