"""Series for plots: few points, the last one always among them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.period import Period
from state.report import report
from state.series import POINTS, beside, deepest, exposure, put_in, thinned
from state.session import Session
from tests.state.story import AT_MONDAY, AT_TUESDAY, AT_WEDNESDAY, STORY, recorded

DAY = date(2000, 1, 3)


def sessions(count):
    return [
        Session(DAY + timedelta(days=n), datetime(2000, 1, 3, tzinfo=UTC) + timedelta(days=n), D(1))
        for n in range(count)
    ]


@given(st.lists(st.integers()), st.integers(1, 50))
def test_thinning_keeps_the_last_and_no_more_than_asked(rows, most):
    kept = thinned(rows, most)

    assert len(kept) <= most
    assert kept[-1:] == rows[-1:]
    assert len(kept) == len(rows) or len(kept) > most / 2 - 1


@given(st.lists(st.floats(0, 1), max_size=200), st.integers(1, 50))
def test_thinned_falls_have_the_deepest_of_each_stretch(depths, most):
    falls = [
        (datetime(2000, 1, 3, tzinfo=UTC) + timedelta(days=n), d) for n, d in enumerate(depths)
    ]
    kept = deepest(falls, most)

    assert len(kept) <= most
    assert sorted(kept) == kept
    assert set(kept) <= set(falls)
    assert max((d for _, d in kept), default=None) == max(depths, default=None)


def test_what_is_short_enough_is_whole():
    assert thinned([1, 2, 3], 3) == [1, 2, 3]


def test_the_weights_of_the_story():
    held = report(recorded(STORY), Period()).exposure

    assert held.at == (AT_MONDAY, AT_TUESDAY, AT_WEDNESDAY)
    assert held.symbols == ("KO", "XOM")
    assert held.gross[1] == 0.6721
    assert held.weights == (
        (0.0, 0.0),
        (pytest.approx(5_200 / 10_058, abs=1e-5), pytest.approx(1_560 / 10_058, abs=1e-5)),
        (pytest.approx(3_240 / 15_262, abs=1e-5), pytest.approx(1_580 / 15_262, abs=1e-5)),
    )


def test_a_long_period_fits_on_the_wire():
    assert len(exposure(sessions(8_313)).at) <= POINTS


def test_the_benchmark_starts_at_one_and_may_have_gaps():
    levels = {DAY: 50.0, DAY + timedelta(days=2): 60.0}

    assert [level for _, level in beside(sessions(3), levels)] == [1.0, 1.2]
    assert beside(sessions(3), {}) == ()


def worth(*closes):
    """Sessions of (equity, money put in by then)."""
    return [
        Session(one.session, one.at, D(equity), flows=D(flows))
        for one, (equity, flows) in zip(sessions(len(closes)), closes, strict=True)
    ]


LEVELS = {DAY: 50.0, DAY + timedelta(days=1): 60.0, DAY + timedelta(days=2): 30.0}


def test_the_same_money_in_the_benchmark_grows_as_it_does():
    found = put_in(worth((1000, 900), (1, 900), (2, 900)), LEVELS)

    assert [money for _, money in found] == [1000, 1200, 600]


def test_money_that_comes_or_goes_is_put_in_or_taken_out_at_its_close():
    found = put_in(worth((1000, 900), (1, 1200), (2, 1050)), LEVELS)

    assert [money for _, money in found] == [1000, 1200 + 300, (1200 + 300) / 2 - 150]


def test_money_waits_for_a_close_that_the_benchmark_has():
    levels = {DAY: 50.0, DAY + timedelta(days=2): 30.0}
    closes = worth((1000, 900), (1, 1200), (2, 1200))

    assert [money for _, money in put_in(closes, levels)] == [1000, 600 + 300]
    assert put_in(closes, {}) == ()
