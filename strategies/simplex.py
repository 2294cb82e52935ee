"""Shares of a whole, each within bounds of its own."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bounded(shares: Array, least: Array, most: Array, total: float) -> Array:
    """Return (M,) what is nearest to `shares` in relative entropy, of that sum and within bounds.

    shares  (M,)  above 0; their own sum does not matter
    least, most   (M,)  0 <= least <= most, with sum(least) <= total <= sum(most)

    It is the shares all scaled alike and cut at their bounds, for the one scale that gives the sum
    (Herbster & Warmuth, "Tracking the best linear predictor", JMLR 1, 2001). The sum is
    piecewise linear in the scale, so the scale is found exactly.
    """
    edges = np.unique(np.concatenate([least / shares, most / shares]))
    sums = [float(np.clip(scale * shares, least, most).sum()) for scale in edges]
    after = next((n for n, each in enumerate(sums) if each >= total), len(sums) - 1)
    before = max(after - 1, 0)
    scale, rise = float(edges[before]), sums[after] - sums[before]
    if rise > 0.0:
        scale += (total - sums[before]) * (float(edges[after]) - scale) / rise
    return np.clip(scale * shares, least, most)
