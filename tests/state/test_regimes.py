"""A period as the mind saw it."""

from datetime import timedelta

import pytest

from state.outlook import outlook
from state.regimes import believed
from tests.given import CLOSE
from tests.state.test_belief_answers import CALM, WILD, belief

KNOWN = CALM | {"surprise": 1.0, "entropy": 0.5}
LOST = WILD | {"surprise": float("nan"), "drift": 4.5, "ok": 0.0}


def test_an_outlook_is_the_mean_of_all_symbols():
    seen = outlook(belief({"KO": KNOWN, "PG": LOST}))

    assert (seen.calm, seen.normal, seen.stressed, seen.up) == (0.375, 0.125, 0.5, 0.375)
    assert (seen.exposure, seen.entropy) == (0.375, 0.25)
    assert (seen.surprise, seen.drifting, seen.reset) == (1.0, 1, 1)
    assert seen.regime == "stressed"


def test_of_no_symbol_there_is_none():
    assert outlook(belief({})) is None


def closes(*rows):
    return [
        (CLOSE + timedelta(days=n), outlook(belief({"KO": row}, model=model)))
        for n, (row, model) in enumerate(rows)
    ]


def test_a_period_tells_how_long_each_volatility_was_the_likeliest():
    told = believed(closes((KNOWN, "a"), (KNOWN, "a"), (LOST, "b"), (KNOWN, "b")))

    assert told.shares == {"calm": 0.75, "normal": 0.0, "stressed": 0.25}
    assert [(c.regime, c.closes, (c.at - CLOSE).days) for c in told.changes] == [
        ("calm", 2, 0),
        ("stressed", 1, 2),
        ("calm", 1, 3),
    ]
    assert (told.closes, told.models, told.drifting, told.resets) == (4, ("a", "b"), 1, 1)
    assert told.surprise == pytest.approx(1.0)
    assert told.series[2][:3] == (0.0, 0.0, 1.0)
    assert told.series[2][-1] is None


def test_a_period_without_a_mind_tells_nothing():
    assert believed([]) is None
