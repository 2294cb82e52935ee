"""How long a decision takes: a plan over 500 symbols; a bar's close to its orders at the broker.

`python -m bench.decisions`. The second runs the real engine, journal, gate, sender and trader over
the bundled closes with a rebalance at every one of them; the broker notes when an order comes.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from daemon.brokers.recording import RecordingBroker
from daemon.life import Life
from daemon.seams import Listener
from state.apply import replay
from state.command import Cause, MakePlan
from state.configuration import decode
from state.decider import decide
from state.event import BarsClosed, CashMoved, Reconciled, Start, Started
from state.instrument import Instrument
from state.moment import Moment
from state.order import Order, request_id
from state.quote import Bar
from state.settings import Execution, Limits
from state.snapshot import Snapshot
from state.unfolding import Unfolding

AT, DAY = datetime(2025, 3, 3, 21, tzinfo=UTC), date(2025, 3, 3)
SYMBOLS = 500
CONFIG = """
[trading]
mode = "autonomous"
rebalance = "1d"
[replay]
start = 2015-01-01
pace = 0
at_end = "stop"
[execution]
band = 0.0
[risk]
max_position_weight = 1.0
max_order_notional = "1000000000"
max_orders_per_minute = 100000
max_day_turnover = 10.0
max_day_loss = 1.0
max_drawdown = 1.0
[telemetry]
log_level = "error"
"""


def account() -> Snapshot:
    """Return an account of 500 symbols with targets far from what it holds."""
    names = [f"S{n:03}" for n in range(SYMBOLS)]
    limits = Limits(max_orders_per_minute=10_000, max_day_orders=10_000, max_day_turnover=10.0)
    run = Start(
        "0",
        "0",
        "BENCH",
        "USD",
        "replay",
        "XNYS",
        "bench",
        tuple(map(Instrument, names)),
        limits,
        Execution(band=0.0, cash_reserve=0.0),
        cost_bps=3.0,
    )
    bars = tuple(Bar(name, Decimal(20 + n % 97)) for n, name in enumerate(names))
    targets = {
        name: round(0.9 / SYMBOLS * (1 + (n % 3 - 1) / 2), 9) for n, name in enumerate(names)
    }
    cash = Decimal(10_000_000)
    return replay(
        Snapshot(),
        [
            Started(run, AT),
            CashMoved("initial", cash, "", AT),
            Reconciled((), AT),
            BarsClosed(AT, DAY, bars, cash, cash, 0.0, 0.0, targets),
        ],
    )


def planned() -> tuple[float, int]:
    """Return the best of five seconds that a plan over 500 symbols took, and its lines."""
    now = account()
    moment = Moment(AT, AT, DAY, date(2025, 3, 4))
    cause = Cause(request_id("k"), "k", "plan", "bench", "")
    seconds, lines = [], 0
    for _ in range(5):
        began = time.perf_counter()
        course = decide(now, MakePlan(), moment, cause)
        seconds.append(time.perf_counter() - began)
        assert isinstance(course, Unfolding)
        lines = len(next(iter(course.now.plans.values())).lines)
    return min(seconds), lines


class Timing(RecordingBroker):
    """A broker that notes, for each close, when its first order came."""

    began: float = 0.0

    def note(self) -> None:
        """Begin to wait for the orders of a close."""
        self.began = time.perf_counter()

    def place(self, order: Order) -> None:
        """Pass an order on, noting how long after the close it came."""
        if self.began:
            waits.append(time.perf_counter() - self.began)
            self.began = 0.0
        super().place(order)


waits: list[float] = []


class TimedLife(Life):
    """A run whose broker is timed from each close on."""

    async def _broker(self, listener: Listener):  # type: ignore[no-untyped-def]
        paper = await super()._broker(listener)
        timing = Timing(paper)
        passed_on = timing.on_close

        async def on_close(close):  # type: ignore[no-untyped-def]
            await passed_on(close)
            timing.note()

        timing.on_close = on_close  # type: ignore[method-assign]
        return timing


def bare_commits(folder: Path, count: int = 500) -> float:
    """Return the median seconds of a bare commit with FULL: two of them bound a decision."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE t (body BLOB)")
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO t VALUES (zeroblob(2000))")
        db.execute("COMMIT")
        seconds.append(time.perf_counter() - began)
    db.close()
    return statistics.median(seconds)


def main() -> None:
    """Print the figures."""
    seconds, lines = planned()
    print(f"a plan over {SYMBOLS} symbols: {lines} lines in {seconds * 1000:.0f} ms (limit 1 s)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commit = bare_commits(folder)
        life = TimedLife(decode(CONFIG, "bench", {}), folder, str(folder / "c.sock"))
        asyncio.run(life.run(asyncio.Event()))
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    print(
        f"a close to its first order at the broker, {len(waits):,} closes of 20 symbols: "
        f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms"
    )
    print(
        f"  of it three bare FULL commits take {3 * commit * 1000:.1f} ms ({p50 / commit:.0f}x one)"
    )


if __name__ == "__main__":
    main()
