"""How often the best of the past is worse than the middle of what follows."""

from itertools import combinations
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

BLOCKS: Final = 16
TINY: Final = 1e-300


class Overfit(msgspec.Struct, frozen=True):
    """Probability of backtest overfitting, and what it was made of."""

    probability: float
    median_logit: float
    probability_of_loss: float  # how often the chosen one lost out of sample
    slope: float  # of the chosen one's Sharpe out of sample against that in sample
    splits: int


def overfitting(returns: NDArray[np.float64], blocks: int = BLOCKS) -> Overfit:
    """Return how overfit it is to choose among the columns by their Sharpe ratio; ValueError.

    returns  (T, N)  of N strategies at the same times; the T % blocks oldest are left out
    blocks           an even number; all ways to take half of them as the past are looked at

    Combinatorially symmetric cross-validation: Bailey, Borwein, López de Prado & Zhu, "The
    Probability of Backtest Overfitting", Journal of Computational Finance 20(4), 2017, section 3.
    """
    bars, strategies = returns.shape
    if blocks < 2 or blocks % 2 or bars < 2 * blocks or strategies < 2:
        raise ValueError(
            f"{bars} returns of {strategies} strategies cannot be cut into {blocks} blocks: it "
            "takes an even number of blocks, two returns in each, and two strategies"
        )
    parts = returns[bars % blocks :].reshape(blocks, -1, strategies)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    chosen = np.array(
        [[b in half for b in range(blocks)] for half in map(set, halves(blocks))], dtype=float
    )
    count = parts.shape[1] * blocks // 2
    inside = sharpes(chosen @ sums, chosen @ squares, count)
    outside = sharpes((1.0 - chosen) @ sums, (1.0 - chosen) @ squares, count)
    rows = np.arange(len(chosen))
    best = inside.argmax(axis=1)
    after = outside[rows, best]
    below = (outside < after[:, None]).sum(axis=1) + (outside == after[:, None]).sum(axis=1) / 2
    share = (below + 0.5) / (strategies + 1)  # a rank from 1, ties in the middle, over N + 1
    logits = np.log(share / (1.0 - share))
    before = inside[rows, best]
    spread = before - before.mean()
    slope = float((spread * (after - after.mean())).sum() / max(float((spread**2).sum()), TINY))
    return Overfit(
        probability=float((logits <= 0.0).mean()),
        median_logit=float(np.median(logits)),
        probability_of_loss=float((after < 0.0).mean()),
        slope=slope,
        splits=len(chosen),
    )


def halves(blocks: int) -> list[tuple[int, ...]]:
    """Return every way to take half of the blocks."""
    return list(combinations(range(blocks), blocks // 2))


def sharpes(
    sums: NDArray[np.float64], squares: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Return Sharpe ratios per observation of sums and sums of squares over `count` returns."""
    mean = sums / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    return np.asarray(
        np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > TINY)
    )
