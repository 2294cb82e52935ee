"""Does the model still fit? What it is surprised by, beside what it expects to be surprised by.

Before each bar the model gives every observation a probability, and with it the mean and variance
of the surprise to come. Were it true, surprise would exceed its mean by nothing in the long run
(Dawid 1984, the prequential principle); a genome is fitted so that this holds where it trained.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.market_model import Tables

# Standard deviations by which surprise may exceed expectation: one bar in 200 was above 3.97 where
# the genome trained (bench/drift_alarm.py, which fails when a genome fitted anew says else).
ALARMING: Final = 4.0
CALMING: Final = 3.0  # where the alarm ends that began there
HALF_LIFE: Final = 60.0  # bars
NEWEST: Final = 1.0 - 0.5 ** (1.0 / HALF_LIFE)

Array = NDArray[np.float64]


class Drift(msgspec.Struct, frozen=True):
    """How far surprise exceeds expectation lately, (N,) nats a bar, and its standard deviation."""

    excess: Array
    spread: Array

    @property
    def score(self) -> Array:
        """Return (N,) the excess in standard deviations, 0 while there is nothing to go by."""
        return np.divide(
            self.excess, self.spread, out=np.zeros_like(self.excess), where=self.spread > 0.0
        )


def none_yet(count: int) -> Drift:
    """Return what is known of `count` symbols before the first bar."""
    return Drift(np.zeros(count), np.zeros(count))


def expected(
    model: Tables, before: Array, ranged: NDArray[np.bool_], likelihood: Array | None = None
) -> tuple[Array, Array]:
    """Return (N,) mean and variance, nats, of the surprise of the next observation.

    before  (N, S)  what is believed before the bar
    ranged  (N,)    whether the bar's range will be observed beside its return
    likelihood  (N, 7, S) of returns, by symbol, where it isn't the model's
    """
    prior = before @ model.B.T
    if likelihood is not None:
        alone = np.einsum("ns,nzs->nz", prior, likelihood)
        both = np.einsum("ns,nzs,rs->nzr", prior, likelihood, model.A_r).reshape(len(prior), -1)
        return surprises(alone, both, ranged)
    alone = prior @ model.A_z.T
    both = np.einsum("ns,zs,rs->nzr", prior, model.A_z, model.A_r).reshape(len(prior), -1)
    return surprises(alone, both, ranged)


def surprises(alone: Array, both: Array, ranged: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return (N,) mean and variance of surprise, by whether a range comes with the return."""
    (mean_r, variance_r), (mean, variance) = moments(both), moments(alone)
    return np.where(ranged, mean_r, mean), np.where(ranged, variance_r, variance)


def moments(p: Array) -> tuple[Array, Array]:
    """Return mean and variance of -log p under p itself, along the last axis."""
    surprise = -np.log(np.maximum(p, np.finfo(np.float64).tiny))
    mean = (p * surprise).sum(axis=-1)
    return mean, np.maximum((p * surprise**2).sum(axis=-1) - mean**2, 0.0)


def drifted(drift: Drift, surprise: Array, mean: Array, variance: Array) -> Drift:
    """Return the drift after one more bar; where `surprise` is NaN nothing was observed."""
    seen = np.isfinite(surprise)
    off = np.where(seen, surprise - mean, 0.0)
    excess = np.where(seen, drift.excess + NEWEST * (off - drift.excess), drift.excess)
    spread = np.sqrt(((1.0 - NEWEST) * drift.spread) ** 2 + NEWEST**2 * variance)
    return Drift(excess, np.where(seen, spread, drift.spread))
