import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.inverse_volatility import capped, volatility
from strategies.plugin import load


def swinging(*sizes, bars=101):
    """Return closes that go up and down by a fixed fraction at every close."""
    signs = np.where(np.arange(bars - 1) % 2, 1.0, -1.0)[:, None]
    moves = np.log1p(signs * np.array(sizes))
    return 100.0 * np.exp(np.vstack([np.zeros(len(sizes)), np.cumsum(moves, axis=0)]))


def test_half_the_volatility_is_twice_the_weight():
    strategy = load("inverse_volatility", {"max_weight": 1.0})

    assert strategy.weights(swinging(0.01, 0.02), np.zeros(2)) == pytest.approx([2 / 3, 1 / 3])


def test_volatility_is_that_of_pandas_on_the_same_returns():
    chance = np.random.default_rng(7)
    closes = 50.0 * np.exp(np.cumsum(chance.normal(0, 0.02, (150, 3)), axis=0))
    closes[40:43, 1] = np.nan
    returns = pd.DataFrame(closes).pct_change(fill_method=None)

    squares = (returns**2).ewm(halflife=20).mean()

    assert volatility(closes, 20.0) == pytest.approx(np.sqrt(squares.iloc[-1]))


def test_a_price_that_never_moves_has_no_volatility_and_is_left_as_it_is():
    closes = np.column_stack([swinging(0.01), np.full(101, 5.0)])
    strategy = load("inverse_volatility", {"max_weight": 1.0})

    assert strategy.weights(closes, np.array([0.0, 0.3])).tolist() == [0.7, 0.3]


def test_nothing_weighs_more_than_it_may():
    strategy = load("inverse_volatility", {"max_weight": 0.4})

    weights = strategy.weights(swinging(0.001, 0.01, 0.02), np.zeros(3))

    assert weights == pytest.approx([0.4, 0.4, 0.2])


def test_what_the_caps_leave_stays_in_cash():
    strategy = load("inverse_volatility", {"max_weight": 0.25})

    assert strategy.weights(swinging(0.01, 0.02), np.zeros(2)).tolist() == [0.25, 0.25]


@given(st.lists(st.floats(1e-3, 1e3), max_size=8), st.floats(0.01, 1.0), st.floats(0.0, 1.0))
def test_a_capped_share_is_full_and_keeps_the_order(scores, most, room):
    scores = np.array(scores)
    share = capped(scores, most, room)

    assert (share <= most + 1e-12).all()
    assert share.sum() == pytest.approx(min(room, most * len(scores)), abs=1e-9)
    assert (np.diff(share[np.argsort(scores, kind="stable")]) >= -1e-12).all()
