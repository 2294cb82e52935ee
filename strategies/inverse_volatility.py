"""Hold everything, the calmer the more: weights inversely proportional to volatility."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

API: Final = 1
WINDOW: Final = 300
PARAMETERS: Final[Mapping[str, tuple[float, float, float, str]]] = {
    "half_life": (60.0, 2.0, 250.0, "closes after which a return counts half"),
    "max_weight": (0.25, 0.001, 1.0, "fraction of equity one symbol may have"),
}
FEWEST: Final = 20  # returns that make a volatility


def weights(
    closes: NDArray[np.float64], held: NDArray[np.float64], parameters: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return weights proportional to 1 / volatility, none above `max_weight`.

    closes      (T, N)  prices, oldest first, NaN where there is none; row T is the last one known,
                        so a weight made of it is for the time after it
    held        (N,)    fraction of equity in each symbol now
    parameters          half_life (closes), max_weight (fraction)

    Returns (N,) fractions of equity, >= 0. They add up to 1, or to less where `max_weight` leaves
    no place for the rest. A symbol whose volatility can't be told (no last price, fewer than 20
    returns, no movement at all) keeps what is held of it: missing data is no reason to trade.
    """
    sigma = volatility(closes, parameters["half_life"])
    known = np.isfinite(sigma) & np.isfinite(closes[-1])
    kept = np.where(known, 0.0, held)
    room = max(0.0, 1.0 - float(np.abs(kept).sum()))
    share = np.zeros_like(kept)
    share[known] = capped(1.0 / sigma[known], parameters["max_weight"], room)
    return kept + share


def volatility(closes: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Return (N,) the exponentially weighted volatility per close, about a mean of zero.

    As RiskMetrics (1996) has it. NaN where it is unknown or zero.
    """
    returns = closes[1:] / closes[:-1] - 1.0
    seen = np.isfinite(returns)
    age = np.arange(len(returns) - 1, -1, -1.0)[:, None]
    decay = np.where(seen, 0.5 ** (age / half_life), 0.0)
    total = decay.sum(axis=0)
    squares = (decay * np.where(seen, returns, 0.0) ** 2).sum(axis=0)
    enough = (seen.sum(axis=0) >= FEWEST) & (squares > 0.0)
    variance = np.divide(squares, total, out=np.full_like(total, np.nan), where=enough)
    return np.asarray(np.sqrt(variance))


def capped(scores: NDArray[np.float64], most: float, room: float) -> NDArray[np.float64]:
    """Return `room` shared out in proportion to `scores` (all > 0), at most `most` for each.

    What a symbol at its cap leaves goes to the others, as long as there are any.
    """
    share = np.zeros_like(scores)
    free = np.ones(len(scores), dtype=bool)
    while free.any():
        left = room - most * float((~free).sum())
        share[free] = scores[free] / scores[free].sum() * left
        over = free & (share > most)
        if not over.any():
            break
        free &= ~over
        share[over] = most
    return share
