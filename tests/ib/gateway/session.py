"""One connection of a client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.ib.gateway.faults import Msg
from tests.ib.gateway.wire import MAX_SERVER_VERSION, frame, wire

if TYPE_CHECKING:
    from tests.ib.gateway.server import FakeIBGateway


class Session:
    """One client connection."""

    def __init__(
        self, gw: FakeIBGateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ):
        self.gw, self.reader, self.writer = gw, reader, writer
        self.client_id: int | None = None
        self.sv = MAX_SERVER_VERSION
        self.started = False  # startApi done: receives broker events
        self.dead = False
        self.muted = False
        self.frozen = asyncio.Event()
        self.frozen.set()
        self.outq: asyncio.Queue = asyncio.Queue()
        self.held: list[tuple[str, Msg]] = []
        self.mkt: dict[int, dict[str, Any]] = {}  # reqId -> subscription
        self.hist_subs: dict[int, dict[str, Any]] = {}
        self.data_type = 1
        self.acct_sub: str | None = None
        self.acct_multi: dict[int, str] = {}
        self.summary: dict[int, str] = {}
        self.summary_ids: set[int] = set()
        self.positions = False
        self.pnl: dict[int, tuple[str, int]] = {}
        self.times: deque[float] = deque()
        self.rate_strikes = 0
        self.received = 0
        sock = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, kind: str, *fields: Any, **meta: Any) -> None:
        if self.dead or self.muted:
            return
        self.gw._outbound(self, Msg(kind, [wire(f) for f in fields], meta))

    def put(self, msg: Msg) -> None:
        """Queue a message for the wire, then whatever was held waiting for it."""
        if self.dead:
            return
        self.gw._note("out", self.client_id, msg.kind, msg.fields)
        self.outq.put_nowait(("data", frame(msg.fields)))
        ready = [m for until, m in self.held if until == msg.kind]
        self.held = [(u, m) for u, m in self.held if u != msg.kind]
        for m in ready:
            self.put(m)

    def put_partial(self, msg: Msg) -> None:
        data = frame(msg.fields)
        self.gw._note("out", self.client_id, msg.kind + " (HALF)", msg.fields)
        self.outq.put_nowait(("data", data[: max(5, len(data) // 2)]))

    def pause(self, seconds: float) -> None:
        """Head-of-line stall: nothing more goes out for this long."""
        self.outq.put_nowait(("sleep", seconds))

    def kill(self, how: str = "rst") -> None:
        """End the connection after what is already queued.  how: rst | fin | blackhole."""
        if self.dead:
            return
        self.gw._note("sys", self.client_id, f"kill:{how}", [])
        self.dead = True
        self.frozen.set()
        self.outq.put_nowait(("kill", how))
        self.gw._forget(self, blackhole=how == "blackhole")

    async def write_loop(self) -> None:
        try:
            while True:
                op, arg = await self.outq.get()
                await self.frozen.wait()
                if op == "data":
                    if n := self.gw.tcp_chunk:
                        for i in range(0, len(arg), n):
                            self.writer.write(arg[i : i + n])
                            await asyncio.sleep(0)
                    else:
                        self.writer.write(arg)
                elif op == "sleep":
                    await asyncio.sleep(arg)
                elif op == "kill":
                    if arg == "blackhole":
                        return  # socket stays open, nobody home
                    with contextlib.suppress(Exception):
                        await self.writer.drain()
                    self._close(arg)
                    return
        except (ConnectionError, asyncio.CancelledError):
            pass

    def _close(self, how: str) -> None:
        sock = self.writer.get_extra_info("socket")
        if how == "rst" and sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()

    async def run(self) -> None:
        writer_task = asyncio.ensure_future(self.write_loop())
        try:
            await self._handshake()
            while True:
                fields = await self._read_frame()
                if fields is None or self.dead:
                    break
                self.gw._inbound(self, fields)
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            if self in self.gw.blackholes:
                with contextlib.suppress(Exception):
                    await self.gw.blackholes[self].wait()
            if not self.dead:
                self.dead = True
                self.gw._note("sys", self.client_id, "client closed", [])
                self.gw._forget(self)
            self.outq.put_nowait(("kill", "fin"))
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await asyncio.wait_for(writer_task, 1.0)
            with contextlib.suppress(Exception):
                self.writer.close()

    async def _handshake(self) -> None:
        magic = await self.reader.readexactly(4)
        if magic != b"API\0":
            raise ConnectionError("not the TWS API")
        n = struct.unpack(">I", await self.reader.readexactly(4))[0]
        text = (await self.reader.readexactly(n)).decode()
        lo, hi = (int(x) for x in text.lstrip("v").split()[0].split(".."))
        self.sv = min(self.gw.server_version, hi)
        if self.sv < lo:
            raise ConnectionError(f"client wants {lo}..{hi}")
        await self.gw.handshake_gate.wait()
        self.send("handshake", self.sv, self.gw.now().strftime("%Y%m%d %H:%M:%S EST"))

    async def _read_frame(self) -> list[str] | None:
        await self.frozen.wait()
        n = struct.unpack(">I", await self.reader.readexactly(4))[0]
        body = (await self.reader.readexactly(n)).decode(errors="replace")
        await self.frozen.wait()
        fields = body.split("\0")
        fields.pop()
        return fields
