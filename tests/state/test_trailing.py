"""What the last months and years brought: beside pandas, and what is not known for all of it."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from state.metrics import Compared
from state.trailing import earlier, trailing

INDEX = pd.bdate_range("2009-06-01", "2020-05-29")
CHANCE = np.random.default_rng(11)
OURS = CHANCE.normal(0.0004, 0.01, len(INDEX))
THEIRS = CHANCE.normal(0.0003, 0.01, len(INDEX))
SESSIONS = tuple(moment.date() for moment in INDEX)
DAYS = list(zip(SESSIONS, map(float, OURS), strict=True))
BESIDE = Compared(SESSIONS, tuple(map(float, OURS)), tuple(map(float, THEIRS)), missing=0)
LAST = INDEX[-1]
SINCE = {
    "month to date": (pd.Timestamp("2020-04-30"), None),
    "year to date": (pd.Timestamp("2019-12-31"), None),
    "month": (LAST - pd.DateOffset(months=1), None),
    "3 months": (LAST - pd.DateOffset(months=3), None),
    "6 months": (LAST - pd.DateOffset(months=6), None),
    "year": (LAST - pd.DateOffset(years=1), None),
    "3 years": (LAST - pd.DateOffset(years=3), 3),
    "5 years": (LAST - pd.DateOffset(years=5), 5),
    "10 years": (LAST - pd.DateOffset(years=10), 10),
}


def test_each_horizon_is_what_pandas_links():
    found = {one.of: one for one in trailing(DAYS, BESIDE)}

    assert list(found) == list(SINCE)
    for of, (since, years) in SINCE.items():
        for returns, ours in ((OURS, found[of].ours), (THEIRS, found[of].theirs)):
            growth = (1 + pd.Series(returns, INDEX)[since < INDEX]).prod()
            assert found[of].since == since.date()
            assert ours == pytest.approx(growth ** (1 / (years or 1)) - 1), of


def test_a_period_of_just_a_year_has_that_year():
    begun = SESSIONS.index(date(2020, 1, 1))
    days, base = DAYS[begun:], SESSIONS[begun - 1]
    beside = Compared(SESSIONS[begun:], BESIDE.ours[begun:], BESIDE.theirs[begun:], missing=0)
    assert base == date(2019, 12, 31)

    found = {one.of: one for one in trailing(days, beside, base)}

    assert found["year to date"] == {one.of: one for one in trailing(DAYS, BESIDE)}["year to date"]
    assert "year to date" not in {one.of for one in trailing(days, beside)}
    assert "6 months" not in found


def test_a_horizon_that_began_before_the_account_is_left_out():
    found = trailing(DAYS[-100:], BESIDE)

    assert [one.of for one in found] == ["month to date", "month", "3 months"]
    assert trailing([]) == ()


def test_the_benchmark_is_none_where_it_was_not_there_all_the_time():
    short = Compared(SESSIONS[-100:], BESIDE.ours[-100:], BESIDE.theirs[-100:], missing=0)
    known = {one.of for one in trailing(DAYS, short) if one.theirs is not None}
    ended = Compared(SESSIONS[:-1], BESIDE.ours[:-1], BESIDE.theirs[:-1], missing=1)

    assert known == {"month to date", "month", "3 months"}
    assert {one.theirs for one in trailing(DAYS, ended)} == {None}
    assert {one.theirs for one in trailing(DAYS)} == {None}


def test_an_account_that_lost_all_lost_all_of_each_year():
    days = [(moment, -1.0 if moment == SESSIONS[-1] else 0.0) for moment in SESSIONS]

    assert {one.ours for one in trailing(days)} == {-1.0}


def test_a_month_without_the_day_ends_with_its_last():
    assert earlier(date(2021, 3, 31), 1) == date(2021, 2, 28)
    assert earlier(date(2020, 2, 29), 12) == date(2019, 2, 28)
    assert earlier(date(2021, 1, 15), 1) == date(2020, 12, 15)
