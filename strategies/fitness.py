"""What a genome is worth: its evidence as a model of the market, and its money after costs.

Everything is to be maximised. Arrays have a column for each genome; bar t is known to bar t alone.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies import kernels
from strategies.genome import genome_of
from strategies.market_model import EXPOSURES, RANGE_EDGES, Z_EDGES, Tables, tables
from strategies.terms import Terms

Array = NDArray[np.float64]
Genes = NDArray[np.float64]

PERCEPTION: Final = ("log evidence", "log evidence of the worst window")
MONEY: Final = ("return for risk", "drawdown", "turnover", "stability")
INFEASIBLE: Final = -1e3  # plus minus how far a constraint is missed: DEAP's delta penalty
FEWEST_TRADES: Final = 12.0  # a year, below which there is nothing to judge
LOSS: Final = 1e-12


class Market(msgspec.Struct, frozen=True):
    """A history of N instruments: (T, N) prices, NaN where there is none, and (T,) rebalances."""

    closes: Array
    highs: Array
    lows: Array
    fills: Array  # what an order of the bar before trades at: the open where known, else the close
    due: NDArray[np.bool_]

    def until(self, end: int) -> "Market":
        """Return the first `end` bars of it."""
        return Market(
            self.closes[:end], self.highs[:end], self.lows[:end], self.fills[:end], self.due[:end]
        )


class Outcome(msgspec.Struct, frozen=True):
    """What P genomes would have earned over T bars of N instruments, after costs."""

    returns: Array  # (T, P) of equity, per bar
    turnover: Array  # (T, P) notional traded at a bar, fraction of equity
    exposure: Array  # (T, P) gross, fraction of equity
    profit: Array  # (N, P) money
    trades: Array  # (P,)

    def within(self, start: int, end: int) -> "Outcome":
        """Return bars `start` to `end`; profit and trades stay those of the whole."""
        bars = slice(start, end)
        return msgspec.structs.replace(
            self,
            returns=self.returns[bars],
            turnover=self.turnover[bars],
            exposure=self.exposure[bars],
        )


def market_of(
    closes: Array,
    highs: Array | None = None,
    lows: Array | None = None,
    opens: Array | None = None,
    *,
    due: NDArray[np.bool_] | None = None,
) -> Market:
    """Return a history from what is known of it: (T, N) arrays, or None."""
    closes = np.ascontiguousarray(closes, dtype=np.float64)
    unknown = np.full(closes.shape, np.nan)
    return Market(
        closes,
        unknown if highs is None else np.ascontiguousarray(highs),
        unknown if lows is None else np.ascontiguousarray(lows),
        closes if opens is None else np.where(np.isfinite(opens), opens, closes),
        np.ones(len(closes), dtype=np.bool_) if due is None else due,
    )


def parameters(models: Sequence[Tables]) -> Array:
    """Return (blocks, ROWS, LANES) what the kernels take; the last block repeats its last model."""
    lanes = kernels.LANES
    blocks = -(-len(models) // lanes)
    packed = np.empty((blocks * lanes, kernels.ROWS))
    for row, model in enumerate(models):
        packed[row] = np.concatenate(
            [
                model.A_z.ravel(),
                model.A_r.ravel(),
                model.B.ravel(),
                model.utility.ravel(),
                predicted(model),
                model.levels,
                [
                    model.gamma,
                    model.kappa,
                    model.c_fast,
                    model.c_slow,
                    model.keep_reversion,
                    model.a_fast,
                    model.a_slow,
                    model.a_reversion,
                    model.target,
                    model.c_book,
                    model.parity,
                    model.leverage,
                    model.band,
                    model.cap,
                    model.gross,
                    model.net,
                    model.stop,
                    model.cooldown,
                ],
            ]
        )
    packed[len(models) :] = packed[len(models) - 1]
    blocked = packed.reshape(blocks, lanes, kernels.ROWS).transpose(0, 2, 1)
    return np.ascontiguousarray(blocked)


def predicted(model: Tables) -> Array:
    """Return (6,) what is expected of a bar before anything was seen, summed as a step does."""
    total = model.B[:, 0] * model.D[0]
    for state in range(1, len(model.D)):
        total = total + model.B[:, state] * model.D[state]
    return np.asarray(total)


def models(genes: Genes, exposures: str) -> list[Tables]:
    """Return the tables of (P, G) genomes."""
    return [tables(genome_of(row), EXPOSURES[exposures]) for row in genes]


def simulated(market: Market, genes: Genes, terms: Terms) -> Outcome:
    """Return what (P, G) genomes would have earned on a history."""
    seen = kernels.perceive(market.closes, market.highs, market.lows, Z_EDGES, RANGE_EDGES)
    given, nothing = terms.array, np.zeros((0, 0, 0, 0))
    results = [
        kernels.simulate(seen, market.closes, market.fills, market.due, block, given, nothing)
        for block in parameters(models(genes, terms.exposures))
    ]
    equity, turnover, exposure, profit = (
        np.concatenate([each[n] for each in results], axis=1)[:, : len(genes)] for n in range(4)
    )
    before = np.concatenate([np.full((1, len(genes)), terms.initial), equity[:-1]])
    returns = np.divide(equity, before, out=np.zeros_like(equity), where=before > 0.0) - 1.0
    returns[before <= 0.0] = 0.0
    trades = np.concatenate([each[4] for each in results])[: len(genes)]
    return Outcome(returns, turnover, exposure, profit, trades)


def log_evidence(market: Market, genes: Genes, exposures: str) -> Array:
    """Return (T, P) the log of the probability that each genome gave to each bar's observations.

    Summed over the instruments observed; natural logs.
    """
    seen = kernels.perceive(market.closes, market.highs, market.lows, Z_EDGES, RANGE_EDGES)
    results = [
        np.log(kernels.foretell(seen, block)).sum(axis=1)
        for block in parameters(models(genes, exposures))
    ]
    return np.concatenate(results, axis=1)[:, : len(genes)]


def perception_objectives(
    market: Market, genes: Genes, exposures: str, windows: Sequence[tuple[int, int]]
) -> Array:
    """Return (P, 2) PERCEPTION, nats per observation, over walk-forward windows of bars."""
    logs = log_evidence(market, genes, exposures)
    seen = kernels.perceive(market.closes, market.highs, market.lows, Z_EDGES, RANGE_EDGES)
    observed = (seen[2] >= 0).sum(axis=1)
    means = np.array([logs[a:b].sum(axis=0) / max(int(observed[a:b].sum()), 1) for a, b in windows])
    return np.column_stack([means.mean(axis=0), means.min(axis=0)])


def money_objectives(outcome: Outcome, terms: Terms, windows: Sequence[tuple[int, int]]) -> Array:
    """Return (P, 4) MONEY of an outcome, judged over windows of bars.

    return for risk  Sharpe ratio per year over all windows
    drawdown         minus the largest fall of equity from its best, fraction
    turnover         minus notional traded per year, multiples of equity
    stability        the Sharpe ratios' mean over windows less their deviation, less the largest
                     share that one instrument has of all that was won

    A genome that trades less than FEWEST_TRADES a year, or loses all, has every objective far
    below any other's, the further the more it misses.
    """
    start, end = windows[0][0], windows[-1][1]
    judged = outcome.within(start, end)
    years = max((end - start) / terms.per_year, LOSS)
    by_window = np.array([sharpe(outcome.returns[a:b], terms.per_year) for a, b in windows])
    won = np.maximum(outcome.profit, 0.0)
    largest = won.max(axis=0) / np.maximum(won.sum(axis=0), LOSS)
    made = np.column_stack(
        [
            sharpe(judged.returns, terms.per_year),
            -drawdown(judged.returns),
            -judged.turnover.sum(axis=0) / years,
            by_window.mean(axis=0) - by_window.std(axis=0) - largest,
        ]
    )
    missing = np.maximum(FEWEST_TRADES - outcome.trades * terms.per_year / len(outcome.returns), 0)
    broken = (outcome.returns <= -1.0 + LOSS).any(axis=0) | ~np.isfinite(made).all(axis=1)
    refused = (missing > 0.0) | broken
    made[refused] = (INFEASIBLE - missing - 1e3 * broken)[refused, None]
    return made


def sharpe(returns: Array, per_year: float) -> Array:
    """Return (P,) Sharpe ratios per year of (T, P) returns; 0 where nothing moved."""
    mean, deviation = returns.mean(axis=0), returns.std(axis=0)
    moving = deviation > LOSS
    ratio = np.divide(mean, deviation, out=np.zeros_like(mean), where=moving)
    return np.asarray(ratio * sqrt(per_year))


def drawdown(returns: Array) -> Array:
    """Return (P,) the largest fall of (T, P) returns from their best before, a fraction >= 0."""
    equity = np.cumprod(1.0 + returns, axis=0)
    best = np.maximum(np.maximum.accumulate(equity, axis=0), 1.0)
    return np.asarray((1.0 - equity / best).max(axis=0))
