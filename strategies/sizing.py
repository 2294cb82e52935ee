"""From a strategy's weights to the targets of the account: caps, and names."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from state.instrument import Symbol


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
