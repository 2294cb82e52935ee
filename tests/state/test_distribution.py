"""How returns are spread: beside pandas, scipy and empyrical, and what too few do not have."""

from datetime import date
from itertools import pairwise

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from state.distribution import Distribution, distribution, longest

INDEX = pd.bdate_range("2015-01-01", periods=1_500)
RETURNS = np.random.default_rng(3).standard_t(4, len(INDEX)) * 0.01 + 0.0004
DAYS = [(moment.date(), float(r)) for moment, r in zip(INDEX, RETURNS, strict=True)]
FOUND = distribution(DAYS)


def test_the_shape_is_what_other_libraries_say():
    theirs = pd.Series(RETURNS)

    assert FOUND.skew == pytest.approx(theirs.skew())
    assert FOUND.skew == pytest.approx(stats.skew(RETURNS, bias=False))
    assert FOUND.kurtosis == pytest.approx(theirs.kurt())
    assert FOUND.kurtosis == pytest.approx(stats.kurtosis(RETURNS, bias=False))
    assert FOUND.tail_ratio == pytest.approx(empyrical.tail_ratio(RETURNS))


def test_what_was_won_for_what_was_lost_is_what_other_libraries_say():
    wealth = np.concatenate(([1.0], np.cumprod(1 + RETURNS)))
    falls = (1 - wealth / np.maximum.accumulate(wealth))[1:]

    assert FOUND.omega == pytest.approx(empyrical.omega_ratio(RETURNS))
    assert FOUND.ulcer_index == pytest.approx(np.sqrt(np.mean(falls**2)))


def test_the_same_returns_have_these_figures_in_quantstats():
    """Version 0.0.86, run once apart; its ulcer index divides by one session less."""
    assert FOUND.omega == pytest.approx(0.9431015440945484)
    assert FOUND.ulcer_index == pytest.approx(0.32452521698620695 * np.sqrt(1499 / 1500))
    assert FOUND.probabilistic_sharpe == pytest.approx(0.20210170853545995)


@pytest.mark.parametrize(
    ("name", "rule"), [("session", "B"), ("week", "W"), ("month", "ME"), ("year", "YE")]
)
def test_each_horizon_is_what_pandas_says(name, rule):
    theirs = pd.Series(1 + RETURNS, INDEX).resample(rule).prod() - 1
    ours = next(spread for spread in FOUND.spreads if spread.of == name)

    assert ours.count == len(theirs)
    assert (ours.worst, ours.best) == (pytest.approx(theirs.min()), pytest.approx(theirs.max()))
    assert ours.median == pytest.approx(theirs.median())
    assert ours.mean == pytest.approx(theirs.mean())
    assert ours.won == pytest.approx((theirs > 0).mean())
    if name == "year":
        assert (ours.low, ours.high) == (None, None)  # of six there is no 5 % quantile
    else:
        assert ours.low == pytest.approx(theirs.quantile(0.05))
        assert ours.high == pytest.approx(theirs.quantile(0.95))


def test_weeks_are_those_of_the_calendar_over_the_turn_of_a_year():
    days = [(date(2020, 12, 28 + n), 0.01) for n in range(4)] + [(date(2021, 1, 1), 0.01)]

    weeks = next(spread for spread in distribution(days).spreads if spread.of == "week")
    assert weeks.count == 1
    assert weeks.best == pytest.approx(1.01**5 - 1)


@given(st.lists(st.booleans()))
def test_the_longest_run_is_one_and_none_is_longer(held):
    most = longest(held)
    runs = [i for i, true in enumerate([False, *held, False]) if not true]

    assert most == max(after - before - 1 for before, after in pairwise(runs))


def test_runs_of_sessions_are_ended_by_one_that_brought_nothing():
    days = [(date(2022, 1, 3 + n), r) for n, r in enumerate([0.1, 0.1, 0.0, 0.1, -0.1])]

    found = distribution(days)
    assert (found.won_in_a_row, found.lost_in_a_row) == (2, 1)


def test_without_a_session_there_is_nothing():
    assert distribution([]) == Distribution(None, None, None, 0, 0, ())


def test_returns_that_are_all_the_same_have_no_shape():
    found = distribution([(date(2022, 1, 1 + n), 0.0039) for n in range(28)])

    assert (found.skew, found.kurtosis) == (None, None)


@pytest.mark.parametrize("returns", [[0.01], [0.01, 0.01, 0.01, 0.01], [0.0] * 30])
def test_what_the_returns_do_not_have_is_not_zero(returns):
    found = distribution([(date(2022, 1, 1 + n), r) for n, r in enumerate(returns)])

    assert (found.skew, found.kurtosis, found.tail_ratio) == (None, None, None)
    assert (found.omega, found.probabilistic_sharpe) == (None, None)
