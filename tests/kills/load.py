"""Eight writers who never give up: keyed commands over the real socket, until acknowledged."""

import asyncio
from collections import Counter
from contextlib import suppress
from decimal import Decimal as D
from random import Random

import msgspec
from msgspec.structs import replace

from control.protocol import (
    PROTOCOL,
    Asked,
    Exit,
    Hello,
    Reconcile,
    Reply,
    decode_reply,
    decode_welcome,
    encode,
    frame,
)
from control.request import Request
from state.command import (
    CancelOrders,
    ExecutePlan,
    Halt,
    MakePlan,
    MoveCash,
    Rebalance,
    Resume,
    SubmitOrder,
)

SYMBOLS = ("AAPL", "AMD", "BAC", "CVX", "GE", "HD", "JNJ", "KO", "MSFT", "PG", "WMT", "XOM")
WRITTEN = {Exit.DONE, Exit.REFUSED, Exit.PARTIAL, Exit.NOTHING, Exit.PENDING}
TURNED_AWAY = {Exit.NOT_FOUND}  # nothing was written: the key is still unused
LOST = (OSError, EOFError, asyncio.IncompleteReadError)


class Acknowledged(msgspec.Struct, frozen=True):
    """A command and the reply that its writer took for a promise."""

    request: Request
    reply: Reply


class Tally:
    """What all writers saw; `life` counts the daemon's lives."""

    def __init__(self) -> None:
        self.life = 0
        self.acknowledged: dict[str, Acknowledged] = {}
        self.unanswered: Counter[int] = Counter()  # by life: sent whole, and never answered
        self.durable: Counter[int] = Counter()  # of these, known to the next life
        self.outcomes: Counter[str] = Counter()
        self.first = asyncio.Event()  # somebody was answered in this life

    def begin(self) -> None:
        """The daemon lives again."""
        self.life += 1
        self.first.clear()


class Link:
    """One connection of the load; `waiting` while a request sent whole has no reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer
        self.waiting = False

    @classmethod
    async def open(cls, path: str) -> "Link":
        """Connect and shake hands."""
        link = cls(*await asyncio.open_unix_connection(path))
        try:
            await link.send(encode(Hello(PROTOCOL, "0")))
            welcome = decode_welcome(await link.frame())
        except BaseException:
            await link.close()
            raise
        assert welcome.error is None, welcome
        return link

    async def ask(self, request: Request) -> Reply:
        """Return the reply; `waiting` stays true when there is none."""
        await self.send(encode(request))
        self.waiting = True
        reply = decode_reply(await self.frame())
        self.waiting = False
        return reply

    async def send(self, body: bytes) -> None:
        """Return when the kernel has the whole frame."""
        self._writer.transport.set_write_buffer_limits(high=0)
        self._writer.write(frame(body))
        await self._writer.drain()

    async def frame(self) -> bytes:
        size = int.from_bytes(await self._reader.readexactly(4), "big")
        return await self._reader.readexactly(size)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class Writer:
    """Asks for one thing after another, each under its own key, again until it is acknowledged."""

    def __init__(self, number: int, seed: int, path: str, tally: Tally):
        self.number, self._path, self._tally = number, path, tally
        self._chance = Random(f"{seed}-{number}")
        self._orders: list[str] = []
        self._plans: list[str] = []
        self._link: Link | None = None
        self.enough = False

    async def run(self) -> None:
        """Write until `enough`; the last command is acknowledged when this returns."""
        count = 0
        while not self.enough:
            count += 1
            command = self._command()
            wait = self._chance.choice((0.0, 0.0, 0.0, 0.05))
            await self._acknowledged(Asked(command, key=f"writer-{self.number}|{count}", wait=wait))
            await asyncio.sleep(self._chance.uniform(0, 0.01))
        if self._link is not None:
            await self._link.close()

    async def _acknowledged(self, request: Request) -> None:
        """Ask, and ask again with the same key, until the daemon has said what became of it."""
        doubtful: int | None = None  # the life that left us without a reply
        while True:
            try:
                if self._link is None:
                    self._link = await Link.open(self._path)
                reply = await self._link.ask(request)
            except LOST:
                if self._link is not None:
                    if self._link.waiting:
                        self._tally.unanswered[self._tally.life] += 1
                        doubtful = self._tally.life if doubtful is None else doubtful
                    await self._link.close()
                    self._link = None
                await asyncio.sleep(0.002)
                continue
            stopping = reply.error is not None and reply.error.code in {"BUSY", "STOPPING"}
            if reply.exit is Exit.NOT_READY or stopping:
                await asyncio.sleep(self._chance.uniform(0.005, 0.03))
                continue
            self._tally.first.set()
            if doubtful is not None and reply.replayed:
                self._tally.durable[doubtful] += 1
            self._keep(request, reply, resent=doubtful is not None)
            return

    def _keep(self, request: Request, reply: Reply, *, resent: bool) -> None:
        """Hold the daemon to its reply."""
        self._tally.outcomes[f"{type(request.ask).__name__} {reply.status}"] += 1
        assert reply.exit in WRITTEN | TURNED_AWAY, reply
        assert resent or not reply.replayed, reply
        if reply.exit in WRITTEN:
            self._tally.acknowledged[request.key] = Acknowledged(request, reply)
            if isinstance(request.ask, SubmitOrder) and reply.ok:
                self._orders.append(reply.data["orders"][0]["order_id"])
            if isinstance(request.ask, MakePlan) and reply.ok:
                self._plans.append(reply.data["plan_id"])

    def _command(self):
        """Whatever an impatient operator might type next."""
        chance = self._chance
        symbol = chance.choice(SYMBOLS)
        kind = chance.random()
        if kind < 0.40:
            return SubmitOrder("buy", symbol, D(chance.randint(1, 400)))
        if kind < 0.60:
            return SubmitOrder("sell", symbol, D(chance.randint(1, 100)))
        if kind < 0.73:
            return MoveCash("deposit", D(chance.randint(1, 10**9)).scaleb(-6))
        if kind < 0.76:
            return MoveCash("withdraw", D(chance.randint(1, 10**8)).scaleb(-6))
        if kind < 0.79:
            return Halt("drill", scope=f"symbol:{symbol}", flatten=chance.random() < 0.3)
        if kind < 0.80:
            return Halt("drill")
        if kind < 0.83:
            return Resume("over", "ann")
        if kind < 0.88:
            return Resume("over", "ann", scope=f"symbol:{symbol}")
        if kind < 0.92:
            return CancelOrders(self._orders[-1] if self._orders else None)
        if kind < 0.94:
            return CancelOrders()
        if kind < 0.96:
            return Reconcile()
        if kind < 0.98:
            return MakePlan(only=tuple(chance.sample(SYMBOLS, 3)))
        if self._plans and kind < 0.99:
            return ExecutePlan(self._plans[-1])
        return Rebalance(only=tuple(chance.sample(SYMBOLS, 3)))


def same(first: Reply, again: Reply) -> bool:
    """Whether a stored reply is the promise that was made, to the byte.

    What was only accepted may have come to its end meanwhile: then its orders must be the same.
    """
    if first.status in {"accepted", "pending"} and "flatten" in first.data:
        return again.command_id == first.command_id  # its orders were still to come
    if first.status in {"accepted", "pending"}:
        return again.command_id == first.command_id and asked_for(again) == asked_for(first)
    return encode(replace(again, replayed=False)) == encode(replace(first, replayed=False))


def asked_for(reply: Reply) -> list[tuple[str, ...]]:
    """The orders of a reply, but for what became of them."""
    fields = ("order_id", "symbol", "side", "quantity", "created_at", "session")
    return [tuple(order[field] for field in fields) for order in reply.data["orders"]]
