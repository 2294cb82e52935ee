"""The control socket: frames in, replies out, whatever the other end does."""

import asyncio
import logging
import os
from asyncio import StreamReader, StreamWriter, Task
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec.structs import replace

from control.protocol import (
    FRAME_LIMIT,
    PROTOCOL,
    Exit,
    Fault,
    Reply,
    Welcome,
    decode_hello,
    encode,
    frame,
)
from control.request import Request
from daemon.connection import Connection, FrameTooLarge
from daemon.principal import Principal, peer
from daemon.reading import Unreadable, request_of
from daemon.socket_file import bound, removed

BACKLOG: Final = 1024
STOPPING: Final = "the daemon is stopping"

Handler = Callable[[Request, Principal], Awaitable[Reply]]

log = logging.getLogger(__name__)


@asynccontextmanager
async def control_socket(
    path: str,
    handle: Handler,
    *,
    version: str,
    max_connections: int = 512,
    frame_timeout: float = 10.0,
    idle_timeout: float = 600.0,
    grace: float = 5.0,
) -> AsyncIterator[None]:
    """Serve `handle` on the Unix socket `path` while the block runs. Times are in seconds.

    A frame must be whole within `frame_timeout` of its first byte, and a reply taken within as
    long. When the block ends nobody else is let in, what is being answered has `grace` to be, and
    the file is removed if it is still ours. Raises SocketUnusable, or SocketTaken.
    """
    listening, own = bound(path)
    service = Service(handle, version, max_connections, frame_timeout, idle_timeout, connected_from)
    service.watch()
    server = await asyncio.start_unix_server(service.accept, sock=listening, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()
        await service.close(grace)
        await server.wait_closed()
        removed(path, own)


class Service:
    """The connections there are, and the requests being handled."""

    def __init__(
        self,
        handle: Handler,
        version: str,
        max_connections: int,
        frame_timeout: float,
        idle_timeout: float,
        who: Callable[[StreamWriter], Principal],
    ) -> None:
        self._handle, self._version, self._who = handle, version, who
        self._max = max_connections
        self._frame_timeout, self._idle_timeout = frame_timeout, idle_timeout
        self._connections: dict[Task[None], Connection] = {}
        self._answering: set[Task[None]] = set()
        self._handling: set[Task[bytes]] = set()
        self._incidents = 0
        self._closing = False

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take a connection, or say at once that there are too many."""
        if self._closing or len(self._connections) >= self._max:
            why = STOPPING if self._closing else f"{self._max} connections are open, the most"
            writer.write(frame(encode(self._welcome(Fault("BUSY", why, "ask again shortly")))))
            writer.close()
            return
        loop = asyncio.get_running_loop()
        connection = Connection(reader, writer, loop, self._frame_timeout)
        task = loop.create_task(self._serve(connection, writer))
        self._connections[task] = connection
        task.add_done_callback(self._connections.pop)

    async def close(self, grace: float) -> None:
        """Hang up on the idle, answer what is in flight, give up on what takes longer."""
        self._closing = True
        for idle in self._connections.keys() - self._answering:
            idle.cancel()
        if self._handling:
            await asyncio.wait(self._handling, timeout=grace)
        for late in self._handling:
            late.cancel()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=self._frame_timeout)
        for stuck in self._connections:
            stuck.cancel()
        await asyncio.gather(*self._connections, *self._handling, return_exceptions=True)
        self._watch.cancel()

    def watch(self) -> asyncio.TimerHandle:
        """Hang up, a few times per timeout, on whoever is past its deadline.

        One timer for all: a request then costs none of its own.
        """
        loop = asyncio.get_running_loop()
        for connection in self._connections.values():
            if connection.deadline < loop.time():
                connection.abort()
        self._watch = loop.call_later(self._frame_timeout / 8, self.watch)
        return self._watch

    async def _serve(self, connection: Connection, writer: StreamWriter) -> None:
        """Talk to one client until either has had enough."""
        try:
            principal = self._who(writer)
            if await self._greet(connection):
                while not self._closing:
                    body = await connection.receive(self._idle_timeout)
                    await self._answer(connection, body, principal)
        except FrameTooLarge as e:
            fault = Fault("FRAME_TOO_LARGE", str(e), "ask for less at once")
            await connection.last(encode(failure("", Exit.INVALID, fault)))
        except (EOFError, OSError):
            connection.abort()
        finally:
            connection.close()

    async def _greet(self, connection: Connection) -> bool:
        """Exchange versions; return whether both speak the same protocol."""
        body = await connection.receive(self._frame_timeout)
        try:
            hello = decode_hello(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            fault = Fault("BAD_REQUEST", f"the first frame is no hello: {e}", "is this `tm`?")
        else:
            if hello.protocol == PROTOCOL:
                await connection.send(encode(self._welcome(None)))
                return True
            fault = Fault(
                "PROTOCOL_MISMATCH",
                f"client {hello.version} speaks protocol {hello.protocol}, daemon {self._version} "
                f"speaks {PROTOCOL}",
                "install the same version on both sides",
            )
        await connection.send(encode(self._welcome(fault)))
        return False

    def _welcome(self, fault: Fault | None) -> Welcome:
        return Welcome(PROTOCOL, self._version, os.getpid(), fault)

    async def _answer(self, connection: Connection, body: bytes, principal: Principal) -> None:
        """Answer one frame. The handler's own task outlives this connection if it has to."""
        try:
            request = request_of(body)
        except Unreadable as e:
            await connection.send(encode(failure("", e.exit, e.fault)))
            return
        own = asyncio.current_task()
        assert own is not None
        self._answering.add(own)
        try:
            handling = asyncio.get_running_loop().create_task(self._handled(request, principal))
            self._handling.add(handling)
            handling.add_done_callback(self._handling.discard)
            await asyncio.sleep(0)  # most questions are answered in one step
            if not handling.done() and not await connection.stays(handling):
                if request.key is None:
                    handling.cancel()  # a question, and nobody is there to read the answer
                raise EOFError
            await connection.send(handling.result())
        finally:
            self._answering.discard(own)

    async def _handled(self, request: Request, principal: Principal) -> bytes:
        """Return the handler's reply, or what there is to say when it fails or has to stop."""
        command, key = op(request), request.key
        try:
            return fitting(await self._handle(request, principal), request)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            exit_ = Exit.NOT_READY if key is None else Exit.PENDING
            fault = Fault("STOPPING", STOPPING, "ask again" + (" with the same key" if key else ""))
            return encode(failure(command, exit_, fault, key))
        except Exception:
            self._incidents += 1
            incident = f"{os.getpid()}-{self._incidents}"
            log.exception("handler_failed", extra={"incident": incident, "op": command, "key": key})
            fault = Fault(
                "INTERNAL",
                f"incident {incident} while handling `{command}`",
                "look for the incident in the daemon's log"
                + (
                    "; whether it took effect is unknown: ask again with the same key"
                    if key
                    else ""
                ),
            )
            return encode(failure(command, Exit.INTERNAL, fault, key))


def connected_from(writer: StreamWriter) -> Principal:
    """Return who is at the other end of a Unix socket."""
    return peer(writer.get_extra_info("socket"))


def op(request: Request) -> str:
    """Return the name under which a request crosses the wire."""
    return str(request.ask.__struct_config__.tag)


def failure(command: str, exit_: Exit, fault: Fault, key: str | None = None) -> Reply:
    """Return a reply that carries no result."""
    return Reply(command, False, exit_.name.lower(), exit_, error=fault, key=key)


def fitting(reply: Reply, request: Request) -> bytes:
    """Return a reply as a frame's body; what is too large for one is left out and said to be."""
    body = encode(reply)
    if len(body) <= FRAME_LIMIT:
        return body
    size = f"{len(body):,} bytes exceed a frame's {FRAME_LIMIT:,}"
    if request.key is None:
        fault = Fault("REPLY_TOO_LARGE", size, "ask for less, with --since or --limit")
        return encode(failure(reply.command, Exit.INVALID, fault))
    return encode(replace(reply, data=None, warnings=(*reply.warnings, f"no data: {size}")))
