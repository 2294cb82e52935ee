"""HTTP on a TCP port: GET and HEAD, one request a connection, nothing that grows."""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import h11

from daemon.page.answer import SAFE, Answer, Asked, Respond, refused

CONNECTIONS: Final = 64
PATIENCE: Final = 5.0  # seconds a request may take to come, and a reader to take what was sent
HEADER: Final = 16_384  # bytes
BUFFER: Final = 65_536  # bytes that may wait for a slow reader

log = logging.getLogger(__name__)


@asynccontextmanager
async def http_listener(
    address: str, respond: Respond, *, patience: float = PATIENCE
) -> AsyncIterator[str]:
    """Answer HTTP at "HOST:PORT" while the block runs; yield the address, its port the real one.

    Raises OSError when it can't be bound.
    """
    host, _, port = address.rpartition(":")
    service = Service(respond, patience)
    server = await asyncio.start_server(
        service.accept, host.strip("[]"), int(port), limit=HEADER, backlog=CONNECTIONS
    )
    try:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await service.close()
        await server.wait_closed()


class Service:
    """The connections there are."""

    def __init__(self, respond: Respond, patience: float) -> None:
        self._respond, self._patience = respond, patience
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take a connection, or hang up when there are too many."""
        if len(self._tasks) >= CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Hang up on everybody."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer one request, then hang up."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER)
        writer.transport.set_write_buffer_limits(high=BUFFER)
        try:
            async with asyncio.timeout(self._patience):
                request = await requested(reader, connection)
            if request is not None:
                await self._answer(request, connection, writer)
        except (OSError, EOFError, TimeoutError):
            writer.transport.abort()
        except h11.RemoteProtocolError as error:
            await self._malformed(error, connection, writer)
        except Exception:
            log.exception("page_failed")
        finally:
            writer.close()

    async def _answer(
        self, request: h11.Request, connection: h11.Connection, writer: StreamWriter
    ) -> None:
        """Send what a request is answered with."""
        if request.method not in (b"GET", b"HEAD"):
            answer = refused(405, "only GET: nothing is steered over HTTP; use `tm`")
        else:
            headers = dict(request.headers.raw_items())
            host = {name.lower(): value for name, value in headers.items()}.get(b"host", b"")
            peer = str(writer.get_extra_info("peername")[0])
            path = request.target.partition(b"?")[0].decode("ascii", "replace")
            answer = await self._respond(Asked(path, host.decode("ascii", "replace"), peer))
        length = {} if answer.stream else {"Content-Length": str(len(answer.body))}
        said = {"Content-Type": answer.kind, "Connection": "close", **SAFE, **length}
        head = h11.Response(
            status_code=answer.status, headers=[(k.encode(), v.encode()) for k, v in said.items()]
        )
        await self._send(connection, writer, head)
        if request.method != b"HEAD":
            await self._body(answer, connection, writer)
        await self._send(connection, writer, h11.EndOfMessage())

    async def _body(self, answer: Answer, connection: h11.Connection, writer: StreamWriter) -> None:
        """Send a body; one that streams goes on until the reader is gone or too slow."""
        if answer.stream is None:
            await self._send(connection, writer, h11.Data(data=answer.body))
            return
        async with aclosing(answer.stream) as stream:  # type: ignore[type-var]  # a generator
            async for piece in stream:
                await self._send(connection, writer, h11.Data(data=piece))

    async def _malformed(
        self, error: h11.RemoteProtocolError, connection: h11.Connection, writer: StreamWriter
    ) -> None:
        """Say what is wrong, when it can still be said."""
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        status = error.error_status_hint
        body = f"{error}\n".encode()
        headers = [("Content-Length", str(len(body))), ("Connection", "close")]
        try:
            await self._send(connection, writer, h11.Response(status_code=status, headers=headers))
            await self._send(connection, writer, h11.Data(data=body))
            await self._send(connection, writer, h11.EndOfMessage())
        except (OSError, TimeoutError, h11.LocalProtocolError):
            writer.transport.abort()

    async def _send(
        self, connection: h11.Connection, writer: StreamWriter, event: h11.Event
    ) -> None:
        """Send one event, and wait until the reader has room for the next."""
        data = connection.send(event)
        if data:
            writer.write(data)
            async with asyncio.timeout(self._patience):
                await writer.drain()


async def requested(reader: StreamReader, connection: h11.Connection) -> h11.Request | None:
    """Return the request that comes, None when the other end leaves first."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is h11.NEED_DATA:
            data = await reader.read(4096)
            if not data:
                return None
            connection.receive_data(data)
        else:
            return None
