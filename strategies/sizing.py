"""From what a strategy wants to targets within the account's caps; the one place that scales."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIGITS = 9  # weights are rounded to 1e-9, so that they are written and compared exactly


def targets(
    weights: NDArray[np.float64],
    symbols: Sequence[str],
    *,
    max_weight: float,
    max_gross: float,
) -> dict[str, float]:
    """Return target weights, each cut to `max_weight`, all scaled down to `max_gross` together.

    weights  (N,)  fractions of equity, negative for short; finite
    """
    capped = np.clip(weights, -max_weight, max_weight)
    gross = float(np.abs(capped).sum())
    if gross > max_gross:
        capped = capped * (max_gross / gross)
    rounded = np.round(capped, DIGITS) + 0.0  # no negative zero
    return dict(zip(symbols, rounded.tolist(), strict=True))
