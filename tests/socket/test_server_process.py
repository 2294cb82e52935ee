"""The control socket of a real daemon, whatever comes out of the other end."""

import asyncio
import re
import socket
import threading
import time
from contextlib import ExitStack, suppress
from decimal import Decimal as D
from random import Random

import pytest
from msgspec.structs import replace

from control.protocol import (
    FRAME_LIMIT,
    Asked,
    DryRun,
    Events,
    Exit,
    Ping,
    Status,
    decode_reply,
    encode,
    frame,
)
from state.command import CancelOrders, Halt, MoveCash, Rebalance, Resume, SubmitOrder
from tests.daemon.wire import Wire
from tests.kills.books import faults
from tests.kills.load import Link
from tests.tmd import CONFIGURATION, Tmd

FRAME_TIMEOUT = 3.0
MOST = 500
CONTROL = f"""\
max_connections = {MOST}
frame_timeout = {FRAME_TIMEOUT}
"""
SOON = 2.0  # seconds in which a good client is served, whatever the others do
GROWTH = 16 << 10  # KiB that the daemon may grow by


@pytest.fixture(scope="module")
def tmd(tmp_path_factory):
    """A daemon whose market stands still."""
    folder = tmp_path_factory.mktemp("socket") / "d"
    with Tmd(folder, CONFIGURATION.format(pace=0.001) + CONTROL) as one:
        one.start().ready()
        yield one
        assert one.stop() == 0
        assert faults(one) == []


class GoodClient:
    """Asks in turn while the block runs; `slowest` is its longest wait."""

    def __init__(self, tmd: Tmd):
        self._tmd, self._enough = tmd, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.served, self.slowest, self.failure = 0, 0.0, None
        self.waits: list[float] = []

    def __enter__(self) -> "GoodClient":
        self._thread.start()
        return self

    def __exit__(self, failed, *_: object) -> None:
        self._enough.set()
        self._thread.join()
        if self.waits:
            p99 = sorted(self.waits)[int(len(self.waits) * 0.99)]
            print(f"a good client: {self.served:,} served, p99 {p99 * 1000:.1f} ms")
        if not failed:
            assert self.failure is None
            assert self.served > 10
            assert self.slowest < SOON

    def _run(self) -> None:
        try:
            with Wire(self._tmd.socket, SOON) as wire:
                while not self._enough.is_set():
                    began = time.monotonic()
                    assert wire.ask(Status()).ok
                    self.waits.append(time.monotonic() - began)
                    self.slowest = max(self.slowest, self.waits[-1])
                    self.served += 1
                    time.sleep(0.005)
        except (AssertionError, EOFError, OSError) as e:
            self.failure = e


def resident(tmd) -> int:
    """KiB of memory that the daemon has."""
    with open(f"/proc/{tmd.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def test_two_hundred_who_never_finish_a_frame_are_hung_up_on(tmd):
    """Half of them before the handshake, half after it; each sends a byte now and then."""
    with ExitStack() as stack, GoodClient(tmd):
        slow = [stack.enter_context(Wire(tmd.socket, 60, greet=n % 2 == 0)) for n in range(200)]
        began, left = time.monotonic(), {wire.socket: wire for wire in slow}
        body = frame(encode(Asked(Ping())))
        sent = 0
        while left:
            for wire in list(left.values()):
                wire.socket.setblocking(False)
                try:
                    wire.socket.send(body[sent : sent + 1])
                    gone = wire.socket.recv(1) == b""
                except BlockingIOError:
                    gone = False
                except (BrokenPipeError, ConnectionResetError):
                    gone = True
                if gone:
                    del left[wire.socket]
            sent = min(sent + 1, len(body) - 2)
            assert time.monotonic() - began < FRAME_TIMEOUT + 10, f"{len(left)} are still there"
            time.sleep(0.2)
        assert time.monotonic() - began >= FRAME_TIMEOUT * 0.9


def test_one_connection_too_many_is_told_so_and_the_others_are_served(tmd):
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(tmd.socket)) for _ in range(MOST)]
        with Wire(tmd.socket, greet=False) as late:
            assert late.greet().error.code == "BUSY"
            assert late.closed()
        for wire in wires:
            assert wire.ask(Ping()).ok
        wires[0].socket.close()
        tmd.until(lambda: welcomed(tmd))


def welcomed(tmd) -> bool:
    """Whether a connection is let in."""
    with Wire(tmd.socket, greet=False) as wire:
        return wire.greet().error is None


HONEST = [
    encode(Asked(SubmitOrder("buy", "KO", D("12.5"), D("41.25")), key="honest", wait=0.0)),
    encode(Asked(MoveCash("withdraw", D("0.01")), key="honest")),
    encode(Asked(Halt("drill", scope="symbol:PG", flatten=True), key="honest")),
    encode(Asked(Resume("over", "ann", scope="symbol:PG"), key="honest")),
    encode(Asked(Rebalance(only=("KO", "PG")), key="honest")),
    encode(Asked(CancelOrders("X.0"), key="honest")),
    encode(Asked(DryRun())),
    encode(Asked(Events(since=3, limit=2))),
    encode(Asked(Status())),
]


def malformed(chance: Random) -> bytes:
    """Bytes that a broken, foreign or hostile client may send; now and then they make sense."""
    honest = bytearray(chance.choice(HONEST))
    match chance.randrange(8):
        case 0:
            return frame(chance.randbytes(chance.randrange(200)))
        case 1 | 2 | 3:
            for _ in range(chance.randint(1, 3)):
                honest[chance.randrange(len(honest))] ^= 1 << chance.randrange(8)
            return frame(bytes(honest))
        case 4:
            return frame(bytes(honest[: chance.randrange(len(honest))]))
        case 5:
            return chance.randint(FRAME_LIMIT + 1, 2**32 - 1).to_bytes(4, "big") + honest
        case 6:
            deep = chance.choice([b"[", b'{"ask":', b'{"a":{"b":[']) * chance.randint(1, 20_000)
            return frame(deep[:FRAME_LIMIT])
        case _:
            place = chance.randrange(len(honest))
            return frame(bytes(honest[:place] + chance.randbytes(5) + honest[place:]))


@pytest.mark.parametrize(
    "frames",
    [10_000, pytest.param(1_000_000, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])],
)
def test_malformed_frames_are_answered_or_hung_up_on_and_cost_nothing(tmd, frames):
    chance, before, answered = Random(17), 0, 0
    with GoodClient(tmd):
        wire = Wire(tmd.socket)
        for n in range(frames):
            if n == frames // 10:
                before = resident(tmd)  # warm
            try:
                wire.socket.sendall(malformed(chance))
                reply = decode_reply(wire.frame())
            except (BrokenPipeError, ConnectionResetError, EOFError):
                wire.socket.close()
                wire = Wire(tmd.socket)
                continue
            answered += 1
            assert reply.exit is not Exit.INTERNAL, reply
            if reply.error is not None and reply.error.code == "FRAME_TOO_LARGE":
                wire.socket.close()
                wire = Wire(tmd.socket)
        wire.socket.close()
    assert answered > frames / 2
    grown = resident(tmd) - before
    print(f"{frames:,} frames, {answered:,} answered, {grown:,} KiB more")
    assert grown < GROWTH
    assert "Traceback" not in tmd.said()


def test_subscribers_that_never_read_are_dropped_and_memory_stays_flat(tmd):
    """Each asks for the journal again and again, far past what the kernel holds for it."""
    body = frame(encode(Asked(Events(since=0, limit=1000))))
    tmd.data()
    before = resident(tmd)
    with ExitStack() as stack, GoodClient(tmd):
        deaf = [stack.enter_context(Wire(tmd.socket)) for _ in range(50)]
        for wire in deaf:
            wire.socket.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    wire.socket.send(body)
        began = time.monotonic()
        left = set(deaf)
        while left:
            for wire in list(left):
                try:
                    wire.socket.send(b"x")
                except BlockingIOError:
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    left.discard(wire)
            assert time.monotonic() - began < FRAME_TIMEOUT * 2 + 10, f"{len(left)} are still there"
            time.sleep(0.1)
        grown = resident(tmd) - before
    print(f"50 that never read: all dropped, {grown:,} KiB more")
    assert grown < GROWTH
    assert "slow_reader_dropped" in tmd.said()


def test_what_is_no_handshake_is_no_crash(tmd):
    chance = Random(18)
    for _ in range(300):
        with Wire(tmd.socket, greet=False) as wire:
            with suppress(BrokenPipeError, ConnectionResetError):
                wire.socket.sendall(malformed(chance))
            wire.socket.shutdown(socket.SHUT_WR)
            with suppress(EOFError):
                wire.frame()
    assert tmd.ask(Ping()).ok


@pytest.mark.parametrize(
    "restart",
    [
        pytest.param(False, id="in one run", marks=pytest.mark.nightly),
        pytest.param(True, id="across a restart"),
    ],
)
async def test_ten_thousand_replays_of_one_key_are_one_reply_and_one_order(tmd, restart):
    key = f"again and again {restart}"
    request = Asked(SubmitOrder("buy", "WMT", D(1 + restart)), key=key)

    async def asking(times):
        link = await Link.open(tmd.socket)
        replies = []
        for _ in range(times):
            await link.send(encode(request))
            replies.append(await link.frame())
        await link.close()
        return replies

    halves = [await asyncio.gather(*(asking(50) for _ in range(100)))]
    if restart:
        assert await asyncio.to_thread(tmd.stop) == 0
        await asyncio.to_thread(tmd.start().ready)
    halves.append(await asyncio.gather(*(asking(50) for _ in range(100))))

    replies = [body for half in halves for one in half for body in one]
    assert len(replies) == 10_000
    first = [body for body in replies if not decode_reply(body).replayed]
    assert len(first) == 1
    assert len(set(replies) - set(first)) == 1
    (again,) = set(replies) - set(first)
    assert encode(replace(decode_reply(again), replayed=False)) == encode(decode_reply(first[0]))
    ((orders,),) = tmd.rows(
        "SELECT count(*) FROM intent JOIN command USING (rid) WHERE key = ?", key
    )
    assert orders == 1
    tmd.until(lambda: tmd.rows("SELECT 1 FROM orders WHERE symbol = 'WMT'", file="paper.db"))


def test_a_command_outlives_its_client(tmd):
    before = D(tmd.books()["cash"])
    for n in range(100):
        with Wire(tmd.socket) as wire:
            wire.say(encode(Asked(MoveCash("deposit", D(1)), key=f"last word {n}", wait=n % 2)))
    tmd.until(lambda: D(tmd.books()["cash"]) == before + 100)
    for n in range(100):
        assert tmd.ask(MoveCash("deposit", D(1)), key=f"last word {n}").replayed
