"""Buy everything in equal parts once, and then let it run: what other strategies have to beat."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

API: Final = 1
WINDOW: Final = 1
PARAMETERS: Final[Mapping[str, tuple[float, float, float, str]]] = {}


def weights(
    closes: NDArray[np.float64], held: NDArray[np.float64], parameters: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return equal weights while nothing is held, and afterwards what is held.

    closes      (T, N)  prices, oldest first, NaN where there is none; only the last row is read
    held        (N,)    fraction of equity in each symbol now
    parameters          none

    Returns (N,) fractions of equity. What has no price at the first purchase is never bought.
    """
    if np.any(held):
        return held
    priced = np.isfinite(closes[-1])
    return np.where(priced, 1.0 / max(int(priced.sum()), 1), 0.0)
