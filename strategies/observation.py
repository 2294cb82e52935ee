"""From a bar to evidence: causal scales, bins, averages and what each instrument may carry.

The backtest kernel and the live path must agree to the bit, so here is nothing but + - * / and
square roots, in the order written, and sums run from the first instrument to the last.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.belief import (
    BASE,
    BLOCKED,
    COUNT,
    FALL,
    FAST,
    PRICE,
    REVERSION,
    SLOW,
    VARIANCE,
    Belief,
)
from strategies.market_model import RANGE_EDGES, Z_EDGES, Tables

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

SLOWEST: Final = float(1.0 - 0.5 ** (1.0 / 120.0))  # weight of the newest return in the slow scale
FEWEST: Final = 20.0  # returns that make a volatility
CLIP: Final = 6.0  # slow sigmas: more of one bar doesn't count in averages


class Bars(msgspec.Struct, frozen=True):
    """One bar of each instrument, (N,) each; NaN where there is none."""

    close: Array
    high: Array
    low: Array


class Observed(msgspec.Struct, frozen=True):
    """What a bar showed, (N,) each, and the belief with all but the posterior brought up to it."""

    belief: Belief
    z: Array  # return in slow sigmas of one bar before; 0 where not stepped
    spread: Array  # bar range in slow sigmas; 0 where unknown
    z_bin: Integers  # -1 where not stepped
    range_bin: Integers  # -1 where unknown
    sigma: Array  # the slow volatility per bar that z is measured by
    stepped: Booleans  # it has a bar and a scale: time passes for its belief
    usable: Booleans  # it has a bar, and the book a volatility: a weight can be given
    capacity: Array  # weight of an exposure of 1, fraction of equity
    scale: float  # of the book, by the volatility target; 0 while unknown
    held_exposure: Array  # what is held as an exposure


def closes_only(close: Array) -> Bars:
    """Return bars (N,) of closes alone."""
    nothing = np.full(len(close), np.nan)
    return Bars(close, nothing, nothing)


def observed(model: Tables, belief: Belief, bars: Bars, held: Array) -> Observed:
    """Return what `bars` show after `belief`; held (N,) is the fraction of equity in each now."""
    was = belief.rows
    now = was.copy()
    price, variance, count = was[:, PRICE], was[:, VARIANCE], was[:, COUNT]
    active = np.isfinite(bars.close) & (bars.close > 0.0)
    moved = active & (price > 0.0)
    close = np.where(active, bars.close, 1.0)
    move = np.where(moved, close / np.where(moved, price, 1.0) - 1.0, 0.0)
    stepped = moved & (count >= FEWEST) & (variance > 0.0)
    sigma = np.sqrt(np.where(stepped, variance, 1.0))
    z = np.where(stepped, move / sigma, 0.0)
    z_bin = np.where(stepped, binned(z, Z_EDGES), -1)
    with np.errstate(invalid="ignore"):
        ranged = stepped & np.isfinite(bars.high) & (bars.low > 0.0) & (bars.high >= bars.low)
    low = np.where(ranged, bars.low, 1.0)
    spread = (np.where(ranged, bars.high, 1.0) / low - 1.0) / sigma
    range_bin = np.where(ranged, binned(spread, RANGE_EDGES), -1)

    clipped = np.minimum(np.maximum(z, -CLIP), CLIP)
    averaged(model, now, clipped, stepped)
    stopped(model, now, clipped, stepped, held)
    counted = count + 1.0
    newest = np.maximum(SLOWEST, 1.0 / counted)
    now[:, COUNT] = np.where(moved, counted, count)
    now[:, VARIANCE] = np.where(moved, variance + (move * move - variance) * newest, variance)
    now[:, PRICE] = np.where(active, bars.close, price)

    book_variance, book_count = belief.book_variance, belief.book_count
    if moved.any() and in_order(was[:, BASE]) > 0.0:
        book = in_order(was[:, BASE] * move)
        book_count += 1.0
        weight = max(model.c_book, 1.0 / book_count)
        book_variance += (book * book - book_variance) * weight
    now[:, BASE] = base(model, now)
    scale = 0.0
    if book_count >= FEWEST and book_variance > 0.0:
        scale = min(model.leverage, model.target / float(np.sqrt(book_variance)))
    capacity = now[:, BASE] * scale
    held_exposure = np.where(
        capacity > 0.0,
        np.minimum(
            np.maximum(held / np.where(capacity > 0.0, capacity, 1.0), model.levels[0]),
            model.levels[-1],
        ),
        0.0,
    )
    return Observed(
        belief=Belief(belief.symbols, now, book_variance, book_count),
        z=z,
        spread=spread,
        z_bin=z_bin,
        range_bin=range_bin,
        sigma=sigma,
        stepped=stepped,
        usable=active & (now[:, BASE] > 0.0) & (scale > 0.0),
        capacity=capacity,
        scale=scale,
        held_exposure=held_exposure,
    )


def binned(values: Array, edges: Array) -> Integers:
    """Return (N,) the number of edges that each value has reached."""
    found = np.zeros(len(values), dtype=np.int64)
    for edge in edges.tolist():
        found += values >= edge
    return found


def averaged(model: Tables, rows: Array, z: Array, stepped: Booleans) -> None:
    """Bring the averages of returns in `rows` up to `z`."""
    fast, slow, reversion = rows[:, FAST], rows[:, SLOW], rows[:, REVERSION]
    rows[:, FAST] = np.where(stepped, fast + (z - fast) * model.c_fast, fast)
    rows[:, SLOW] = np.where(stepped, slow + (z - slow) * model.c_slow, slow)
    rows[:, REVERSION] = np.where(stepped, (reversion + z) * model.keep_reversion, reversion)


def stopped(model: Tables, rows: Array, z: Array, stepped: Booleans, held: Array) -> None:
    """Bring the stops in `rows` up to `z`: how far below its best a position is, in slow sigmas."""
    side = (held > 0.0).astype(np.float64) - (held < 0.0).astype(np.float64)
    fall = np.where(side == 0.0, 0.0, np.minimum(0.0, rows[:, FALL] + side * z))
    hit = fall < -model.stop
    blocked = np.where(hit, model.cooldown, np.maximum(rows[:, BLOCKED] - 1.0, 0.0))
    rows[:, FALL] = np.where(stepped, np.where(hit, 0.0, fall), rows[:, FALL])
    rows[:, BLOCKED] = np.where(stepped, blocked, rows[:, BLOCKED])


def base(model: Tables, rows: Array) -> Array:
    """Return (N,) shares of the book fully invested: between equal and inverse to volatility."""
    known = (rows[:, COUNT] >= FEWEST) & (rows[:, VARIANCE] > 0.0)
    if not known.any():
        return np.zeros(len(rows))
    inverse = np.where(known, 1.0 / np.sqrt(np.where(known, rows[:, VARIANCE], 1.0)), 0.0)
    equal = 1.0 / float(known.sum())
    parity = equal + (inverse / in_order(inverse) - equal) * model.parity
    return np.where(known, parity, 0.0)


def in_order(values: Array) -> float:
    """Return the sum from the first to the last; numpy's own sums pairwise, with other bits."""
    return float(np.add.accumulate(values)[-1]) if len(values) else 0.0
