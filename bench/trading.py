"""One plain account for every strategy, with costs: part of bench.beliefs.

What is decided at a close trades at the next one. Weekly rebalances, as the daemon does by default.
"""

from datetime import date
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.evidence import Prices
from strategies.active_inference import decide
from strategies.belief import blank
from strategies.genome import Genome
from strategies.inference import NumpyEngine
from strategies.market_model import LONG_ONLY, tables
from strategies.observation import Bars
from strategies.plugin import load
from strategies.sizing import Limits, targets

BAND = 0.01  # fraction of equity: the rebalance's own
YEAR = 252.0

Array = NDArray[np.float64]


class Run(NamedTuple):
    """What an account did: (T,) returns, turnover and gross exposure, fractions of equity."""

    name: str
    returns: Array
    turnover: Array
    exposure: Array


class Figures(NamedTuple):
    """What is said of a run."""

    sharpe: float
    cagr: float
    volatility: float
    drawdown: float
    turnover: float  # a year
    exposure: float


def last_of_week(days: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return (T,) whether a day is the last session of its week, as far as these days tell."""
    weeks = [date.fromisoformat(str(day)).isocalendar()[:2] for day in days]
    return np.array([*(a != b for a, b in pairwise(weeks)), True])


def active_inference(
    genome: Genome, prices: Prices, limits: Limits, levels: tuple[float, ...] = LONG_ONLY
):
    """Return the strategy as a function of (bar, held, due) to weights."""
    model = tables(genome, levels)
    engine, belief = NumpyEngine(model), blank(prices.names, model)

    def weigh(t: int, held: Array, due: bool) -> Array:
        nonlocal belief
        bars = Bars(prices.close[t], prices.high[t], prices.low[t])
        thought = decide(model, engine, belief, bars, held, limits)
        belief = thought.belief
        return thought.weights

    return weigh


def plugin(name: str, prices: Prices, limits: Limits):
    """Return a baseline as a function of (bar, held, due) to weights."""
    strategy = load(name, {"max_weight": 1.0} if name == "inverse_volatility" else {})

    def weigh(t: int, held: Array, due: bool) -> Array:
        if not due:
            return held
        wanted = strategy.weights(prices.close[max(0, t + 1 - strategy.window) : t + 1], held)
        within = targets(
            wanted, prices.names, max_weight=limits.max_weight, max_gross=limits.max_gross
        )
        return np.array(list(within.values()))

    return weigh


def traded(name: str, weigh, prices: Prices, cost: float, band: float = BAND) -> Run:
    """Return what a strategy's account did; `cost` is a fraction of what is traded."""
    bars, count = prices.close.shape
    due = last_of_week(prices.days)
    units, order, cash = np.zeros(count), np.zeros(count), 1.0
    equity_before = 1.0
    returns, turnover, exposure = np.zeros(bars), np.zeros(bars), np.zeros(bars)
    for t in range(bars):
        close = prices.close[t]
        notional = float(np.abs(order * close).sum())
        cash -= float((order * close).sum()) + notional * cost
        units, order = units + order, np.zeros(count)
        equity = cash + float((units * close).sum())
        held = units * close / equity
        returns[t], equity_before = equity / equity_before - 1.0, equity
        turnover[t], exposure[t] = notional / equity, float(np.abs(held).sum())
        wanted = weigh(t, held, bool(due[t]))
        if due[t]:
            change = wanted - held
            change[np.abs(change) < band] = 0.0
            order = change * equity / close
    return Run(name, returns, turnover, exposure)


def figures(run: Run, rows: NDArray[np.bool_]) -> Figures:
    """Return the figures of a run over some of its bars; returns are beside no riskless rate."""
    returns = run.returns[rows]
    growth = np.cumprod(1.0 + returns)
    peak = np.maximum.accumulate(np.concatenate([[1.0], growth]))[1:]
    deviation = float(returns.std(ddof=1))
    return Figures(
        sharpe=float(returns.mean()) / deviation * YEAR**0.5 if deviation > 0 else 0.0,
        cagr=float(growth[-1] ** (YEAR / len(returns)) - 1.0),
        volatility=deviation * YEAR**0.5,
        drawdown=float((1.0 - growth / peak).max()),
        turnover=float(run.turnover[rows].mean()) * YEAR,
        exposure=float(run.exposure[rows].mean()),
    )
