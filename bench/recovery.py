"""From a kill to trading again, and from a dead broker to a closed gate.

`python -m bench.recovery` (`kills` or `broker` for one of the two).

kills   `tmd`, trading on bundled prices, killed with SIGKILL, `LIVES` times; from the start of the
        next process to its first healthy answer. Beside it: Python importing what the daemon
        imports, and doing nothing. That is the limit.
broker  `Life` itself on the machine's clock, `DESKS` of them, whose broker dies at a random moment,
        `DEATHS` times each, with orders waiting to be sent. From the death until the books are on
        record as not compared, and how many orders were sent after it.
"""

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import quantiles
from typing import Any

from control.client import NoReply, ask
from control.protocol import Asked, Health
from daemon.brokers.recording import RecordingBroker
from daemon.calendar import Calendar
from daemon.engine import Engine
from daemon.life import Life
from daemon.seams import Broker, Listener
from daemon.world import Machine
from state.command import Cause, SubmitOrder
from state.configuration import decode
from state.order import request_id
from state.settings import Settings

BASE = Path(__file__).with_name("never_halts.toml").read_text()
LIVES, DESKS, DEATHS = 60, 10, 10
TMD = Path(sys.executable).with_name("tmd")


def configuration(pace: float) -> str:
    """Return a configuration that trades every day, `pace` closes a second."""
    return BASE.replace('"1w"', '"1d"').replace("pace = 0", f"pace = {pace}")


def said(name: str, seconds: list[float]) -> None:
    """Print the median, the 99th percentile and the worst of a measure."""
    parts = quantiles(seconds, n=100)
    middle, late, worst = (1000 * value for value in (parts[49], parts[98], max(seconds)))
    print(
        f"{name:42} p50 {middle:6.0f} ms   p99 {late:6.0f} ms   worst {worst:6.0f} ms"
        f"   of {len(seconds)}"
    )


def ready(socket: str) -> None:
    """Return at the first healthy answer."""
    while True:
        with suppress(NoReply):
            if ask(socket, Asked(Health()), 5.0).ok:
                return
        time.sleep(0.002)


def kills(folder: Path) -> None:
    """Kill and start again, and say how long it took to trade."""
    file, socket = folder / "config.toml", str(folder / "s")
    file.write_text(configuration(20))
    state = folder / "state"
    state.mkdir(mode=0o700)
    command = [str(TMD), "--config", str(file), "--state", str(state)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TM_SOCKET": socket}
    chance, took, bare = random.Random(6), list[float](), list[float]()
    with (folder / "log").open("wb") as log:
        for life in range(LIVES + 1):
            began = time.monotonic()
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            ready(socket)
            if life:  # the first makes the state
                took.append(time.monotonic() - began)
            time.sleep(chance.uniform(0.05, 0.4))
            process.kill()
            process.wait()
            began = time.monotonic()
            subprocess.run([sys.executable, "-c", "import daemon.life"], check=True)
            bare.append(time.monotonic() - began)
    said("kill to trading-ready", took)
    said("beside it, importing the daemon", bare)
    ratio = quantiles(took, n=100)[49] / quantiles(bare, n=100)[49]
    print(f"  a recovery is {ratio:.2f} times an import")


class Mortal(Machine):
    """The machine, with a broker that can be made to die."""

    broker: RecordingBroker
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.made = asyncio.Event()

    async def open_broker(
        self, book: Path, settings: Settings, calendar: Calendar, listener: Listener
    ) -> Broker:
        """Return the paper broker behind one that dies when told to."""
        reports: Any = listener
        self.engine = reports.__self__
        self.broker = RecordingBroker(await super().open_broker(book, settings, calendar, listener))
        self.made.set()
        return self.broker


async def until(engine: Engine, *, compared: bool) -> None:
    """Return once it is on record that the books are, or are not, known to agree."""
    while engine.snapshot.reconciled is not compared:
        await engine.beyond(engine.head.seq)


async def deaths(folder: Path, seed: int) -> tuple[list[float], list[float], int]:
    """Return how long each death took to close the gate, each return to open it, and what was sent.

    Sent, that is, after the broker was dead.
    """
    chance, world, stop = random.Random(seed), Mortal(), asyncio.Event()
    state = folder / str(seed)
    state.mkdir(mode=0o700)
    life = Life(decode(configuration(5), "bench", {}), state, str(folder / f"s{seed}"), world=world)
    running = asyncio.create_task(life.run(stop))
    closed, opened, sent = list[float](), list[float](), 0
    await world.made.wait()
    engine = world.engine
    await until(engine, compared=True)
    for n in range(DEATHS):
        await asyncio.sleep(chance.uniform(0, 2))
        began, before = time.monotonic(), len(world.broker.placed)
        world.broker.connected = False
        key = f"{seed} {n}"
        buy = SubmitOrder("buy", "KO", engine.snapshot.instruments["KO"].lot)
        _ = engine.send(buy, Cause(request_id(key), key, "order", "bench", key))
        await until(engine, compared=False)
        closed.append(time.monotonic() - began)
        sent += len(world.broker.placed) - before
        began = time.monotonic()
        world.broker.connected = True
        await until(engine, compared=True)
        opened.append(time.monotonic() - began)
    stop.set()
    await running
    return closed, opened, sent


async def broker(folder: Path) -> None:
    """Let brokers die, and say how long it took to notice."""
    found = await asyncio.gather(*(deaths(folder, seed) for seed in range(DESKS)))
    said("dead broker to closed gate", [t for closed, _, _ in found for t in closed])
    said("broker back to open gate", [t for _, opened, _ in found for t in opened])
    print(f"  orders sent after a death: {sum(sent for _, _, sent in found)}")


def main() -> None:
    """Run what is asked for, or both."""
    asked = sys.argv[1:] or ["kills", "broker"]
    with tempfile.TemporaryDirectory() as name:
        if "kills" in asked:
            kills(Path(name))
        if "broker" in asked:
            asyncio.run(broker(Path(name)))


if __name__ == "__main__":
    main()
