"""Plots: the same bytes every time, in the page's own colours, whatever the user's style is."""

import re

import matplotlib as mpl
import pytest

from control.plots.drawing import INK, VARIABLES, png, svg
from control.plots.report_plots import PLOTS
from state.period import Period
from state.report import report
from tests.state.story import MONDAY, STORY, TUESDAY, WEDNESDAY, recorded

INDEX = {MONDAY: 100.0, TUESDAY: 101.0, WEDNESDAY: 103.02}


@pytest.fixture(scope="module")
def told():
    return report(recorded(STORY), Period(), INDEX, "S&P 500")


@pytest.mark.parametrize("name", PLOTS)
def test_the_same_data_give_the_same_bytes(told, name):
    label, plot = PLOTS[name]

    assert svg(plot(told), name, label) == svg(plot(told), name, label)
    assert png(plot(told)) == png(plot(told))


@pytest.mark.parametrize("name", PLOTS)
def test_an_empty_report_can_be_plotted(name):
    label, plot = PLOTS[name]

    assert svg(plot(report([], Period())), name, label).startswith("<svg role=")


def test_colours_are_the_pages(told):
    drawn = svg(PLOTS["equity"][1](told), "equity", "Equity")

    assert not [colour for colour in VARIABLES if colour in drawn]
    assert "var(--ink)" in drawn
    assert "var(--s0)" in drawn


def test_a_users_own_style_changes_nothing(told):
    plain = svg(PLOTS["equity"][1](told), "equity", "Equity")
    with mpl.rc_context({"text.color": "red", "lines.linewidth": 9}):
        assert svg(PLOTS["equity"][1](told), "equity", "Equity") == plain
    assert mpl.rcParams["text.color"] != INK


def test_ids_of_two_plots_never_meet(told):
    one, two = (
        set(re.findall(r'id="([^"]+)"', svg(PLOTS[name][1](told), name, name)))
        for name in ("equity", "drawdown")
    )

    assert one
    assert not one & two
