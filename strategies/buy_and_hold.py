"""Buy everything equally once, then leave it alone: the baseline every strategy must beat."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

API: Final = 1
WINDOW: Final = 1
PARAMETERS: Final[Mapping[str, tuple[float, float, float, str]]] = {
    "invested": (0.98, 0.0, 1.0, "fraction of equity to invest at first"),
}


def weights(
    closes: NDArray[np.float64], held: NDArray[np.float64], parameters: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return equal weights while nothing is held, and afterwards what is held.

    closes  (T, N)  prices, oldest first; only the last row is read, NaN where there is no price
    held    (N,)    current weights, fractions of equity

    Returns (N,) weights. What has no price at the first purchase is left out for good.
    """
    if np.any(held != 0.0):
        return held.copy()
    priced = np.isfinite(closes[-1])
    count = int(priced.sum())
    return np.where(priced, parameters["invested"] / count, 0.0) if count else np.zeros(len(held))
