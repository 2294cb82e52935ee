"""How sure a Sharpe ratio is, after all that was tried to find it.

Sharpe ratios here are per observation (not annualised) and in excess of nothing: the caller
subtracts what the returns have to beat.
"""

from math import e, sqrt
from statistics import NormalDist
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

EULER: Final = 0.5772156649015329
NORMAL: Final = NormalDist()


class Moments(msgspec.Struct, frozen=True):
    """Sharpe ratio per observation, skewness, kurtosis (3 for a normal), and how many."""

    sharpe: float
    skewness: float
    kurtosis: float
    observations: int


def moments(returns: NDArray[np.float64]) -> Moments:
    """Return the moments of (T,) returns; without any spread the Sharpe ratio is 0."""
    n = len(returns)
    spread = returns - returns.mean() if n else returns
    variance = float((spread**2).mean()) if n else 0.0
    if n < 2 or variance <= 1e-18 * float(returns.mean()) ** 2:
        return Moments(0.0, 0.0, 3.0, n)
    deviation = sqrt(variance)
    sharpe = float(returns.mean()) / (deviation * sqrt(n / (n - 1)))
    return Moments(
        sharpe,
        float((spread**3).mean()) / deviation**3,
        float((spread**4).mean()) / variance**2,
        n,
    )


def probabilistic_sharpe(of: Moments, benchmark: float) -> float:
    """Return the probability that the true Sharpe ratio is above `benchmark`, both per observation.

    Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012,
    equation 9.
    """
    if of.observations < 2:
        return 0.0
    z = (of.sharpe - benchmark) * sqrt(of.observations - 1) / standard_error(of)
    return NORMAL.cdf(z)


def standard_error(of: Moments) -> float:
    """Return the deviation of a Sharpe estimate, times the square root of the observations."""
    variance = 1.0 - of.skewness * of.sharpe + (of.kurtosis - 1.0) / 4.0 * of.sharpe**2
    return sqrt(max(variance, 1e-12))


def minimum_track_record(of: Moments, benchmark: float, confidence: float) -> float:
    """Return how many observations it takes to call the Sharpe ratio above `benchmark`.

    Infinite when it isn't above it. Bailey & López de Prado, 2012, equation 11.
    """
    if of.sharpe <= benchmark:
        return float("inf")
    z = NORMAL.inv_cdf(confidence) * standard_error(of) / (of.sharpe - benchmark)
    return 1.0 + z**2


def expected_maximum(trials: float, variance: float) -> float:
    """Return the Sharpe ratio that the best of `trials` has by luck alone, per observation.

    trials    how many independent ones were tried, over all runs; below 2 there is no luck to pay
    variance  of their Sharpe ratios, per observation

    Bailey & López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5),
    2014, equation 1, with a mean of 0: nobody had any skill.
    """
    if trials < 2.0:
        return 0.0
    luck = (1.0 - EULER) * NORMAL.inv_cdf(1.0 - 1.0 / trials)
    luck += EULER * NORMAL.inv_cdf(1.0 - 1.0 / (trials * e))
    return sqrt(variance) * luck


def deflated_sharpe(of: Moments, trials: float, variance: float) -> float:
    """Return the probability that the true Sharpe ratio is above what luck gave the best trial.

    Bailey & López de Prado, 2014, equation 2.
    """
    return probabilistic_sharpe(of, expected_maximum(trials, variance))


def lucky_bound(trials: float, alike: float, level: float) -> float:
    """Return the deflated Sharpe ratio that the best of `trials` without skill reaches by luck.

    trials  how many were tried, over all runs
    alike   their estimates' mean correlation, 0 to 1
    level   how often luck may reach it

    The estimates are sqrt(alike) * Z + sqrt(1 - alike) * X_i of independent standard normals, their
    best that of the X_i: its distribution is exact (Šidák, "Rectangular confidence regions for the
    means of multivariate normal distributions", JASA 62, 1967). The usual 0.95 asks that the
    *expected* best be exceeded by 1.6 deviations of one estimate; the best of many varies less than
    one does, so its level is far below 5 %, and lower the more was tried.
    """
    common, own = sqrt(alike), sqrt(max(1.0 - alike, 1e-12))
    count, mean = max(trials, 1.0), expected_maximum(trials, 1.0)
    grid = np.linspace(-8.0, 8.0, 1601)
    weights = np.exp(-(grid**2) / 2.0)
    weights /= weights.sum()

    def reached(bound: float) -> float:
        below = [NORMAL.cdf(each) for each in ((bound - common * grid) / own + mean).tolist()]
        return 1.0 - float((weights * np.array(below) ** count).sum())

    low, high = -8.0, 8.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if reached(middle) > level else (low, middle)
    return NORMAL.cdf(high)


def annualised(sharpe: float, per_year: float) -> float:
    """Return a Sharpe ratio per year of one per observation."""
    return sharpe * sqrt(per_year)


def mean_correlation(returns: NDArray[np.float64]) -> float:
    """Return the mean correlation over all pairs of the columns of (T, N) returns.

    Columns without any spread are left out; fewer than two leave 1, the cautious end being the
    caller's to choose. Uses the variance of the standardised sum, so it takes N, not N**2, steps.
    """
    deviation = returns.std(axis=0)
    moving = returns[:, deviation > 0.0]
    n = moving.shape[1]
    if n < 2:
        return 1.0
    scores = (moving - moving.mean(axis=0)) / moving.std(axis=0)
    return float((scores.sum(axis=1).var() - n) / (n * (n - 1)))
