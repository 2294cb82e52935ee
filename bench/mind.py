"""What the mind costs: the event loop while it steps, and from a start to the first decision.

python -m bench.mind            both engines, 20 and 1,000 instruments; then starts, cold and warm
"""

import asyncio
import contextlib
import gc
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from daemon.mind import Mind
from daemon.minding import ONE_THREAD
from daemon.pool import ThreadPool
from state.quote import Bar, Close
from strategies.genome import DEFAULT
from strategies.market_model import tables
from strategies.sizing import Limits

BARS = 100
CONFIG = """
[replay]
start = 2019-01-02
pace = 20
[strategy]
name = "active_inference"
[beliefs]
engine = "{engine}"
[telemetry]
http = ""
"""


def closes(symbols: tuple[str, ...]) -> list[Close]:
    """Return closes of random prices."""
    chance = np.random.default_rng(1)
    prices, made = np.full(len(symbols), 100.0), []
    for n in range(BARS):
        prices *= np.exp(chance.normal(0.0, 0.01, len(symbols)))
        bars = tuple(
            Bar(
                s, Decimal(f"{p:.4f}"), None, Decimal(f"{p * 1.01:.4f}"), Decimal(f"{p * 0.99:.4f}")
            )
            for s, p in zip(symbols, prices.tolist(), strict=True)
        )
        at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=n)
        made.append(Close(at, at.date(), bars))
    return made


async def stepping(engine: str, count: int, beat: float = 0.001) -> str:
    """Step a mind while a heartbeat measures how late the loop is."""
    symbols = tuple(f"S{n}" for n in range(count))
    market = closes(symbols)
    pool = ThreadPool("mind")
    mind = Mind(pool, tables(DEFAULT), symbols, Limits(0.2, 1.0), engine=engine)

    async def nothing_past(_: int) -> list[object]:
        return []

    await mind.wake(None, nothing_past)  # type: ignore[arg-type]
    late: list[float] = []
    stepped: list[float] = []

    async def heart() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(beat)
            late.append(time.perf_counter() - before - beat)

    gc.collect()
    gc.freeze()  # the closes made above are no part of what a daemon holds
    beating = asyncio.create_task(heart())
    await asyncio.sleep(2.0)
    idle = np.array(late)
    late.clear()
    for close in market:
        began = time.perf_counter()
        assert await mind.think(close, np.zeros(count)) is not None
        stepped.append(time.perf_counter() - began)
    beating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beating
    await pool.aclose(5.0)
    gc.unfreeze()
    return (
        f"{engine:6} {count:5} instruments: step {np.median(stepped) * 1e3:7.2f} ms; loop late p50 "
        f"{np.median(late) * 1e3:.2f}, p99 {np.quantile(late, 0.99) * 1e3:.2f} ms of "
        f"{len(late)} (idle p99 {np.quantile(idle, 0.99) * 1e3:.2f} ms)"
    )


def decided(journal: Path) -> bool:
    """Return whether a journal has a close with a belief and targets by it."""
    if not journal.exists():
        return False
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        try:
            rows = db.execute("SELECT body FROM event WHERE type = 'bars_closed'").fetchall()
        except sqlite3.OperationalError:  # not laid out yet
            return False
    events = [msgspec.json.decode(body) for (body,) in rows]
    return any(event["belief"] and event["targets"] for event in events)


def started(engine: str, state: Path) -> float:
    """Return seconds from the start of a real tmd to the first close decided by a belief."""
    file = state.parent / f"{engine}.toml"
    file.write_text(CONFIG.format(engine=engine))
    tmd = Path(sys.executable).with_name("tmd")
    began = time.perf_counter()
    process = subprocess.Popen(
        [tmd, "--config", file, "--state", state],
        env={"PATH": "/usr/bin:/bin", "HOME": str(state), "TM_SOCKET": str(state / "s")},
        stderr=subprocess.DEVNULL,
    )
    try:
        while not decided(state / "journal.db"):
            if process.poll() is not None:
                raise RuntimeError(f"tmd ended with {process.returncode}")
            time.sleep(0.05)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()
        (state / "journal.db").unlink(missing_ok=True)  # compiled code stays, beliefs go
        for left in (*state.glob("journal.db-*"), *state.glob("paper.db*")):
            left.unlink()


def main() -> None:
    """Print the table."""
    import os

    os.environ.setdefault("XLA_FLAGS", ONE_THREAD)
    for engine in ("numpy", "pymdp"):
        for count in (20, 1000):
            print(asyncio.run(stepping(engine, count)), flush=True)
    for engine in ("numpy", "pymdp"):
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state"
            state.mkdir(mode=0o700)
            cold, warm = started(engine, state), started(engine, state)
        print(
            f"{engine:6} start to the first decision: cold {cold:.1f} s, warm {warm:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
