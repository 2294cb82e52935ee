"""Figures of the last half year, as they went: one number hides when they were earned."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from state import performance as stats
from state.metrics import Compared
from state.performance import Undefined
from state.series import thinned

WINDOW: Final = 126  # sessions, half a year
DIGITS: Final = 5


class Rolled(msgspec.Struct, frozen=True):
    """Yearly figures of the 126 sessions up to one: None is what they don't have.

    `beta` is of the last 126 returns that the benchmark has too.
    """

    at: datetime
    volatility: float
    sharpe: float | None
    beta: float | None


def rolling(
    days: Sequence[tuple[date, float]], at: Mapping[date, datetime], beside: Compared | None
) -> tuple[Rolled, ...]:
    """Return the figures at some of the sessions, the last among them, each with a whole window.

    `days` are sessions with their returns, in order; `at` are the sessions' last closes.
    """
    ends = thinned(range(WINDOW, len(days) + 1))
    return tuple(rolled(days, end, at, beside) for end in ends)


def rolled(
    days: Sequence[tuple[date, float]],
    end: int,
    at: Mapping[date, datetime],
    beside: Compared | None,
) -> Rolled:
    """Return the figures of the window that ends before `end`."""
    returns = [r for _, r in days[end - WINDOW : end]]
    session = days[end - 1][0]
    return Rolled(
        at[session],
        round(stats.volatility(returns), DIGITS),
        ratio_of(returns),
        None if beside is None else beta_of(beside, session),
    )


def ratio_of(returns: Sequence[float]) -> float | None:
    """Return the Sharpe ratio, None of returns that are all the same."""
    try:
        return round(stats.sharpe(returns), DIGITS)
    except Undefined:
        return None


def beta_of(beside: Compared, session: date) -> float | None:
    """Return the beta of the window up to a session, None where it isn't whole."""
    end = bisect_right(beside.days, session)
    if end < WINDOW:
        return None
    window = slice(end - WINDOW, end)
    try:
        return round(stats.beta(beside.ours[window], beside.theirs[window]), DIGITS)
    except Undefined:
        return None
