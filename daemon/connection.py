"""One client of the control socket: frames in and out, and until when it may take for them."""

import asyncio
import logging
import ssl
from asyncio import StreamReader, StreamWriter, Task
from contextlib import suppress
from math import inf

from control.protocol import FRAME_LIMIT, frame

log = logging.getLogger(__name__)


class FrameTooLarge(Exception):
    """A header announced more than a frame may hold."""


class Connection:
    """One client's stream of frames, and until when the client may take for what it does now."""

    def __init__(
        self,
        reader: StreamReader,
        writer: StreamWriter,
        loop: asyncio.AbstractEventLoop,
        timeout: float,
    ) -> None:
        self._reader, self._writer, self._loop, self._timeout = reader, writer, loop, timeout
        self._ahead: Task[bytes] | None = None
        self.deadline = inf
        writer.transport.set_write_buffer_limits(high=0)  # so drain() means: taken by the kernel

    async def secure(self, context: ssl.SSLContext) -> object:
        """Speak TLS from here on; return the peer's verified certificate, None for none.

        Raises OSError for who can't, within the time of a frame.
        """
        await self._writer.start_tls(context, ssl_handshake_timeout=self._timeout)
        self._writer.transport.set_write_buffer_limits(high=0)
        return self._writer.get_extra_info("peercert")

    async def receive(self, idle: float, most: int = FRAME_LIMIT) -> bytes:
        """Return the next frame's body, of `most` bytes; raise EOFError or FrameTooLarge."""
        self.deadline = self._loop.time() + idle
        first = await (self._ahead or self._reader.read(1))
        self._ahead = None
        if not first:
            raise EOFError
        began = self._loop.time()
        self.deadline = began + self._timeout / 2
        size = int.from_bytes(first + await self._reader.readexactly(3), "big")
        if size > most:
            raise FrameTooLarge(f"a frame of {size:,} bytes exceeds {most:,}")
        self.deadline = began + self._timeout
        body = await self._reader.readexactly(size)
        self.deadline = inf
        return body

    async def stays(self, work: Task[bytes]) -> bool:
        """Return True when `work` is done, False when the client left before.

        It looks one byte ahead to notice that; a byte that does come waits for its turn.
        """
        self._ahead = self._loop.create_task(self._reader.read(1))
        await asyncio.wait({work, self._ahead}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            if self._ahead.exception() is not None or not self._ahead.result():
                return False
            await asyncio.wait({work})
        return True

    async def send(self, body: bytes) -> None:
        """Send a frame; return when the kernel has it."""
        self.deadline = self._loop.time() + self._timeout
        self._writer.write(frame(body))
        await self._writer.drain()

    async def last(self, body: bytes) -> None:
        """Say one more thing, if it is heard."""
        with suppress(ConnectionError):
            await self.send(body)

    def abort(self) -> None:
        """Hang up without another word."""
        if waiting := self._writer.transport.get_write_buffer_size():
            log.warning("slow_reader_dropped", extra={"bytes": waiting})
        self._writer.transport.abort()

    def close(self) -> None:
        """Hang up."""
        if self._ahead is not None:
            self._ahead.cancel()
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()  # close() would wait for a client that doesn't read
        self._writer.close()
