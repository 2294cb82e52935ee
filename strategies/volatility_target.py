"""Hold everything in equal parts, as much of it as keeps the whole at one volatility."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

API: Final = 1
WINDOW: Final = 300
PARAMETERS: Final[Mapping[str, tuple[float, float, float, str]]] = {
    "target": (0.12, 0.01, 1.0, "volatility of the whole book, fraction of equity per year"),
    "half_life": (30.0, 2.0, 250.0, "closes after which a return counts half"),
    "max_exposure": (1.0, 0.0, 1.0, "fraction of equity that is invested at most"),
    "closes_per_year": (252.0, 1.0, 100_000.0, "closes in a year, to annualise"),
}
FEWEST: Final = 20  # returns that make a volatility


def weights(
    closes: NDArray[np.float64], held: NDArray[np.float64], parameters: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return equal weights, scaled so that together they would have moved by `target` a year.

    closes      (T, N)  prices, oldest first, NaN where there is none; row T is the last one known,
                        so a weight made of it is for the time after it
    held        (N,)    fraction of equity in each symbol now
    parameters          target (per year), half_life (closes), max_exposure (fraction),
                        closes_per_year

    Returns (N,) fractions of equity, >= 0, adding up to `max_exposure` at most; what is missing
    to 1 stays in cash. The volatility is that of the equal-weight book's own past, so it knows how
    the symbols move together. A symbol without a last price or with fewer than 20 returns keeps
    what is held of it, and so do all while the book has no volatility to go by.
    """
    returns = closes[1:] / closes[:-1] - 1.0
    seen = np.isfinite(returns)
    known = (seen.sum(axis=0) >= FEWEST) & np.isfinite(closes[-1])
    counted = seen & known
    days = counted.any(axis=1)
    total = np.where(counted, returns, 0.0).sum(axis=1)[days]
    book = total / counted.sum(axis=1)[days]
    age = np.arange(len(returns) - 1, -1, -1.0)[days]
    decay = 0.5 ** (age / parameters["half_life"])
    squares = float((decay * book**2).sum())
    if len(book) < FEWEST or squares <= 0.0:
        return held
    sigma = np.sqrt(squares / decay.sum() * parameters["closes_per_year"])
    kept = np.where(known, 0.0, held)
    room = max(0.0, parameters["max_exposure"] - float(np.abs(kept).sum()))
    exposure = min(room, float(parameters["target"] / sigma))
    return kept + np.where(known, exposure / known.sum(), 0.0)
