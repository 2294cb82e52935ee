"""From what a strategy wants to the targets of the account: exposure to weight, caps, and names."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from state.instrument import Symbol
from strategies.belief import BLOCKED, FAST, REVERSION, SLOW
from strategies.inference import Inference
from strategies.market_model import Tables
from strategies.observation import Observed, in_order

Array = NDArray[np.float64]


class Limits(msgspec.Struct, frozen=True):
    """The account's limits that a strategy keeps to by itself; they are never genes."""

    max_weight: float  # fraction of equity
    max_gross: float  # fraction of equity


def targets(
    weights: NDArray[np.float64],
    symbols: Sequence[Symbol],
    *,
    max_weight: float,
    max_gross: float,
) -> dict[Symbol, float]:
    """Return the target of each symbol, a fraction of equity rounded to 1e-9.

    weights     (N,)  fractions of equity, negative short; finite
    symbols     N     their names, in the same order
    max_weight        no target is further from 0 than this
    max_gross         all together are no larger than this: then all are scaled alike

    A weight above `max_weight` is cut and the rest stays in cash; nothing is ever scaled up. This
    is the only place that does either to a strategy's wishes; the rebalance makes them exact.
    """
    if weights.shape != (len(symbols),):
        raise ValueError(f"{len(symbols)} symbols need as many weights, not {weights.shape}")
    within = np.clip(weights, -max_weight, max_weight)
    gross = float(np.abs(within).sum())
    if gross > max_gross:
        within = within * (max_gross / gross)
    rounded = np.round(within, 9) + 0.0  # there is no -0
    return dict(zip(symbols, rounded.tolist(), strict=True))


def tilted(model: Tables, seen: Observed) -> Array:
    """Return (N,) what momentum and mean reversion make of an exposure: 0 closes, 2 doubles it."""
    rows = seen.belief.rows
    signal = (
        model.a_fast * rows[:, FAST] + model.a_slow * rows[:, SLOW]
    ) - model.a_reversion * rows[:, REVERSION]
    return np.minimum(np.maximum(1.0 + signal, 0.0), 2.0)


def sized(model: Tables, seen: Observed, found: Inference, held: Array, limits: Limits) -> Array:
    """Return (N,) weights: expected exposure x blend x volatility target, capped, with a band.

    held (N,) is the fraction of equity in each now. What has no bar keeps it: missing data is no
    reason to trade. What failed the finite guard is closed. The order of operations is part of the
    promise that the backtest kernel gives the same bits.
    """
    want = np.minimum(
        np.maximum(found.exposure * tilted(model, seen), model.levels[0]), model.levels[-1]
    )
    want = np.where((seen.belief.rows[:, BLOCKED] > 0.0) | ~found.ok, 0.0, want)
    cap = min(model.cap, limits.max_weight)
    weight = np.minimum(np.maximum(want * seen.capacity, -cap), cap)
    weight = np.where(seen.usable, weight, held)
    weight = np.where(found.ok, weight, 0.0)
    weight = within_gross(weight, min(model.gross, limits.max_gross))
    net = abs(in_order(weight))
    if net > model.net:
        weight = weight * (model.net / net)
    near = seen.usable & found.ok & (weight != 0.0) & (np.abs(weight - held) < model.band)
    weight = np.where(near, held, weight)
    weight = np.minimum(np.maximum(weight, -limits.max_weight), limits.max_weight)
    weight = within_gross(weight, limits.max_gross)
    return np.asarray(np.rint(weight * 1e9) / 1e9 + 0.0)


def within_gross(weight: Array, most: float) -> Array:
    """Return (N,) weights scaled alike so that all together are no larger than `most`."""
    gross = in_order(np.abs(weight))
    return weight * (most / gross) if gross > most else weight
