"""What the operators' page costs the control round trip: the same daemon, looked at and not.

`python -m bench.page`. A real `tmd` replays its closes. In every pair of blocks the same client
asks for the status at a steady pace, once while nobody looks and once while some read the page live
and one more loads it whole, again and again; which comes first changes from pair to pair. Those who
look are in a process of their own. A round trip is timed from when it was due. Printed is the ratio
of p50 and p99, looked at over not: the median of the pairs with its 95 % bootstrap interval.
"""

import http.client
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from bench.control import connected, received
from control.protocol import PROTOCOL, Asked, Hello, Status, encode, frame
from control.version import VERSION
from tests.tmd import Tmd

PAIRS = 60
SECONDS = 1.5  # of a block
PACE = 200.0  # requests a second
READERS = 3  # of the live page
LOADS = 1.0  # seconds between two loads of the whole page
WHOLE = ("/", "/page.css", "/page.js", "/curve.json")
DESK = """
[replay]
start = 2015-01-02
pace = 4.0
[telemetry]
http = "127.0.0.1:{port}"
[control]
requests_per_second = 1000000
"""


def free() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Looking:
    """Some who read the page live, and one who loads it whole, until told to stop."""

    def __init__(self, port: int) -> None:
        self._port, self._over = port, threading.Event()
        self._seen = threading.Barrier(READERS + 2)
        self.views = self.loads = 0
        work = [self._read] * READERS + [self._load]
        self._threads = [threading.Thread(target=one) for one in work]
        for one in self._threads:
            one.start()
        self._seen.wait(30)

    def end(self) -> None:
        """Hang up."""
        self._over.set()
        for one in self._threads:
            one.join()

    def _read(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as link:
            link.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            first = True
            while not self._over.is_set():
                if not first and not select.select([link], [], [], 0.05)[0]:
                    continue
                read = link.recv(1 << 20)
                if not read:
                    raise EOFError("the page hung up")
                if found := read.count(b"event: view\n"):
                    self.views += found
                    if first:
                        self._seen.wait(30)
                    first = False

    def _load(self) -> None:
        first = True
        while not self._over.is_set():
            for path in WHOLE:
                link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                link.request("GET", path)
                assert link.getresponse().read()
                link.close()
            self.loads += 1
            if first:
                self._seen.wait(30)
            first = False
            self._over.wait(LOADS)


def look(port: int) -> None:
    """Look and stop looking, as a line on stdin says."""
    os.nice(10)  # a browser's own work is not the daemon's
    looking = None
    for line in sys.stdin:
        if line.strip() == "on":
            looking = Looking(port)
            print("looking", flush=True)
        elif looking is not None:
            looking.end()
            print(looking.views, looking.loads, flush=True)


def block(connection: socket.socket, request: bytes) -> list[float]:
    """Ask at a steady pace; return the seconds of each round trip, from when it was due."""
    took, began = [], time.perf_counter()
    for number in range(int(SECONDS * PACE)):
        due = began + number / PACE
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.sendall(request)
        received(connection, int.from_bytes(received(connection, 4), "big"))
        took.append(time.perf_counter() - due)
    return took


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median, and the bounds of its 95 % interval by bootstrap."""
    draws = np.random.default_rng(7).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return statistics.median(ratios), float(low), float(high)


def main() -> None:
    """Measure and print."""
    port = free()
    hello, request = frame(encode(Hello(PROTOCOL, VERSION))), frame(encode(Asked(Status())))
    cuts: dict[str, list[tuple[float, float]]] = {"off": [], "on": []}
    views = loads = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Tmd(Path(folder) / "desk", DESK.format(port=port)) as tmd,
    ):
        tmd.start().ready()
        others = subprocess.Popen(
            [sys.executable, "-m", "bench.page", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert others.stdin is not None
        assert others.stdout is not None
        connection = connected(tmd.socket, hello)
        block(connection, request)  # the first of everything is dearer
        for pair in range(PAIRS):
            for state in ("off", "on") if pair % 2 else ("on", "off"):
                if state == "on":
                    print("on", file=others.stdin, flush=True)
                    assert others.stdout.readline() == "looking\n"
                took = np.quantile(block(connection, request), (0.5, 0.99))
                cuts[state].append((float(took[0]), float(took[1])))
                if state == "on":
                    print("off", file=others.stdin, flush=True)
                    seen, loaded = map(int, others.stdout.readline().split())
                    views, loads = views + seen, loads + loaded
        others.stdin.close()
        others.wait()
    print(
        f"{PAIRS} pairs of {SECONDS:g} s, {PACE:g} requests a second; "
        f"looked at: {READERS} readers, {views} views, {loads} loads of the whole page"
    )
    for place, name in enumerate(("p50", "p99")):
        off, on = ([one[place] for one in cuts[state]] for state in ("off", "on"))
        ratio, low, high = interval([b / a for a, b in zip(off, on, strict=True)])
        print(
            f"  {name}   nobody {statistics.median(off) * 1e6:7,.0f} us   "
            f"looked at {statistics.median(on) * 1e6:7,.0f} us   "
            f"ratio {ratio:5.2f} ({low:.2f} to {high:.2f})"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        look(int(sys.argv[1]))
    else:
        main()
