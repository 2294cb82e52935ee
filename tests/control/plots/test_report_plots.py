"""What the plots of returns show, beside another library's figures of the same returns."""

from datetime import date, timedelta

import empyrical
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from msgspec.structs import replace

from control.plots.report_plots import spread, years
from state.performance import monthly
from state.period import Period
from state.report import report

NONE = report([], Period())
DAYS = [date(2019, 3, 4) + timedelta(days=n) for n in range(1000)]
RETURNS = [float(r) for r in np.random.default_rng(7).normal(0.0003, 0.01, len(DAYS))]
TOLD = replace(NONE, monthly=tuple(monthly(zip(DAYS, RETURNS, strict=True)).items()))


def drawn(plot, told):
    axes = Figure().add_subplot()
    plot(told)(axes)
    return axes


def test_a_years_bar_is_what_another_library_says_the_year_brought():
    theirs = empyrical.aggregate_returns(pd.Series(RETURNS, pd.DatetimeIndex(DAYS)), "yearly")
    bars = drawn(years, TOLD).patches

    assert [bar.get_height() for bar in bars] == pytest.approx(list(100 * theirs))


def test_every_month_is_in_the_spread():
    bars = drawn(spread, TOLD).patches

    assert sum(bar.get_height() for bar in bars) == len(TOLD.monthly)
    lost = sum(bar.get_height() for bar in bars if bar.get_x() < -1e-9)
    assert lost == sum(gain < 0 for _, gain in TOLD.monthly)


def test_months_that_brought_nothing_are_drawn_too():
    bars = drawn(spread, replace(NONE, monthly=(("2019-01", 0.0), ("2019-02", 0.0)))).patches

    assert [bar.get_height() for bar in bars if bar.get_height()] == [2]


@pytest.mark.parametrize("plot", [years, spread])
def test_without_a_month_there_is_nothing_to_draw(plot):
    assert not drawn(plot, NONE).patches
