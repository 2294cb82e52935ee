"""What breeding costs trading: control round trip and bar to order, in quiet and at full load.

`python -m bench.under_load`. One daemon trades the bundled closes, ten a second, while this process
asks it for a pong every few milliseconds. In every other phase it breeds with a population of
2,000 on all the workers it takes by default.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import decisions
from bench.control import connected, received
from control.client import ask
from control.protocol import (
    PROTOCOL,
    Asked,
    Evolution,
    Health,
    Hello,
    Ping,
    StartEvolution,
    encode,
    frame,
)
from control.version import VERSION
from state.command import CancelEvolution
from state.configuration import decode

ROUNDS = 5
SECONDS = 12.0  # of a phase
PAUSE = 0.003  # seconds between two questions
CONFIG = """
[trading]
mode = "autonomous"
rebalance = "1d"
[beliefs]
engine = "numpy"
[replay]
start = 2000-01-03
pace = 10
[execution]
band = 0.0
[risk]
max_position_weight = 1.0
max_order_notional = "1000000000"
max_orders_per_minute = 100000
max_day_orders = 100000
max_day_turnover = 10.0
max_day_loss = 1.0
max_drawdown = 1.0
[telemetry]
log_level = "error"
http = ""
"""


class Noting(list[float]):
    """Waits, each written down with when it ended, by a clock that all processes share."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._out = file.open("a", buffering=1)

    def append(self, wait: float) -> None:
        """Write one down."""
        self._out.write(f"{time.monotonic()} {wait}\n")


def daemon(folder: Path) -> None:
    """Trade until the process is ended."""
    decisions.waits = Noting(folder / "waits")
    life = decisions.TimedLife(decode(CONFIG, "bench", {}), folder, str(folder / "c.sock"))
    asyncio.run(life.run(asyncio.Event()))


def until_breeding(path: str, breeding: bool) -> None:
    """Return once a run judges genomes, or none does any more."""
    while True:
        reply = ask(path, Asked(Evolution()), 60.0)
        running = reply.ok and reply.data["status"] == "running"
        if running == breeding and (not breeding or reply.data["evaluations"] > 0):
            return
        time.sleep(0.2)


def phase(path: str) -> tuple[list[float], float, float]:
    """Ask for a pong again and again; return the seconds of each, and when it was."""
    hello, request = frame(encode(Hello(PROTOCOL, VERSION))), frame(encode(Asked(Ping())))
    took, began = [], time.monotonic()
    with connected(path, hello) as one:
        while time.monotonic() - began < SECONDS:
            asked = time.perf_counter()
            one.sendall(request)
            received(one, int.from_bytes(received(one, 4), "big"))
            took.append(time.perf_counter() - asked)
            time.sleep(PAUSE)
    return took, began, time.monotonic()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = str(folder / "c.sock")
        process = subprocess.Popen([sys.executable, "-m", "bench.under_load", name])
        try:
            connected(path).close()
            while not ask(path, Asked(Health()), 60.0).ok:
                time.sleep(0.2)
            trips: dict[bool, list[float]] = {False: [], True: []}
            spans: list[tuple[bool, float, float]] = []
            for n in range(ROUNDS):
                for breeding in (False, True):
                    if breeding:
                        run = StartEvolution(n, 2000, 500, 1)
                        ask(path, Asked(run, key=f"run {n}"), 60.0)
                        until_breeding(path, True)
                    took, began, ended = phase(path)
                    trips[breeding] += took
                    spans.append((breeding, began, ended))
                    if breeding:
                        ask(path, Asked(CancelEvolution(""), key=f"end {n}"), 60.0)
                        until_breeding(path, False)
        finally:
            process.terminate()
            process.wait()
        lines = [line.split() for line in (folder / "waits").read_text().splitlines()]
    orders: dict[bool, list[float]] = {False: [], True: []}
    for at, wait in lines:
        for breeding, began, ended in spans:
            if began <= float(at) <= ended:
                orders[breeding].append(float(wait))
    for what, taken in (("control round trip", trips), ("bar to order", orders)):
        cuts = {each: statistics.quantiles(taken[each], n=100) for each in taken}
        for at in (49, 98):
            quiet, loaded = cuts[False][at], cuts[True][at]
            print(
                f"{what}, p{at + 1}: {quiet * 1000:.2f} ms quiet, {loaded * 1000:.2f} ms breeding, "
                f"{loaded / quiet:.2f}x  ({len(taken[False])} and {len(taken[True])})"
            )


if __name__ == "__main__":
    if sys.argv[1:]:
        daemon(Path(sys.argv[1]))
    else:
        main()
