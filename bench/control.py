"""The control round trip beside a bare asyncio echo and redis PING; `tm ping` beside its imports.

`python -m bench.control`. One load generator, in this process, drives all three servers, each in a
process of its own, on Unix sockets, one after the other in every round.
"""

import asyncio
import os
import resource
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from control.protocol import PROTOCOL, Asked, Exit, Hello, Ping, Reply, encode, frame
from control.request import Request
from control.version import VERSION
from daemon.principal import Principal
from daemon.server import control_socket

ROUNDS = 5
SECONDS = 1.0  # of load, per server and round
REQUEST = frame(encode(Asked(Ping())))
STARTS = 15  # of each program, for its CPU


async def control(path: str) -> None:
    """Serve the control socket: handshake, peer check, strict reading, full reply."""

    async def handle(request: Request, principal: Principal) -> Reply:
        data = {"version": VERSION, "pid": os.getpid()}
        return Reply("ping", True, "completed", Exit.DONE, data=data)

    async with control_socket(path, handle, version=VERSION):
        await asyncio.Event().wait()


async def echo(path: str, size: int) -> None:
    """Serve bytes of the same size, read and written by asyncio and nothing else."""
    answer = bytes(size)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readexactly(len(REQUEST))
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_unix_server(serve, path, backlog=1024):
        await asyncio.Event().wait()


def connected(path: str, hello: bytes = b"") -> socket.socket:
    """Return a connection, once there is one; with `hello`, hands are shaken."""
    deadline = time.monotonic() + 20
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            break
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    if hello:
        connection.sendall(hello)
        received(connection, int.from_bytes(received(connection, 4), "big"))
    return connection


def received(connection: socket.socket, size: int) -> bytes:
    """Return `size` bytes."""
    read = b""
    while len(read) < size:
        chunk = connection.recv(size - len(read))
        if not chunk:
            raise EOFError
        read += chunk
    return read


def load(connections: list[socket.socket], request: bytes, size: int) -> list[float]:
    """Ask on all connections at once, over and over; return the seconds of each round trip."""
    poll = select.epoll()
    by_number = {one.fileno(): one for one in connections}
    began, left, took = {}, {}, []
    end = time.perf_counter() + SECONDS
    for number, one in by_number.items():
        poll.register(number, select.EPOLLIN)
        one.sendall(request)
        began[number], left[number] = time.perf_counter(), size
    while left:
        for number, _ in poll.poll():
            chunk = by_number[number].recv(left[number])
            if not chunk:
                raise EOFError
            left[number] -= len(chunk)
            if left[number]:
                continue
            now = time.perf_counter()
            took.append(now - began[number])
            if now < end:
                by_number[number].sendall(request)
                began[number], left[number] = time.perf_counter(), size
            else:
                del left[number]
    poll.close()
    return took


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    """Run a server while the block runs."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


Server = tuple[str, Callable[[], socket.socket], bytes, int]


def round_trips(servers: list[Server], clients: int) -> None:
    """Measure every server under as many clients, and print a table."""
    rates: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, connect, request, size in servers:
            connections = [connect() for _ in range(clients)]
            took = load(connections, request, size)
            rates.setdefault(name, []).append(len(took) / SECONDS)
            times.setdefault(name, []).extend(took)
            for one in connections:
                one.close()
    mine = statistics.median(rates[servers[0][0]])
    print(f"{clients} client{'s' * (clients > 1)}")
    for name, *_ in servers:
        rate, cuts = statistics.median(rates[name]), statistics.quantiles(times[name], n=100)
        print(
            f"  {name:24} {rate:9,.0f} /s   p50 {cuts[49] * 1e6:7,.0f} us   "
            f"p99 {cuts[98] * 1e6:7,.0f} us   ours {mine / rate:5.2f} x its rate"
        )


def cpu(command: list[str]) -> float:
    """Return the CPU seconds, user and system, of one run of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def starts(path: str) -> None:
    """Compare the CPU of `tm ping` with that of importing what it is made of."""
    python = sys.executable
    programs = {
        'python -c "import typer"': [python, "-c", "import typer"],
        "tm ping": [str(Path(python).with_name("tm")), "ping", "--socket", path],
        "tm ping --json": [str(Path(python).with_name("tm")), "ping", "--json", "--socket", path],
    }
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(STARTS):
        for name, command in programs.items():
            taken[name].append(cpu(command))
    base = statistics.median(next(iter(taken.values())))
    print("CPU of a run, user and system")
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"  {name:24} {median * 1000:6.0f} ms   {median / base:4.2f} x (at most 1.50)")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        ours, bare, redis = (f"{folder}/{name}.sock" for name in ("ours", "bare", "redis"))
        hello = frame(encode(Hello(PROTOCOL, VERSION)))
        serve = [sys.executable, "-m", "bench.control"]
        with running([*serve, ours]):
            with connected(ours, hello) as first:
                first.sendall(REQUEST)
                size = 4 + len(received(first, int.from_bytes(received(first, 4), "big")))
            servers: list[Server] = [
                ("control socket", lambda: connected(ours, hello), REQUEST, size),
                ("bare asyncio echo", lambda: connected(bare), REQUEST, size),
            ]
            options = ["--port", "0", "--unixsocket", redis, "--save", "", "--dir", folder]
            found = shutil.which("redis-server")
            if found:
                servers.append(("redis PING", lambda: connected(redis), b"PING\r\n", 7))
            else:
                print("redis-server is not installed: left out")
            with (
                running([*serve, bare, str(size)]),
                running([found or "true", *(options if found else ())]),
            ):
                print(f"requests of {len(REQUEST)} bytes, replies of {size}; {ROUNDS} rounds")
                for clients in (1, 50):
                    round_trips(servers, clients)
            starts(ours)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case [path]:
            asyncio.run(control(path))
        case [path, size]:
            asyncio.run(echo(path, int(size)))
