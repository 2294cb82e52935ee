"""How returns are spread: by day, week, month and year, in their tails, and in a row.

What the numbers are too few for is None, and is never a zero.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import groupby
from statistics import NormalDist, fmean, median, quantiles, stdev
from typing import Final

import msgspec

from state.performance import TAIL, Undefined, drawdowns, some

Days = Sequence[tuple[date, float]]


class Spread(msgspec.Struct, frozen=True):
    """The returns of one horizon, as fractions, each linked of its sessions.

    `low` and `high` are the 5 % and the 95 % quantile (Hyndman and Fan 1996, type 7), None of fewer
    than 20; `won` is the share above zero. The first and the last may be parts of a whole.
    """

    of: str
    count: int
    worst: float
    low: float | None
    median: float
    mean: float
    high: float | None
    best: float
    won: float


class Distribution(msgspec.Struct, frozen=True):
    """The sessions' returns: shape, tails, and the longest runs of sessions that won or lost.

    `kurtosis` is beyond a normal distribution's; `tail_ratio` the 95 % quantile over the 5 % one,
    without signs: above 1 the good sessions are larger than the bad ones. `omega` is what was won
    over what was lost, `ulcer_index` the root mean square drawdown, `probabilistic_sharpe` the
    probability that the true Sharpe ratio is above zero.
    """

    skew: float | None
    kurtosis: float | None
    tail_ratio: float | None
    won_in_a_row: int
    lost_in_a_row: int
    spreads: tuple[Spread, ...]
    omega: float | None = None
    ulcer_index: float | None = None
    probabilistic_sharpe: float | None = None


def distribution(days: Days) -> Distribution:
    """Return how the returns of some sessions, in order, are spread."""
    returns = [r for _, r in days]
    return Distribution(
        skew=known(skewness, returns),
        kurtosis=known(excess_kurtosis, returns),
        tail_ratio=known(tail_ratio, returns),
        won_in_a_row=longest(r > 0 for r in returns),
        lost_in_a_row=longest(r < 0 for r in returns),
        spreads=tuple(
            spread(name, linked(days, part)) for name, part in HORIZONS.items() if returns
        ),
        omega=known(omega, returns),
        ulcer_index=known(ulcer_index, returns),
        probabilistic_sharpe=known(probabilistic_sharpe, returns),
    )


def known(work: Callable[[Sequence[float]], float], returns: Sequence[float]) -> float | None:
    """Return a figure, or None where the returns don't have it."""
    try:
        return work(returns)
    except Undefined:
        return None


def skewness(returns: Sequence[float]) -> float:
    """Return the adjusted Fisher-Pearson coefficient G1 (Joanes and Gill 1998)."""
    n = len(some(returns, 3))
    return moment(returns, 3) * math.sqrt(n * (n - 1)) / (n - 2)


def excess_kurtosis(returns: Sequence[float]) -> float:
    """Return the unbiased excess kurtosis G2 (Joanes and Gill 1998); 0 of a normal sample."""
    n = len(some(returns, 4))
    return ((n + 1) * (moment(returns, 4) - 3) + 6) * (n - 1) / ((n - 2) * (n - 3))


def moment(returns: Sequence[float], power: int) -> float:
    """Return the standardised central moment of the sample."""
    mean = fmean(returns)
    deviation = math.sqrt(fmean((r - mean) ** 2 for r in returns))
    if not deviation or len(set(returns)) == 1:
        raise Undefined("every session's return is the same")
    return fmean(((r - mean) / deviation) ** power for r in returns)


def tail_ratio(returns: Sequence[float]) -> float:
    """Return the 95 % quantile over the 5 % quantile, both without their sign."""
    cuts = quantiles(some(returns, TAIL), n=20, method="inclusive")
    if not cuts[0]:
        raise Undefined("the 5 % quantile is zero")
    return abs(cuts[-1] / cuts[0])


def omega(returns: Sequence[float]) -> float:
    """Return the sum of gains over the sum of losses (Keating and Shadwick 2002, about zero)."""
    lost = -sum(r for r in some(returns) if r < 0)
    if not lost:
        raise Undefined("no session lost")
    return sum(r for r in returns if r > 0) / lost


def ulcer_index(returns: Sequence[float]) -> float:
    """Return the root of the mean squared drawdown (Martin and McCann 1989), as a fraction."""
    return math.sqrt(fmean(fall**2 for fall in drawdowns(some(returns))))


def probabilistic_sharpe(returns: Sequence[float]) -> float:
    """Return how likely the true Sharpe ratio is above zero (Bailey and Lopez de Prado 2012, 4)."""
    skew, kurtosis = skewness(returns), excess_kurtosis(returns) + 3
    ratio = fmean(returns) / stdev(returns)
    scatter = (1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (len(returns) - 1)
    if scatter <= 0:
        raise Undefined("the Sharpe ratio has no standard error")
    return NormalDist().cdf(ratio / math.sqrt(scatter))


def longest(held: Iterable[bool]) -> int:
    """Return how many in a row held, at most."""
    return max((sum(1 for _ in run) for true, run in groupby(held) if true), default=0)


def linked(days: Days, part: Callable[[date], object]) -> list[float]:
    """Return the linked return of each part of time."""
    return [
        math.prod(1 + r for _, r in within) - 1
        for _, within in groupby(days, key=lambda day: part(day[0]))
    ]


def spread(name: str, returns: Sequence[float]) -> Spread:
    """Return the spread of the returns of one horizon, at least one of them."""
    cuts = quantiles(returns, n=20, method="inclusive") if len(returns) >= TAIL else None
    return Spread(
        of=name,
        count=len(returns),
        worst=min(returns),
        low=cuts[0] if cuts else None,
        median=median(returns),
        mean=fmean(returns),
        high=cuts[-1] if cuts else None,
        best=max(returns),
        won=sum(r > 0 for r in returns) / len(returns),
    )


HORIZONS: Final[dict[str, Callable[[date], object]]] = {
    "session": lambda day: day,
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
    "year": lambda day: day.year,
}
