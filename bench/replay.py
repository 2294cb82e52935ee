"""33 years of 20 stocks through the whole daemon, beside a plain pandas loop of the same work.

`python -m bench.replay`. The daemon journals every close, decides every week, sends every order
through the gate to the paper broker and books its fills. The rival does the arithmetic alone.
"""

import asyncio
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from daemon.feeds.bundle import STOCKS, bundled
from daemon.life import Life
from state.configuration import decode

CONFIG = Path(__file__).with_name("never_halts.toml")
NAUTILUS = 11_200  # bars a second with orders, measured elsewhere on the same prices
WEEKS = (1_650, 1_750)  # decisions a weekly rebalance makes in 33 years


def resident() -> float:
    """Return this process's resident memory, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def replayed(state: Path) -> tuple[float, float, list[float]]:
    """Run the daemon to the end of the feed; return wall and CPU seconds, and memory by the way."""
    effective = decode(CONFIG.read_text(), str(CONFIG), {})
    life = Life(effective, state, str(state / "control.sock"))
    stop, memory = asyncio.Event(), []

    async def watched() -> None:
        while not stop.is_set():
            await asyncio.sleep(0.5)
            memory.append(resident())

    watching = asyncio.create_task(watched())
    wall, cpu = time.perf_counter(), time.process_time()
    await life.run(stop)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await watching
    return wall, cpu, memory


def counted(state: Path) -> dict[str, int]:
    """Return how many events of each kind the journal holds."""
    db = sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True)
    try:
        return dict(db.execute("SELECT type, count(*) FROM event GROUP BY type"))
    finally:
        db.close()


def by_pandas() -> tuple[float, float]:
    """Return the seconds and the final multiple of a plain weekly loop over the same closes."""
    began = time.perf_counter()
    closes = pd.read_csv(bundled(STOCKS), index_col="date", parse_dates=True)
    returns = np.log(closes).diff()
    weekly = closes.groupby(closes.index.to_period("W")).tail(1).index
    equity, weights = 1.0, pd.Series(0.0, index=closes.columns)
    before = closes.iloc[0]
    for day in closes.index:
        now = closes.loc[day]
        grown = weights * now / before
        equity *= 1.0 + float((grown - weights).sum())
        weights = grown / (1.0 + float((grown - weights).sum()))
        before = now
        if day in weekly:
            deviation = returns.loc[:day].tail(60).std()
            wanted = (1.0 / deviation) / (1.0 / deviation).sum() * 0.95
            if wanted.notna().all():
                traded = wanted.where((wanted - weights).abs() >= 0.01, weights)
                equity *= 1.0 - float((traded - weights).abs().sum()) * 3e-4
                weights = traded
    return time.perf_counter() - began, equity


def main() -> int:
    """Print the figures; fail when a halt happened or the number of decisions is off."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        wall, cpu, memory = asyncio.run(replayed(state))
        events = counted(state)
        size = (state / "journal.db").stat().st_size / 2**20
    seconds, multiple = by_pandas()
    bars = events["bars_closed"] * 20
    decisions = events["command_received"]
    halts = events.get("halted", 0)
    middle, last = memory[len(memory) // 2], memory[-1]
    print(f"{bars:,} bars in {wall:.1f} s ({cpu:.1f} s of CPU): {bars / wall:,.0f} bars/s")
    print(
        f"  beside NautilusTrader's {NAUTILUS:,} bars/s with orders: {bars / wall / NAUTILUS:.2f}x"
    )
    print(f"  beside a plain pandas loop, {seconds:.1f} s: {seconds / wall:.2f}x its speed")
    print(
        f"  {decisions:,} weekly decisions, {events['order_submitted']:,} orders, "
        f"{events['order_filled']:,} fills, {halts} halts; journal {size:.0f} MiB"
    )
    print(f"  memory {middle:.0f} MiB half-way, {last:.0f} MiB at the end ({last - middle:+.1f})")
    print(f"  (the pandas loop ends at {multiple:.0f} times its start)")
    if halts or not WEEKS[0] <= decisions <= WEEKS[1]:
        print(f"FAILED: 0 halts and {WEEKS} decisions were expected", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
