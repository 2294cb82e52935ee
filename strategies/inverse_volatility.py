"""Weights in inverse proportion to volatility: each holding carries about the same risk."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

API: Final = 1
WINDOW: Final = 64
PARAMETERS: Final[Mapping[str, tuple[float, float, float, str]]] = {
    "lookback": (60.0, 2.0, 5000.0, "closes of which the volatility is measured"),
    "invested": (0.95, 0.0, 1.0, "fraction of equity to invest"),
}


def weights(
    closes: NDArray[np.float64], held: NDArray[np.float64], parameters: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return weights proportional to 1 / volatility, adding up to `invested`.

    closes  (T, N)  prices, oldest first, NaN where one is missing; row T-1 is now
    held    (N,)    current weights, not used

    Volatility is the standard deviation of log returns over the lookback. What has no price now,
    fewer than half of the lookback's returns, or has not moved, gets 0.
    """
    lookback = int(parameters["lookback"])
    recent = closes[-(lookback + 1) :]
    if len(recent) < 3:
        return np.zeros(closes.shape[1])
    returns = np.diff(np.log(recent), axis=0)
    known = np.isfinite(returns)
    count = known.sum(axis=0)
    filled = np.where(known, returns, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    squares = (np.where(known, returns - mean, 0.0) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / np.maximum(count - 1, 1))
    usable = (count >= max(2, len(returns) // 2)) & (deviation > 0.0) & np.isfinite(closes[-1])
    inverse = np.where(usable, 1.0 / np.where(usable, deviation, 1.0), 0.0)
    total = float(inverse.sum())
    return parameters["invested"] * inverse / total if total > 0.0 else inverse
