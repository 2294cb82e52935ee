"""What the benchmarks of beliefs share: bundled prices as evidence, and rivals that foretell it.

Scores are mean natural logs of the probability that was given, one bar before, to the bin of the
next return: higher is better. Every rival is asked for the same seven bins.
"""

import csv
import gzip
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import stdtr

from daemon.feeds.bundle import STOCKS, bundled
from strategies.belief import blank
from strategies.genome import DEFAULT
from strategies.market_model import Z_EDGES, Tables, tables
from strategies.observation import Bars, observed

TRAINED_UNTIL = "2012-12-31"  # what comes later is never fitted to
BURN_IN = 250  # bars that no score counts: every model needs a beginning
INDICES = {"SP500": "sp500_ohlcv_daily", "NASDAQ": "nasdaq_ohlcv_daily"}

Array = NDArray[np.float64]


class Prices(NamedTuple):
    """Daily bars: days (T,) as text, each of the others (T, N), NaN where there is none."""

    names: tuple[str, ...]
    days: NDArray[np.str_]
    close: Array
    high: Array
    low: Array


class Evidence(NamedTuple):
    """What the daemon would have observed: bins (T, N), -1 for nothing; scales and moves (T, N)."""

    prices: Prices
    z_bin: NDArray[np.int64]
    range_bin: NDArray[np.int64]
    sigma: Array  # slow volatility of the bar before
    move: Array  # NaN where there is none

    @property
    def trained(self) -> NDArray[np.bool_]:
        """Return (T,) which bars may be fitted to."""
        late = np.arange(len(self.prices.days)) >= BURN_IN
        return late & (self.prices.days <= TRAINED_UNTIL)

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Return (T,) which bars are kept for the test."""
        return self.prices.days > TRAINED_UNTIL


def rows_of(name: str) -> list[list[str]]:
    """Return a bundled file's rows, the names of its columns first."""
    with gzip.open(bundled(name), "rt", encoding="utf-8", newline="") as text:
        return list(csv.reader(text))


def stocks() -> Prices:
    """Return the closes of the bundled stocks; there are no ranges."""
    head, *rows = rows_of(STOCKS)
    close = np.array([[float(value or "nan") for value in row[1:]] for row in rows])
    nothing = np.full_like(close, np.nan)
    return Prices(tuple(head[1:]), np.array([row[0] for row in rows]), close, nothing, nothing)


def index(name: str) -> Prices:
    """Return the bars of a bundled index, with ranges."""
    head, *rows = rows_of(INDICES[name])
    column = {title.lower(): n for n, title in enumerate(head)}
    close, high, low = (
        np.array([[float(row[column[title]] or "nan")] for row in rows])
        for title in ("close", "high", "low")
    )
    return Prices((name,), np.array([row[0] for row in rows]), close, high, low)


def without_ranges(prices: Prices) -> Prices:
    """Return the same bars as closes only."""
    nothing = np.full_like(prices.close, np.nan)
    return prices._replace(high=nothing, low=nothing)


def evidence(prices: Prices) -> Evidence:
    """Return what the live path observes of `prices`; no genome has a say in it."""
    model = tables(DEFAULT)
    belief, held = blank(prices.names, model), np.zeros(len(prices.names))
    z_bin, range_bin, sigma = [], [], []
    for bars in zip(prices.close, prices.high, prices.low, strict=True):
        seen = observed(model, belief, Bars(*bars), held)
        belief = seen.belief
        z_bin.append(seen.z_bin)
        range_bin.append(seen.range_bin)
        sigma.append(seen.sigma)
    move = np.full_like(prices.close, np.nan)
    move[1:] = prices.close[1:] / prices.close[:-1] - 1.0
    return Evidence(prices, np.array(z_bin), np.array(range_bin), np.array(sigma), move)


def foretold(model: Tables, seen: Evidence) -> Array:
    """Return (T, N, 7) what the filter gave to each bin of each return, one bar before it."""
    return filtered(model.A_z, model.A_r, model.B, model.D, seen.z_bin, seen.range_bin)[0]


@njit(cache=True)
def filtered(
    A_z: Array,  # noqa: N803 - the model's letters
    A_r: Array,  # noqa: N803
    B: Array,  # noqa: N803
    D: Array,  # noqa: N803
    z_bin: NDArray[np.int64],
    range_bin: NDArray[np.int64],
) -> tuple[Array, Array, Array]:
    """Return (T, N, 7) foretold bins, (T, N) log evidence of all seen, (T, N, 6) posteriors."""
    bars, count = z_bin.shape
    bins, states = A_z.shape
    foretells = np.full((bars, count, bins), np.nan)
    log_evidence = np.full((bars, count), np.nan)
    posterior = np.empty((bars, count, states))
    prior, after = np.empty(states), np.empty(states)
    for n in range(count):
        after[:] = D
        for t in range(bars):
            if z_bin[t, n] >= 0:
                for to in range(states):
                    prior[to] = 0.0
                    for of in range(states):
                        prior[to] += B[to, of] * after[of]
                for each in range(bins):
                    total = 0.0
                    for s in range(states):
                        total += prior[s] * A_z[each, s]
                    foretells[t, n, each] = total
                total = 0.0
                for s in range(states):
                    after[s] = prior[s] * A_z[z_bin[t, n], s]
                    if range_bin[t, n] >= 0:
                        after[s] *= A_r[range_bin[t, n], s]
                    total += after[s]
                for s in range(states):
                    after[s] /= total
                log_evidence[t, n] = np.log(total)
            posterior[t, n] = after
    return foretells, log_evidence, posterior


def scores(foretells: Array, seen: Evidence) -> Array:
    """Return (T, N) ln of the probability given to what came, NaN where nothing was observed."""
    given = np.take_along_axis(foretells, np.maximum(seen.z_bin, 0)[:, :, None], axis=2)[:, :, 0]
    return np.where(seen.z_bin >= 0, np.log(np.maximum(given, 1e-12)), np.nan)


def independent(seen: Evidence) -> Array:
    """Return (T, N, 7) each symbol's own frequencies of the training part, whatever happened."""
    counts = np.stack([(seen.z_bin[seen.trained] == n).sum(axis=0) + 1.0 for n in range(7)], axis=1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return np.broadcast_to(shares, (len(seen.z_bin), *shares.shape))


@njit(cache=True)
def averaged(moves: Array, half_life: float) -> Array:
    """Return (T,) the variance known before each bar: an exponential average of squared moves."""
    newest = 1.0 - 0.5 ** (1.0 / half_life)
    found = np.full(len(moves), np.nan)
    variance, count = 0.0, 0.0
    for t in range(len(moves)):
        if count > 0.0:
            found[t] = variance
        if np.isfinite(moves[t]):
            count += 1.0
            variance += (moves[t] ** 2 - variance) * max(newest, 1.0 / count)
    return found


def ewma_t(
    seen: Evidence, n: int, half_life: float, df: float, scale: float, drift: float
) -> Array:
    """Return (T, 7) bins of a Student-t whose scale follows an exponential average.

    drift is its centre, in those scales: beliefs know that prices mostly rise, so must a rival.
    """
    sigma = np.sqrt(averaged(seen.move[:, n], half_life)) * scale
    sigma[sigma == 0.0] = np.nan  # nothing moved yet
    edges = Z_EDGES * (seen.sigma[:, n] / sigma)[:, None] - drift
    below = stdtr(df, edges)
    ends = np.zeros(len(below)), np.ones(len(below))
    return np.diff(np.column_stack([ends[0], below, ends[1]]), axis=1)


def tuned_ewma_t(seen: Evidence, columns: tuple[int, ...]) -> tuple[float, ...]:
    """Return half-life, degrees of freedom, scale and drift with `columns`' best training score."""

    def cost(free: Array) -> float:
        half_life, df, scale = 2.0 + np.exp(free[0]), 2.1 + np.exp(free[1]), np.exp(free[2])
        total = 0.0
        for n in columns:
            rows = seen.trained & (seen.z_bin[:, n] >= 0)
            given = ewma_t(seen, n, half_life, df, scale, free[3])[rows, seen.z_bin[rows, n]]
            total -= float(np.log(np.maximum(given, 1e-12)).mean())
        return total

    begin = [np.log(18.0), np.log(4.0), -0.15, 0.03]
    simplex = np.array([begin, *(begin + row for row in np.diag([0.5, 0.5, 0.1, 0.03]))])
    options = {"xatol": 5e-3, "fatol": 1e-6, "initial_simplex": simplex}
    best = minimize(cost, begin, method="Nelder-Mead", options=options).x
    half_life, df, scale = 2.0 + np.exp(best[0]), 2.1 + np.exp(best[1]), np.exp(best[2])
    return float(half_life), float(df), float(scale), float(best[3])


def by_ewma_t(seen: Evidence) -> Array:
    """Return (T, N, 7) what an EWMA-t foretells, tuned on each symbol's own training part."""
    columns = range(len(seen.prices.names))
    return np.stack([ewma_t(seen, n, *tuned_ewma_t(seen, (n,))) for n in columns], axis=1)
