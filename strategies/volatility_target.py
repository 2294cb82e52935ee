"""An equal-weighted book, scaled so that its volatility stays near a target."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

API: Final = 1
WINDOW: Final = 64
PARAMETERS: Final[Mapping[str, tuple[float, float, float, str]]] = {
    "target": (0.12, 0.01, 1.0, "annual volatility to aim at, as a fraction"),
    "lookback": (60.0, 2.0, 5000.0, "closes of which the volatility is measured"),
    "most": (0.98, 0.0, 1.0, "greatest fraction of equity to invest"),
}
YEAR: Final = 252  # sessions


def weights(
    closes: NDArray[np.float64], held: NDArray[np.float64], parameters: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return equal weights scaled by target over realised volatility, `most` in all at the most.

    closes  (T, N)  prices, oldest first, NaN where one is missing; row T-1 is now
    held    (N,)    current weights, not used

    Realised volatility is that of the equal-weighted book's simple returns, annualised by the
    square root of 252. While it can't be measured the weights are 0.
    """
    lookback = int(parameters["lookback"])
    recent = closes[-(lookback + 1) :]
    priced = np.isfinite(closes[-1])
    if len(recent) < 3 or not priced.any():
        return np.zeros(closes.shape[1])
    returns = recent[1:] / recent[:-1] - 1.0
    known = np.isfinite(returns)
    count = known.sum(axis=1)
    book = np.where(known, returns, 0.0).sum(axis=1)[count > 0] / count[count > 0]
    if len(book) < 2:
        return np.zeros(closes.shape[1])
    realised = float(book.std(ddof=1)) * np.sqrt(YEAR)
    if realised == 0.0:
        return np.zeros(closes.shape[1])
    exposure = min(parameters["most"], parameters["target"] / realised)
    return np.where(priced, exposure / int(priced.sum()), 0.0)
