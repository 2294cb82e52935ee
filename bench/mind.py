"""What the mind costs: the event loop while it steps, and from a start to the first decision.

python -m bench.mind            both engines, 20 and 1,000 instruments; then starts, cold and warm
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from daemon.mind import Mind
from daemon.minding import ONE_THREAD
from daemon.pool import ThreadPool
from state.quote import Bar, Close
from strategies.genome import DEFAULT
from strategies.market_model import tables
from strategies.sizing import Limits

BARS = 200
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


async def stepping(engine: str, count: int, beat: float = 0.001) -> str:
    """Step a mind while a heartbeat measures how late the loop is."""
    chance = np.random.default_rng(1)
    symbols = tuple(f"S{n}" for n in range(count))
    pool = ThreadPool("mind")
    mind = Mind(pool, tables(DEFAULT), symbols, Limits(0.2, 1.0), engine=engine)

    async def nothing_past(_: int) -> list[object]:
        return []

    await mind.wake(None, nothing_past)  # type: ignore[arg-type]
    prices, late, stepped = np.full(count, 100.0), [], []

    async def heart() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(beat)
            late.append(time.perf_counter() - before - beat)

    idle_heart = asyncio.create_task(heart())
    await asyncio.sleep(1.0)
    idle, late[:] = np.array(late), []
    for n in range(BARS):
        prices *= np.exp(chance.normal(0.0, 0.01, count))
        bars = tuple(
            Bar(
                s, Decimal(f"{p:.4f}"), None, Decimal(f"{p * 1.01:.4f}"), Decimal(f"{p * 0.99:.4f}")
            )
            for s, p in zip(symbols, prices.tolist(), strict=True)
        )
        at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=n)
        await asyncio.sleep(0)
        late_before = len(late)
        began = time.perf_counter()
        assert await mind.think(Close(at, at.date(), bars), np.zeros(count)) is not None
        stepped.append(time.perf_counter() - began)
        if late_before == len(late):
            late.append(0.0)
        await asyncio.sleep(0.005)
    idle_heart.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await idle_heart
    await pool.aclose(5.0)
    return (
        f"{engine:6} {count:5} instruments: step {np.median(stepped) * 1e3:7.2f} ms; loop late p50 "
        f"{np.median(late) * 1e3:.2f}, p99 {np.quantile(late, 0.99) * 1e3:.2f} ms "
        f"(idle p99 {np.quantile(idle, 0.99) * 1e3:.2f} ms)"
    )


def started(engine: str, state: Path) -> float:
    """Return seconds from the start of a real tmd to the first close with a belief."""
    file = state.parent / f"{engine}.toml"
    file.write_text(CONFIG.format(engine=engine))
    tmd = Path(sys.executable).with_name("tmd")
    began = time.perf_counter()
    process = subprocess.Popen(
        [tmd, "--config", file, "--state", state],
        env={"PATH": "/usr/bin:/bin", "HOME": str(state), "TM_SOCKET": str(state / "s")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr or ():
            if "mind_awake" in line:
                return time.perf_counter() - began
        raise RuntimeError("the mind did not wake")
    finally:
        process.terminate()
        process.wait()


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
            f"{engine:6} start to the mind awake: cold {cold:.1f} s, warm {warm:.1f} s", flush=True
        )


if __name__ == "__main__":
    main()
