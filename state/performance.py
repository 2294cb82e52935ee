"""What the returns say: pure statistics of a series of returns, one per session.

Returns are simple: 0.01 is one percent. Losses are positive, as in `[risk]`: a drawdown of 0.25 is
a quarter lost, a value at risk of 0.02 is two percent in a day. A year has 252 sessions and the
riskless rate is zero. What the numbers cannot say raises Undefined, and is never a zero.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from statistics import correlation, covariance, fmean, quantiles, stdev, variance
from typing import Final

import msgspec

from state.instrument import ZERO, ratio

YEAR: Final = 252  # sessions
TAIL: Final = 20  # observations that a one-in-twenty loss needs


class Undefined(ValueError):
    """These numbers do not have this statistic; the message says why."""


class Valuation(msgspec.Struct, frozen=True):
    """What the account was worth just before `flow` came (positive) or went."""

    value: Decimal
    flow: Decimal = ZERO


class Baseline(msgspec.Struct, frozen=True):
    """What a plain strategy made of the same closes, at the same costs, rebalanced weekly."""

    name: str
    total_return: float | None
    volatility: float | None
    sharpe: float | None
    max_drawdown: float | None


class Underwater(msgspec.Struct, frozen=True):
    """One fall from a peak: when it began, was deepest and was made good (None: not yet)."""

    peak: date
    trough: date
    recovered: date | None
    depth: float
    sessions: int  # from the peak to the recovery, or to the end


def time_weighted(valuations: Sequence[Valuation]) -> float:
    """Return the growth factor from the first valuation to the last, flows taken out.

    The account is valued at every flow and the growth between is linked, so that when money came
    does not count (Global Investment Performance Standards 2020, 2.A.24; Bacon 2008, 2.5). Nothing
    that became nothing has grown by 1; nothing that became something is Undefined.
    """
    factor = 1.0
    for before, after in pairwise(valuations):
        put_in = before.value + before.flow
        if put_in > 0:
            factor *= ratio(after.value, put_in)
        elif put_in or after.value:
            raise Undefined(f"an account worth {put_in:f} has no rate of return")
    return factor


def some(returns: Sequence[float], least: int = 1) -> Sequence[float]:
    """Return the returns; raise Undefined when there are fewer than it takes."""
    if len(returns) < least:
        raise Undefined(f"it takes {least} sessions with a return, and there are {len(returns)}")
    return returns


def total_return(returns: Sequence[float]) -> float:
    """Return the linked return of the whole series."""
    return math.prod(1 + r for r in some(returns)) - 1


def best(returns: Sequence[float]) -> float:
    """Return the best session's return."""
    return max(some(returns))


def worst(returns: Sequence[float]) -> float:
    """Return the worst session's return."""
    return min(some(returns))


def cagr(returns: Sequence[float]) -> float:
    """Return the constant yearly rate that leads to the same end (252 sessions a year)."""
    end = 1 + total_return(returns)
    if end <= 0:
        raise Undefined(f"the account ended at {end:.4g} times its start")
    return compounded(end, YEAR / len(returns))


def compounded(factor: float, times: float) -> float:
    """Return what growing by `factor` so many times gains."""
    try:
        return float(factor**times - 1)
    except OverflowError:
        raise Undefined(
            f"growing {factor:.4g} times, {times:.4g} times over, is no number"
        ) from None


def volatility(returns: Sequence[float]) -> float:
    """Return the yearly standard deviation: the sample's, times the root of 252."""
    return spread(returns) * math.sqrt(YEAR)


def spread(returns: Sequence[float]) -> float:
    """Return the sample standard deviation per session."""
    return stdev(some(returns, 2))


def sharpe(returns: Sequence[float]) -> float:
    """Return mean over standard deviation, yearly (Sharpe 1994, with a riskless rate of zero)."""
    risk = spread(returns)
    if not risk:
        raise Undefined("every session's return is the same")
    return fmean(returns) / risk * math.sqrt(YEAR)


def sortino(returns: Sequence[float]) -> float:
    """Return mean over downside deviation below zero, yearly (Sortino and Price 1994)."""
    risk = math.sqrt(fmean(min(r, 0.0) ** 2 for r in some(returns)))
    if not risk:
        raise Undefined("no session lost")
    return fmean(returns) / risk * math.sqrt(YEAR)


def drawdowns(returns: Iterable[float]) -> list[float]:
    """Return, after each session, the share lost since the highest point so far, the start too."""
    wealth = peak = 1.0
    falls = []
    for r in returns:
        wealth *= 1 + r
        peak = max(peak, wealth)
        falls.append(1 - wealth / peak)
    return falls


def max_drawdown(returns: Sequence[float]) -> float:
    """Return the deepest fall from a peak (Magdon-Ismail and Atiya 2004)."""
    return max(drawdowns(some(returns)))


def calmar(returns: Sequence[float]) -> float:
    """Return the yearly rate over the deepest drawdown (Young 1991), of the whole series."""
    deepest = max_drawdown(returns)
    if not deepest:
        raise Undefined("there was no drawdown")
    return cagr(returns) / deepest


def underwater(days: Sequence[tuple[date, float]], start: date) -> list[Underwater]:
    """Return every fall from a peak in order; `days` are sessions with their returns.

    `start` is the session before the first, whose close is the first peak.
    """
    falls: list[Underwater] = []
    current: list[tuple[date, float]] = []
    peak = start
    depths = drawdowns(r for _, r in days)
    for (session, _), depth in zip(days, depths, strict=True):
        if depth > 0:
            current.append((session, depth))
            continue
        if current:
            falls.append(fall(peak, current, session))
        current, peak = [], session
    if current:
        falls.append(fall(peak, current, None))
    return falls


def fall(peak: date, below: Sequence[tuple[date, float]], recovered: date | None) -> Underwater:
    """Return one fall from the sessions it spent below its peak."""
    trough, depth = max(below, key=lambda point: point[1])
    return Underwater(peak, trough, recovered, depth, len(below) + (recovered is not None))


def value_at_risk(returns: Sequence[float]) -> float:
    """Return the loss that one session in twenty exceeded: the historical 5 % quantile, negated.

    Interpolated linearly between observations (Hyndman and Fan 1996, type 7); negative when even
    the bad sessions gained.
    """
    return -quantiles(some(returns, TAIL), n=20, method="inclusive")[0]


def expected_shortfall(returns: Sequence[float]) -> float:
    """Return the mean loss of the worst twentieth (Acerbi and Tasche 2002, historical)."""
    return -fmean(sorted(some(returns, TAIL))[: (len(returns) - 1) // 20 + 1])


def monthly(days: Iterable[tuple[date, float]]) -> dict[str, float]:
    """Return the linked return of every month, as "YYYY-MM"."""
    factors: dict[str, float] = {}
    for session, r in days:
        month = f"{session:%Y-%m}"
        factors[month] = factors.get(month, 1.0) * (1 + r)
    return {month: factor - 1 for month, factor in factors.items()}


def yearly(days: Iterable[tuple[date, float]]) -> tuple[tuple[str, float], ...]:
    """Return the linked return of every calendar year, as ("YYYY", return), in order."""
    factors: dict[str, float] = {}
    for session, r in days:
        year = f"{session:%Y}"
        factors[year] = factors.get(year, 1.0) * (1 + r)
    return tuple((year, factor - 1) for year, factor in factors.items())


def beta(returns: Sequence[float], benchmark: Sequence[float]) -> float:
    """Return how much of the benchmark's move the account made (Sharpe 1964): cov / var."""
    moved = paired(returns, benchmark)
    return covariance(returns, benchmark) / moved


def alpha(returns: Sequence[float], benchmark: Sequence[float]) -> float:
    """Return the yearly return that `beta` does not explain (Jensen 1968), compounded."""
    slope = beta(returns, benchmark)
    daily = fmean(r - slope * b for r, b in zip(returns, benchmark, strict=True))
    if daily <= -1:
        raise Undefined(f"a mean of {daily:.4g} a session cannot be compounded")
    return compounded(1 + daily, YEAR)


def alike(returns: Sequence[float], benchmark: Sequence[float]) -> float:
    """Return the correlation with the benchmark, from -1 to 1."""
    paired(returns, benchmark)
    if not spread(returns):
        raise Undefined("every session's return is the same")
    return correlation(returns, benchmark)


def paired(returns: Sequence[float], benchmark: Sequence[float]) -> float:
    """Return the benchmark's variance; Undefined when nothing can be compared with it."""
    if len(returns) != len(benchmark):
        raise ValueError(f"{len(returns)} returns beside {len(benchmark)} of the benchmark")
    moved = variance(some(benchmark, 2))
    if not moved:
        raise Undefined("the benchmark did not move")
    return moved


def active(returns: Sequence[float], benchmark: Sequence[float]) -> list[float]:
    """Return what the account made beyond the benchmark, session by session."""
    return [r - b for r, b in zip(returns, benchmark, strict=True)]


def tracking_error(returns: Sequence[float], benchmark: Sequence[float]) -> float:
    """Return the yearly standard deviation of the difference to the benchmark."""
    return volatility(active(returns, benchmark))


def information_ratio(returns: Sequence[float], benchmark: Sequence[float]) -> float:
    """Return mean difference over tracking error, yearly (Grinold and Kahn 2000, 5)."""
    beyond = active(returns, benchmark)
    if not spread(beyond):
        raise Undefined("the account never differed from the benchmark")
    return fmean(beyond) / spread(beyond) * math.sqrt(YEAR)


def win_rate(profits: Sequence[Decimal]) -> float:
    """Return the share of closed trades that made money; breaking even is not winning."""
    if not profits:
        raise Undefined("no trade closed a position")
    return sum(p > 0 for p in profits) / len(profits)


def profit_factor(profits: Sequence[Decimal]) -> float:
    """Return what winning trades made over what losing ones lost (Schwager 1984)."""
    if not profits:
        raise Undefined("no trade closed a position")
    lost = -sum((p for p in profits if p < 0), ZERO)
    if not lost:
        raise Undefined("no closed trade lost")
    return ratio(sum((p for p in profits if p > 0), ZERO), lost)
