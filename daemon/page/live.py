"""One view for all who look: made when something changed, never faster than people read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from daemon.seams import Clock

EVERY: Final = 0.5  # seconds between two looks at what is new
QUIET: Final = 5.0  # seconds after which something is sent although nothing changed

Make = Callable[[], Awaitable[bytes]]


class Live:
    """Tells every reader the newest view. A slow one misses those between, and costs nothing."""

    def __init__(self, make: Make, clock: Clock) -> None:
        self._make, self._clock = make, clock
        self._readers: set[asyncio.Queue[bytes]] = set()
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Make views while there are readers, until cancelled."""
        last, said = b"", self._clock.mono()
        while True:
            await self._wanted.wait()
            view = await self._make()
            now = self._clock.mono()
            if view != last or now - said >= QUIET:
                last, said = view, now
                for reader in self._readers:
                    newest(reader, view)
            await self._clock.sleep(EVERY)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield server-sent events, each a view whole; the first at once."""
        mine: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._readers.add(mine)
        self._wanted.set()
        try:
            newest(mine, await self._make())  # one may have come while this was made
            while True:
                yield b"event: view\ndata: " + await mine.get() + b"\n\n"
        finally:
            self._readers.discard(mine)
            if not self._readers:
                self._wanted.clear()


def newest(reader: asyncio.Queue[bytes], view: bytes) -> None:
    """Put a view before a reader in place of one not read yet."""
    if reader.full():
        reader.get_nowait()
    reader.put_nowait(view)
