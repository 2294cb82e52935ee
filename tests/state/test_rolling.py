"""Figures of the last half year: beside pandas' rolling windows."""

from datetime import UTC, datetime, time

import numpy as np
import pandas as pd
import pytest

from state.metrics import Compared
from state.rolling import WINDOW, rolling
from state.series import POINTS

INDEX = pd.bdate_range("2015-01-01", periods=300)
CHANCE = np.random.default_rng(5)
THEIRS = CHANCE.normal(0.0003, 0.01, len(INDEX))
OURS = 0.6 * THEIRS + CHANCE.normal(0.0002, 0.004, len(INDEX))
SESSIONS = [moment.date() for moment in INDEX]
DAYS = list(zip(SESSIONS, map(float, OURS), strict=True))
AT = {session: datetime.combine(session, time(21), UTC) for session in SESSIONS}


def beside(sessions=slice(None)):
    return Compared(
        tuple(SESSIONS[sessions]), tuple(OURS[sessions]), tuple(THEIRS[sessions]), missing=0
    )


def test_each_figure_is_what_pandas_rolls():
    ours, theirs = pd.Series(OURS), pd.Series(THEIRS)
    window = ours.rolling(WINDOW)
    volatility = window.std() * np.sqrt(252)
    sharpe = window.mean() / window.std() * np.sqrt(252)
    beta = window.cov(theirs) / theirs.rolling(WINDOW).var()
    found = rolling(DAYS, AT, beside())

    assert [one.at for one in found] == list(AT.values())[WINDOW - 1 :]
    assert [one.volatility for one in found] == pytest.approx(list(volatility.dropna()), abs=1e-5)
    assert [one.sharpe for one in found] == pytest.approx(list(sharpe.dropna()), abs=1e-5)
    assert [one.beta for one in found] == pytest.approx(list(beta.dropna()), abs=1e-5)


def test_less_than_a_window_has_no_figure():
    assert rolling(DAYS[: WINDOW - 1], AT, beside()) == ()
    assert len(rolling(DAYS[:WINDOW], AT, beside())) == 1


def test_beta_is_not_known_until_the_benchmark_has_a_window_too():
    found = rolling(DAYS, AT, beside(slice(100, None)))

    known = [one.beta is not None for one in found]
    assert known == [False] * 100 + [True] * (len(found) - 100)
    assert all(one.beta is None for one in rolling(DAYS, AT, None))


def test_returns_that_are_all_the_same_have_no_ratio():
    still = [(session, 0.0) for session in SESSIONS]

    assert {(one.volatility, one.sharpe) for one in rolling(still, AT, None)} == {(0.0, None)}


def test_a_long_period_fits_on_the_wire_and_its_last_session_is_there():
    sessions = [moment.date() for moment in pd.bdate_range("2000-01-03", periods=2_000)]
    at = {session: datetime.combine(session, time(21), UTC) for session in sessions}
    found = rolling([(s, 0.001 * (n % 7 - 3)) for n, s in enumerate(sessions)], at, None)

    assert len(found) <= POINTS
    assert found[-1].at == at[sessions[-1]]
