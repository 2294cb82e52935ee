"""One step of pymdp for 20 and 1,000 instruments, beside numpy and beside pymdp without jit.

`python -m bench.belief_step`, all in one run, interleaved. Then 10,000 steps, whose memory must
stay flat, and both engines over every bar of the bundled stocks, whose weights must agree.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.evidence import Prices, stocks
from strategies import kernels
from strategies.active_inference import decide
from strategies.belief import blank
from strategies.fitness import market_of, parameters
from strategies.genome import DEFAULT
from strategies.inference import Engine, NumpyEngine, make_engine
from strategies.market_model import RANGE_EDGES, Z_EDGES, tables
from strategies.observation import closes_only
from strategies.sizing import Limits
from strategies.terms import Terms

ROUNDS, CALLS = 9, 60
STEPS = 10_000
GROWTH = 8.0  # MiB that 10,000 steps may add once the first 1,000 are over
APART = 1e-12
START = """
import json, sys, time
began = time.perf_counter()
import numpy as np
from strategies.genome import DEFAULT
from strategies.inference import make_engine
from strategies.market_model import tables
engine = make_engine("pymdp", tables(DEFAULT), sys.argv[1])
made = time.perf_counter()
nothing = np.full(20, -1)
engine.step(np.full((20, 6), 1 / 6), nothing, nothing, np.zeros(20), np.full(20, True))
print(json.dumps([made - began, time.perf_counter() - made]))
"""


def resident() -> float:
    """Return this process's resident memory, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def cases(rows: int):
    """Return what a step is given for so many instruments."""
    chance = np.random.default_rng(rows)
    return (
        chance.dirichlet(np.ones(6), rows),
        chance.integers(-1, 7, rows),
        chance.integers(-1, 5, rows),
        chance.uniform(0.0, 1.0, rows),
        np.full(rows, True),
    )


def microseconds(engine: Engine, rows: int, calls: int) -> float:
    """Return the CPU time of a step, which other work on the machine disturbs least."""
    given = cases(rows)
    began = time.process_time()
    for _ in range(calls):
        engine.step(*given)
    return (time.process_time() - began) / calls * 1e6


class Unjitted:
    """pymdp's step as Python runs it."""

    name = "pymdp without jit"

    def __init__(self, compiled: Engine) -> None:
        from strategies import pymdp_engine

        self._engine = type(compiled)(compiled.model)
        self._engine._step = pymdp_engine.traced()

    def step(self, *given):
        """Return what the engine does, each operation on its own."""
        return self._engine.step(*given)


def steps(compiled: Engine, plain: Engine) -> None:
    """Print what a step costs."""
    slow = Unjitted(compiled)
    for rows in (20, 1000):
        compiled.step(*cases(rows))
        slow.step(*cases(rows))
        taken = [
            (
                microseconds(compiled, rows, CALLS),
                microseconds(plain, rows, CALLS),
                microseconds(slow, rows, 1) if turn < 3 else None,
            )
            for turn in range(ROUNDS)
        ]
        jitted, numpy, eager = (
            statistics.median(value for value in column if value is not None)
            for column in zip(*taken, strict=True)
        )
        print(
            f"{rows:>5} instruments, us of CPU a step: pymdp {jitted:,.0f}, numpy {numpy:,.0f} "
            f"({jitted / numpy:.1f}x less), pymdp without jit {eager:,.0f} "
            f"({eager / jitted:,.0f}x more)"
        )


def flat(compiled: Engine) -> bool:
    """Print what 10,000 steps add to memory; return whether that is next to nothing."""
    given = cases(20)
    for _ in range(1_000):
        compiled.step(*given)
    before = resident()
    for _ in range(STEPS):
        compiled.step(*given)
    after = resident()
    print(f"memory: {before:.0f} MiB, {after - before:+.1f} MiB after {STEPS:,} more steps")
    return after - before < GROWTH


def agree(compiled: Engine, plain: Engine, prices: Prices) -> bool:
    """Print how far the engines are apart over all bars; return whether by rounding alone."""
    model, limits = compiled.model, Limits(0.20, 1.0)
    belief, held = [blank(prices.names, model)] * 2, [np.zeros(len(prices.names))] * 2
    beliefs_apart, differing = 0.0, 0
    for close in prices.close:
        for n, engine in enumerate((compiled, plain)):
            thought = decide(model, engine, belief[n], closes_only(close), held[n], limits)
            belief[n], held[n] = thought.belief, thought.weights
        beliefs_apart = max(beliefs_apart, float(np.abs(belief[0].rows - belief[1].rows).max()))
        differing += int((held[0] != held[1]).any())
    print(
        f"{len(prices.close):,} bars of {len(prices.names)} stocks: beliefs at most "
        f"{beliefs_apart:.1e} apart, weights (rounded to 1e-9) differ on {differing} bars"
    )
    return beliefs_apart < APART and differing == 0


def as_bred(prices: Prices) -> bool:
    """Print on how many bars kernel and live path differ, for the same holdings; True if none."""
    terms = Terms(max_gross=1.0)
    market = market_of(prices.close)
    seen = kernels.perceive(market.closes, market.highs, market.lows, Z_EDGES, RANGE_EDGES)
    model = tables(DEFAULT)
    trace = np.zeros((*prices.close.shape, 2, 1))
    kernels.simulate(
        seen, market.closes, market.fills, market.due, parameters([model])[0], terms.array, trace
    )
    engine, belief, differing = NumpyEngine(model), blank(prices.names, model), 0
    for close, (held, wanted) in zip(prices.close, trace[..., 0].swapaxes(1, 2), strict=True):
        thought = decide(
            model, engine, belief, closes_only(close), held, Limits(terms.max_weight, 1.0)
        )
        belief = thought.belief
        differing += thought.weights.tobytes() != np.ascontiguousarray(wanted).tobytes()
    print(f"the backtest kernel and the live path (numpy) differ on {differing} of these bars")
    return differing == 0


def starts() -> None:
    """Print the time from nothing to the first decision, without and with kept code."""
    with tempfile.TemporaryDirectory() as folder:
        for label in ("cold", "warm"):
            result = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", START, folder],
                capture_output=True,
                check=True,
            )
            made, first = json.loads(result.stdout)
            print(f"start to first step, {label}: {made:.1f} s to import, {first:.1f} s to compile")


def main() -> int:
    """Print all; fail where memory grows or the engines differ."""
    model = tables(DEFAULT)
    starts()
    before = resident()
    with tempfile.TemporaryDirectory() as folder:
        compiled, plain = make_engine("pymdp", model, folder), NumpyEngine(model)
        compiled.step(*cases(20))
        print(f"jax and pymdp take {resident() - before:.0f} MiB")
        kept = flat(compiled)
        alike = agree(compiled, plain, stocks()) and as_bred(stocks())
        steps(compiled, plain)
    print("ok" if kept and alike else "FAILED: memory must stay flat and the engines agree")
    return 0 if kept and alike else 1


if __name__ == "__main__":
    raise SystemExit(main())
