"""A loop that stands still is ended from outside it: the next start recovers, a stuck one can't."""

import asyncio
import faulthandler
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from daemon.seams import Clock

LOOKS: Final = 6  # times that the loop shows it is alive, in the time it may take


@asynccontextmanager
async def watched(
    clock: Clock,
    patience: float,
    arm: Callable[[float], object] | None = None,
    disarm: Callable[[], object] = faulthandler.cancel_dump_traceback_later,
) -> AsyncIterator[None]:
    """End the process with 1 when the loop stands still for `patience` seconds; 0: never.

    The traceback of every thread is on stderr then. It is done by a thread of C, which needs
    neither the loop nor the interpreter's lock; `arm` and `disarm` stand for it.
    """
    if patience <= 0:
        yield
        return
    showing = asyncio.create_task(shown(clock, patience, arm or armed), name="watchdog")
    try:
        yield
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        disarm()


async def shown(clock: Clock, patience: float, arm: Callable[[float], object]) -> None:
    """Put the end off again and again, as long as the loop runs."""
    while True:
        arm(patience)
        await clock.sleep(patience / LOOKS)


def armed(patience: float) -> None:
    """Have the process end after `patience` seconds, unless this is called again before."""
    faulthandler.dump_traceback_later(patience, exit=True, file=sys.stderr)
