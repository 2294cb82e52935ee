"""The control socket: frames in, replies out, whatever the other end does."""

import asyncio
import logging
import os
from asyncio import StreamReader, StreamWriter, Task
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

from control.protocol import Exit, Fault, Reply, encode, frame
from control.request import Request
from daemon.bodies import failure, fitting
from daemon.connection import Connection, FrameTooLarge
from daemon.door import Door
from daemon.greeting import Who, greeted, welcome
from daemon.principal import Peer, Principal, peer
from daemon.reading import Unreadable, request_of
from daemon.socket_file import SocketUnusable, bound, removed
from state.authority import op_of

BACKLOG: Final = 1024
STOPPING: Final = "the daemon is stopping"
REQUEST_LIMIT: Final = 256 << 10  # bytes of a frame after the first
TURNED_AWAY: Final = 32  # who are told over TLS, at once, that there are too many

Handler = Callable[[Request, Peer], Awaitable[Reply]]

log = logging.getLogger(__name__)


@asynccontextmanager
async def control_socket(
    path: str,
    handle: Handler,
    *,
    version: str,
    max_connections: int = 512,
    connections_each: int = 512,
    door: Door | None = None,
    frame_timeout: float = 10.0,
    idle_timeout: float = 600.0,
    grace: float = 5.0,
) -> AsyncIterator[None]:
    """Serve `handle` on the Unix socket `path` while the block runs, and over TLS at a `door`.

    Times are in seconds. A frame must be whole within `frame_timeout` of its first byte, its
    header within half of it, and a reply taken within as long. When the block ends nobody else is
    let in, what is being answered has `grace` to be, and the file is removed if it is still ours.
    Raises SocketUnusable, or SocketTaken.
    """
    listening, own = bound(path)
    service = Service(handle, version, max_connections, frame_timeout, idle_timeout, connected_from)
    service.each, service.door = connections_each, door
    service.watch()
    servers = [await asyncio.start_unix_server(service.accept, sock=listening, backlog=BACKLOG)]
    try:
        if door is not None:
            servers.append(await listening_at(door, service))
        yield
    finally:
        for server in servers:
            server.close()
        await service.close(grace)
        for server in servers:
            await server.wait_closed()
        removed(path, own)


async def listening_at(door: Door, service: "Service") -> asyncio.Server:
    """Listen on TCP; raises SocketUnusable."""
    try:
        return await asyncio.start_server(service.accept_tls, door.host, door.port, backlog=BACKLOG)
    except OSError as e:
        address = f"{door.host}:{door.port}"
        hint = "choose another control.tcp, or free that one"
        raise SocketUnusable(address, e.strerror or str(e), hint) from e


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
        self.each = max_connections
        self.door: Door | None = None
        self._open: Counter[str] = Counter()
        self._turning_away: set[Task[None]] = set()
        self._handle, self._version, self._who = handle, version, who
        self._max = max_connections
        self._frame_timeout, self._idle_timeout = frame_timeout, idle_timeout
        self._connections: dict[Task[None], Connection] = {}
        self._answering: set[Task[None]] = set()
        self._handling: set[Task[bytes]] = set()
        self._incidents = 0
        self._closing = False

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take a local connection, or say at once that there are too many."""
        try:
            who = self._who(writer)
        except OSError:
            writer.transport.abort()
            return
        key = f"uid {who.uid}"
        if why := self._busy(key):
            writer.write(frame(self._turned_away(why)))
            writer.close()
            return
        connection = self._connection(reader, writer)
        self._run(self._serve(connection, who), connection, key)

    def accept_tls(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take a connection over TCP, or say so when there are too many."""
        assert self.door is not None
        host = str((writer.get_extra_info("peername") or ("?",))[0])
        if self.door.closed_to(host) or len(self._turning_away) >= TURNED_AWAY:
            writer.transport.abort()
            return
        connection = self._connection(reader, writer)
        if why := self._busy(host):
            task = asyncio.get_running_loop().create_task(self._turn_away(connection, why))
            self._turning_away.add(task)
            task.add_done_callback(self._turning_away.discard)
            return
        self._run(self._serve_tls(connection, host), connection, host)

    def _busy(self, key: str) -> str:
        """Return why one more connection of `key` is too many; "" when it isn't."""
        if self._closing:
            return STOPPING
        if len(self._connections) >= self._max:
            return f"{self._max} connections are open, the most"
        if self._open[key] >= self.each:
            return f"{self.each} connections of {key} are open, the most of one"
        return ""

    def _turned_away(self, why: str) -> bytes:
        return welcome(self._version, Fault("BUSY", why, "ask again shortly"))

    def _connection(self, reader: StreamReader, writer: StreamWriter) -> Connection:
        return Connection(reader, writer, asyncio.get_running_loop(), self._frame_timeout)

    def _run(self, serving: Coroutine[Any, Any, None], connection: Connection, key: str) -> None:
        """Let a connection be served, and count it while it is."""
        task = asyncio.get_running_loop().create_task(serving)
        self._connections[task] = connection
        self._open[key] += 1
        task.add_done_callback(partial(self._over, key))

    def _over(self, key: str, task: Task[None]) -> None:
        self._connections.pop(task)
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

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
        left = [*self._connections, *self._turning_away]
        for stuck in left:
            stuck.cancel()
        await asyncio.gather(*left, *self._handling, return_exceptions=True)
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

    async def _turn_away(self, connection: Connection, why: str) -> None:
        """Tell somebody over TLS that there are too many."""
        assert self.door is not None
        with suppress(OSError, EOFError, FrameTooLarge):
            await connection.secure(self.door.context)
            await connection.send(self._turned_away(why))
        connection.close()

    async def _serve_tls(self, connection: Connection, host: str) -> None:
        """Agree on keys, find out who it is, and talk."""
        assert self.door is not None
        try:
            certificate = await connection.secure(self.door.context)
        except (OSError, EOFError) as e:
            log.info("tls_failed", extra={"address": host, "why": str(e)})
            connection.abort()
            return
        await self._serve(connection, partial(self.door.admit, host, certificate))

    async def _serve(self, connection: Connection, who: Who) -> None:
        """Talk to one client until either has had enough."""
        try:
            if (
                principal := await greeted(connection, who, self._version, self._frame_timeout)
            ) is not None:
                while not self._closing:
                    body = await connection.receive(self._idle_timeout, REQUEST_LIMIT)
                    await self._answer(connection, body, principal)
        except FrameTooLarge as e:
            fault = Fault("FRAME_TOO_LARGE", str(e), "ask for less at once")
            await connection.last(encode(failure("", Exit.INVALID, fault)))
        except (EOFError, OSError):
            connection.abort()
        finally:
            connection.close()

    async def _answer(self, connection: Connection, body: bytes, principal: Peer) -> None:
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

    async def _handled(self, request: Request, principal: Peer) -> bytes:
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
    return op_of(request.ask)
