"""A gateway that says again what another one said, as `tm doctor --drill` took it down."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

from daemon.brokers.ib.recording import Message
from tests.ib.gateway.wire import frame


class Replaying:
    """Answers one connection after the other by its part of a recording.

    What the gateway said between two messages of the client is said when the first of them came.
    `differences` are the messages of the client that were not those of the recording.
    """

    def __init__(self, messages: Sequence[Message]):
        self.differences: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.left = 0  # messages of the client that never came
        self._parts: dict[int, list[Message]] = {}
        for one in messages:
            self._parts.setdefault(one.connection, []).append(one)
        self._next = iter(sorted(self._parts))
        self.server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> Replaying:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self.server:
            self.server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        part = self._parts[next(self._next)]
        waits = sum(one.by == "client" for one in part)
        self.left += waits
        try:
            assert await reader.readexactly(4) == b"API\0"
            for one in part:
                if one.by == "gateway":
                    writer.write(frame(list(one.fields)))
                    continue
                await writer.drain()
                size = struct.unpack(">I", await reader.readexactly(4))[0]
                text = (await reader.readexactly(size)).decode()
                said = tuple(text.removesuffix("\0").split("\0"))
                self.left -= 1
                if said != one.fields:
                    self.differences.append((one.fields, said))
            await writer.drain()
            await reader.read()  # until the client goes
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
