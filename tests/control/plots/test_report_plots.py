"""What the plots of returns show, beside another library's figures of the same returns."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from math import isnan

import empyrical
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from msgspec.structs import replace

from control.commands import report as command
from control.plots.report_plots import (
    PLOTS,
    drawdown,
    equity,
    rolling_beta,
    rolling_sharpe,
    rolling_volatility,
    spread,
    years,
)
from state.benchmark import BenchmarkResult
from state.performance import Underwater, monthly
from state.period import Period
from state.report import report
from state.rolling import Rolled

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


AT = [datetime(2019, 3, 4, 21, tzinfo=UTC) + timedelta(days=n) for n in range(4)]
OTHER = BenchmarkResult("index", 3, None, None, None, None)


def worth(*values):
    return tuple(zip(AT, map(D, values), strict=False))


def test_the_benchmark_is_drawn_with_the_same_money():
    beside = replace(OTHER, worth=((AT[0], 100.0), (AT[1], 160.0)))
    axes = drawn(equity, replace(NONE, equity=worth(100, 155), benchmark=beside))

    account, other = axes.lines
    assert list(account.get_ydata()) == [100.0, 155.0]
    assert list(other.get_ydata()) == [100.0, 160.0]
    assert axes.get_yscale() == "linear"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        pytest.param((100, 999), "linear", id="less than tenfold"),
        pytest.param((100, 1000), "log", id="tenfold"),
        pytest.param((0, 1000), "linear", id="from nothing"),
        pytest.param((-10, 1000), "linear", id="from less than nothing"),
    ],
)
def test_what_grew_tenfold_is_drawn_so_that_equal_distances_are_equal_returns(values, scale):
    assert drawn(equity, replace(NONE, equity=worth(*values))).get_yscale() == scale


def test_deep_falls_are_shaded_from_their_peak_to_the_recovery_or_the_end():
    falls = (
        Underwater(date(2019, 3, 4), date(2019, 3, 5), date(2019, 3, 6), 0.2, 2),
        Underwater(date(2019, 3, 6), date(2019, 3, 7), None, 0.1, 1),
        Underwater(date(2019, 3, 1), date(2019, 3, 2), date(2019, 3, 3), 0.039, 2),
    )
    axes = drawn(equity, replace(NONE, equity=worth(10, 8, 10, 9), underwater=falls))

    day = (date(2019, 3, 4) - date(1970, 1, 1)).days
    shaded = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]
    assert shaded == [(day, day + 2), (day + 2, day + 3)]


def test_a_rolling_figure_has_a_gap_where_it_is_not_known():
    told = replace(NONE, rolling=(Rolled(AT[0], 0.1, None, None), Rolled(AT[1], 0.2, 1.5, 0.8)))

    assert list(drawn(rolling_volatility, told).lines[0].get_ydata()) == [10.0, 20.0]
    for plot, known in ((rolling_sharpe, 1.5), (rolling_beta, 0.8)):
        gap, last = drawn(plot, told).lines[0].get_ydata()
        assert isnan(gap)
        assert last == known


def test_a_year_has_the_benchmarks_beside_it():
    beside = replace(OTHER, years=(("2019", 0.1), ("2020", 0.2)))
    told = replace(TOLD, benchmark=beside)

    axes = drawn(years, told)
    account, index = axes.containers
    assert [bar.get_height() for bar in index] == [10.0, 20.0]
    assert len(account) == len({month[:4] for month, _ in TOLD.monthly})
    for ours, theirs in zip(account, index, strict=False):
        assert ours.get_x() + ours.get_width() == pytest.approx(theirs.get_x())
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["account", "index"]


def test_the_deepest_fall_is_drawn_however_many_sessions_there_are():
    falls = [0.01] * 4_000
    falls[2_345] = 0.28
    at = [AT[0] + timedelta(days=n) for n in range(len(falls))]
    axes = drawn(drawdown, replace(NONE, drawdown=tuple(zip(at, falls, strict=True))))

    assert min(axes.lines[0].get_ydata()) == pytest.approx(-28)


def test_the_commands_help_names_every_plot():
    listed = " ".join((command.report.__doc__ or "").split()).partition("Plots: ")[2]

    assert listed.partition(".")[0].split(", ") == list(PLOTS)
