"""What `beliefs.learning = "A"` is worth, what it loses included: part of bench.beliefs.

The code that trades learns, beside the same filter that doesn't, on the bundled prices and on
markets that were made to fit the trained model, or not to.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from bench.evidence import Evidence, Prices, evidence, foretold, index, scores, stocks
from bench.evidence import without_ranges as closes_of
from strategies.belief import blank
from strategies.genome import DEFAULT
from strategies.inference import NumpyEngine
from strategies.learning import beginning, in_use, learned_step
from strategies.market_model import Tables, tables
from strategies.observation import Observed

MADE, BARS, SEED = 100, 4_000, 11  # markets of each kind, their length
KINDS = {  # what each market really is: the trained model but for these genes
    "made as trained": {},
    "made, tails fatter (df 3)": {"df": 3.0},
    "made, calm half as wide": {"s_calm": DEFAULT["s_calm"] / 2},
}

Array = NDArray[np.float64]


def learning(model: Tables, seen: Evidence) -> tuple[Array, Array]:
    """Return (T, N, 7) what was given to each bin one bar before, and (T, N) whether as learned."""
    engine, nobody = NumpyEngine(model), np.zeros(len(seen.prices.names))
    belief = beginning(blank(seen.prices.names, model), model)
    observed = partial(
        Observed, z=nobody, spread=nobody, sigma=nobody, capacity=nobody, scale=1.0,
        held_exposure=nobody,
    )  # fmt: skip
    foretells = np.empty((*seen.z_bin.shape, len(model.A_z)))
    used = np.empty(seen.z_bin.shape, dtype=np.bool_)
    for t, (z_bin, range_bin) in enumerate(zip(seen.z_bin, seen.range_bin, strict=True)):
        learned, likelihood = belief.learned, in_use(model, belief)
        if learned is None or likelihood is None:
            raise ValueError("the belief does not learn")
        used[t] = learned.used
        foretells[t] = np.einsum("ns,nzs->nz", belief.posterior @ model.B.T, likelihood)
        stepped = z_bin >= 0
        bar = observed(
            belief=belief, z_bin=z_bin, range_bin=range_bin, stepped=stepped, usable=stepped
        )
        found, learned = learned_step(model, engine, belief, learned, bar)
        rows = belief.rows.copy()
        rows[:, :6] = found.posterior
        belief = replace(belief, rows=rows, learned=learned)
    return foretells, used


def made(truth: Tables, seed: int) -> Evidence:
    """Return what MADE markets show that move by `truth` and show themselves by it."""
    chance = np.random.default_rng(seed)
    moves, shows = truth.B.cumsum(axis=0), truth.A_z.cumsum(axis=0)
    state = chance.choice(len(truth.D), size=MADE, p=truth.D)
    bins = np.empty((BARS, MADE), dtype=np.int64)
    for t in range(BARS):
        state = np.minimum((chance.random(MADE) > moves[:, state]).sum(axis=0), len(truth.D) - 1)
        bins[t] = np.minimum((chance.random(MADE) > shows[:, state]).sum(axis=0), 6)
    nothing = np.full((BARS, MADE), np.nan)
    days = np.full(BARS, "9999-12-31")  # nothing was fitted to any of it
    prices = Prices(tuple(map(str, range(MADE))), days, nothing, nothing, nothing)
    return Evidence(prices, bins, np.full_like(bins, -1), nothing, nothing)


def markets() -> Iterator[tuple[str, Evidence]]:
    """Yield what is learned of: real prices first."""
    yield "20 stocks, closes", evidence(stocks())
    for name in ("SP500", "NASDAQ"):
        yield f"{name}, closes", evidence(closes_of(index(name)))
        yield f"{name}, closes and ranges", evidence(index(name))
    for name, but in KINDS.items():
        yield name, made(tables(DEFAULT.but(**but)), SEED)


def learned_scores() -> Iterator[tuple[str, tuple[str, ...], Array, Array, float]]:
    """Yield a market, its symbols, log scores (T, N) without and with learning, and its use.

    All are of the bars after training; use is the share of them that was foretold as learned.
    """
    model = tables(DEFAULT)
    for name, seen in markets():
        rows = seen.tested
        foretells, used = learning(model, seen)
        off, on = scores(foretold(model, seen), seen)[rows], scores(foretells, seen)[rows]
        yield name, seen.prices.names, off, on, float(used[rows].mean())
