"""Whether one return series is better than another, by resampling both in the same blocks."""

from math import ceil, log10, sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 2_000
SILENCE: Final = 5  # autocorrelations in a row, all within the noise, that end the memory


class Comparison(msgspec.Struct, frozen=True):
    """How a series stands against another: the difference of their Sharpe ratios, per year."""

    difference: float
    low: float  # 5 % and 95 % of the resampled differences
    high: float
    p_value: float  # how often a true difference of 0 gives one as large as that
    block: int  # observations in a block


def compared(
    returns: NDArray[np.float64],
    other: NDArray[np.float64],
    chance: np.random.Generator,
    *,
    per_year: float,
    draws: int = DRAWS,
) -> Comparison:
    """Return how (T,) `returns` compare with `other` at the same times; ValueError below 20.

    Circular block bootstrap of the pairs (Politis & Romano, "A circular block-resampling procedure
    for stationary data", 1992); the p-value is of the centred differences. Returns without any
    spread have a Sharpe ratio of 0, so cash is a series of zeros.
    """
    bars = len(returns)
    if bars < 20 or len(other) != bars:
        raise ValueError(f"{bars} returns against {len(other)}: both need the same 20 or more")
    block = max(block_length(returns), block_length(other))
    sums = windows(np.column_stack([returns, other, returns**2, other**2]), block)
    blocks = max(1, round(bars / block))
    starts = chance.integers(bars, size=(draws, blocks))
    drawn = sharpe_gap(sums[starts].sum(axis=1), blocks * block)
    whole = np.array([returns.sum(), other.sum(), (returns**2).sum(), (other**2).sum()])
    observed = float(sharpe_gap(whole[None, :], bars)[0])
    beyond = int((drawn - drawn.mean() >= observed).sum())
    scale = sqrt(per_year)
    low, high = np.quantile(drawn, [0.05, 0.95]) * scale
    return Comparison(
        difference=observed * scale,
        low=float(low),
        high=float(high),
        p_value=(beyond + 1) / (draws + 1),
        block=block,
    )


def windows(values: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """Return (T, N) the sums over `block` rows from each row on, the end joined to the start."""
    around = np.concatenate([values, values[: block - 1]])
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(around, axis=0)])
    return np.asarray(total[block:] - total[:-block])


def sharpe_gap(sums: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return (D,) differences of Sharpe ratios per observation of (D, 4) sums and square sums."""
    mean, square = sums[:, :2] / count, sums[:, 2:] / count
    variance = square - mean**2
    moving = variance > 1e-12 * square
    ratio = np.divide(
        mean, np.sqrt(np.maximum(variance, 0.0)), out=np.zeros_like(mean), where=moving
    )
    return np.asarray(ratio[:, 0] - ratio[:, 1])


def block_length(values: NDArray[np.float64]) -> int:
    """Return how many observations a block needs to carry the memory of (T,) `values`.

    Politis & White, "Automatic block-length selection for the dependent bootstrap", Econometric
    Reviews 23(1), 2004, with the correction of Patton, Politis & White, 28(4), 2009, for circular
    blocks; at most 3 times the square root of T.
    """
    bars = len(values)
    spread = values - values.mean()
    variance = float((spread**2).mean())
    if variance <= 0.0:
        return 1
    most = min(ceil(sqrt(bars)) + SILENCE, bars - 1)
    covariance = np.array([(spread[k:] * spread[: bars - k]).sum() / bars for k in range(most + 1)])
    quiet = np.abs(covariance[1:] / variance) < 2.0 * sqrt(log10(bars) / bars)
    memory = next(
        (m for m in range(most - SILENCE + 1) if quiet[m : m + SILENCE].all()), most - SILENCE
    )
    lags = np.arange(1, min(2 * max(memory, 1), most) + 1)
    taper = np.clip(2.0 * (1.0 - lags / (2 * max(memory, 1))), 0.0, 1.0)
    weighted = taper * covariance[lags]
    spectrum = variance + 2.0 * float(weighted.sum())
    slope = 2.0 * float((weighted * lags).sum())
    if spectrum <= 0.0 or slope == 0.0:
        return 1
    best = (2.0 * slope**2 / (4.0 / 3.0 * spectrum**2)) ** (1 / 3) * bars ** (1 / 3)
    return int(min(max(1, ceil(best)), ceil(3.0 * sqrt(bars)), bars // 3))
