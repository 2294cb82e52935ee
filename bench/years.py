"""Years: five with a broker that resets every day, and a start after a million events.

`python -m bench.years` (`five` or `million` for one of the two). The daemon is the shipped one, on
bundled prices, rebalancing every day with no band: it trades far more than anybody would.

five     `Life` on a clock that runs 400 times as fast: a market day takes a minute of its time.
         Each day the broker is away for ten seconds. Memory is read at the end of every year.
million  `tmd` as fast as it can until its journal has 1,000,000 events; then it is started again,
         with and without its saved snapshots, and timed from exec to the first healthy answer. Then
         it is backed up while a client writes.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from typing import Any

from control.client import NoReply, ask
from control.protocol import Asked, Backup, Health
from daemon.brokers.paper import PaperBroker
from daemon.calendar import Calendar
from daemon.life import Life
from daemon.seams import Broker, BrokerBook, BrokerUnavailable, Listener
from daemon.world import Machine
from state.command import MoveCash
from state.configuration import decode
from state.integrity import verify
from state.journal import reader
from state.order import Order
from state.settings import Settings

BASE = Path(__file__).with_name("never_halts.toml").read_text()
YEARS, SESSIONS = 5, 251
SPEED, DAY, AWAY = 400.0, 60.0, 10.0  # seconds of the daemon's time
PATIENCE = 2.0  # seconds of ours
EVENTS = 1_000_000
READY = 5.0  # seconds, promised
MIB = 2**20


def configuration(**values: object) -> str:
    """Return the configuration, with some values set."""
    text = BASE.replace('rebalance = "1w"', 'rebalance = "1d"')
    for name, value in values.items():
        text = "\n".join(
            f"{name} = {value}" if line.startswith(f"{name} =") else line
            for line in text.splitlines()
        )
    return text + '\n[execution]\nband = 0.0\nmin_trade = "0"\n'


class Hurried:
    """The machine's clock, `SPEED` times as fast."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def mono(self) -> float:
        """Return seconds since it began."""
        return (time.monotonic() - self._began) * SPEED

    def wall(self) -> datetime:
        """Return its time of day."""
        return datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=self.mono())

    async def sleep(self, seconds: float) -> None:
        """Return after so many of its seconds."""
        await asyncio.sleep(max(seconds, 0.0) / SPEED)


class Resetting:
    """A broker that is away for a while in the middle of each day, and counts the days.

    A day goes on until the daemon is back, or a while longer: a busy machine must not make its
    hurried days too short for it.
    """

    def __init__(self, paper: PaperBroker, clock: Hurried) -> None:
        self._paper, self._clock = paper, clock
        self.resets, self._from = 0, float("inf")
        self._noticed = float("inf")
        self._back = asyncio.Event()
        self._back.set()
        self.years: list[tuple[float, int, int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._paper, name)

    @property
    def connected(self) -> bool:
        """Return whether it is there now."""
        now = self._clock.mono()
        if now >= self._from:
            self._noticed = min(self._noticed, now)
        away = self._noticed <= now < self._noticed + AWAY
        return self._paper.connected and not away

    def _there(self) -> None:
        if not self.connected:
            raise BrokerUnavailable("the daily reset")

    def place(self, order: Order) -> None:
        """Take an order, or lose it."""
        if self.connected:
            self._paper.place(order)

    async def next_oid(self) -> int:
        """Return the lowest id never used."""
        self._there()
        if self._clock.mono() >= self._noticed + AWAY:
            self._back.set()  # it was asked where ids begin: a recovery is at its end
        return await self._paper.next_oid()

    async def book(self, since: datetime | None) -> BrokerBook:
        """Return all it knows, while it is there."""
        self._there()
        found = await self._paper.book(since)
        self._there()
        return found

    async def on_close(self, close: Any) -> None:
        """Fill by a close; the reset comes in the middle of the day after it."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._back.wait(), PATIENCE)
        self._back.clear()
        self._noticed = float("inf")
        await self._paper.on_close(close)
        self.resets += 1
        self._from = self._clock.mono() + (DAY - AWAY) / 2
        if self.resets % SESSIONS == 0:
            gc.collect()
            open_files = len(os.listdir("/proc/self/fd"))
            tasks = len(asyncio.all_tasks())
            self.years.append((resident(), open_files, threading.active_count(), tasks))


class Resets(Machine):
    """The machine, with a hurried clock and a resetting broker."""

    def __init__(self) -> None:
        self.hurried = Hurried()
        super().__init__(self.hurried)
        self.broker: Resetting | None = None

    async def open_broker(
        self, book: Path, settings: Settings, calendar: Calendar, listener: Listener
    ) -> Broker:
        """Return the paper broker, resetting."""
        paper = await super().open_broker(book, settings, calendar, listener)
        assert isinstance(paper, PaperBroker)
        self.broker = Resetting(paper, self.hurried)
        return self.broker  # type: ignore[return-value]


def resident() -> float:
    """Return this process's resident memory, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def five() -> bool:
    """Run five years with daily resets; return whether memory stayed flat and nothing halted."""
    text = configuration(start="2015-01-02\nend = 2019-12-31", pace=1 / DAY)
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        state, world = Path(folder), Resets()
        logging.disable(logging.WARNING)  # of each reset, and each order it holds back
        life = Life(decode(text, "bench", {}), state, str(state / "s"), world=world)
        asyncio.run(life.run(asyncio.Event()))
        with closing(reader(state / "journal.db")) as db:
            kinds = dict(db.execute("SELECT type, count(*) FROM event GROUP BY type"))
            sound = verify(db).ok
        size = sum((state / name).stat().st_size for name in ("journal.db", "paper.db")) / MIB
    assert world.broker is not None
    years = world.broker.years
    recovered, halts = kinds["reconcile_started"], kinds.get("halted", 0)
    print(f"five years: {kinds['bars_closed']:,} sessions, {world.broker.resets:,} broker resets")
    print(f"  {recovered:,} recoveries, {halts} halts, journal {'sound' if sound else 'DAMAGED'}")
    filled = kinds["order_filled"]
    print(
        f"  {kinds['order_submitted']:,} orders, {filled:,} fills, {sum(kinds.values()):,} events"
    )
    print(f"  {size / YEARS:.1f} MB a year (journal and paper book), {size:.1f} MB in all")
    for number, (memory, files, threads, tasks) in enumerate(years, 1):
        print(f"  year {number}: {memory:.1f} MiB, {files} files, {threads} threads, {tasks} tasks")
    growth = (years[-1][0] - years[1][0]) / (YEARS - 2)
    print(f"  memory from year 2 to 5: {growth:+.2f} MiB a year (promised: below 1)")
    flat = growth < 1 and years[-1][1:3] == years[1][1:3]
    return flat and sound and not halts and recovered >= 0.95 * world.broker.resets


TMD = Path(sys.executable).with_name("tmd")


@contextmanager
def running(state: Path, text: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the installed `tmd` on a state directory while the block runs."""
    (state / "config.toml").write_text(text)
    env = {"PATH": os.environ["PATH"], "TM_SOCKET": str(state / "s"), "OPENBLAS_NUM_THREADS": "1"}
    command = [TMD, "--config", state / "config.toml", "--state", state]
    process = subprocess.Popen(command, env=env)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def length(state: Path) -> int:
    """Return the number of events in a journal that is being written."""
    try:
        with closing(sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])
    except sqlite3.Error:
        return 0


def ready(state: Path, process: subprocess.Popen[bytes], began: float) -> float:
    """Return how long a daemon took from its start to the first healthy answer, seconds."""
    while True:
        assert process.poll() is None, "the daemon ended"
        try:
            if ask(str(state / "s"), Asked(Health()), 1.0).ok:
                return time.monotonic() - began
        except NoReply:
            pass
        time.sleep(0.02)


def booked(state: Path, label: str, enough: threading.Event) -> list[float]:
    """Book deposits one after the other until told; return how long each took, seconds."""
    took = []
    while not enough.is_set():
        began = time.monotonic()
        key = f"{label}{len(took)}"
        assert ask(str(state / "s"), Asked(MoveCash("deposit", Decimal(1)), key=key), 60.0).ok
        took.append(time.monotonic() - began)
    return took


def backed_up(state: Path) -> tuple[float, list[float], list[float]]:
    """Return how long a backup took, and each commit before it and during it, seconds."""
    quiet, enough = threading.Event(), threading.Event()
    threading.Timer(3.0, quiet.set).start()
    alone = booked(state, "alone", quiet)
    during: list[float] = []
    writer = threading.Thread(target=lambda: during.extend(booked(state, "during", enough)))
    writer.start()
    began = time.monotonic()
    backup = Backup(str(state / "kept" / "b.db"))
    reply = ask(str(state / "s"), Asked(backup, key="backup"), 300.0)
    took = time.monotonic() - began
    enough.set()
    writer.join()
    assert reply.ok, reply
    return took, alone, during


def p99(seconds: list[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return quantiles(seconds, n=100)[98] * 1000


def million() -> bool:
    """Fill a journal, start on it, back it up; return whether it was ready in time."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        state = Path(folder).absolute()
        with running(state, configuration(at_end='"loop"')) as process:
            while length(state) < EVENTS:
                assert process.poll() is None, "the daemon ended"
                time.sleep(1)
        size = (state / "journal.db").stat().st_size / MIB
        still = configuration(at_end='"loop"', pace=0.001)
        times = []
        for attempt in range(4):
            if attempt == 3:
                with closing(sqlite3.connect(state / "journal.db")) as db:
                    db.execute("DELETE FROM snapshot")
                    db.commit()
            began = time.monotonic()
            with running(state, still) as process:
                times.append(ready(state, process, began))
        with_snapshot, without = sorted(times[:3])[1], times[3]
        with running(state, still) as process:
            ready(state, process, time.monotonic())
            took, alone, during = backed_up(state)
            copy = (state / "kept" / "b.db").stat().st_size / MIB
        print(
            f"a journal of {length(state):,} events, {size:.0f} MB, "
            f"{size / EVENTS * MIB:.0f} bytes an event"
        )
    print(
        f"  ready after {with_snapshot:.2f} s (promised: {READY:g}); "
        f"{without:.1f} s without its saved snapshots"
    )
    print(f"  backup of {copy:.0f} MB, copied and checked in {took:.1f} s while a client wrote:")
    print(f"  its commands' p99 {p99(during):.0f} ms during it, {p99(alone):.0f} ms before")
    return with_snapshot < READY


def main() -> int:
    """Run what was asked for; fail where a promise is not kept."""
    chosen = sys.argv[1:] or ["five", "million"]
    kept = [{"five": five, "million": million}[name]() for name in chosen]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
