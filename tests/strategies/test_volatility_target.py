import numpy as np
import pytest

from strategies.plugin import load
from tests.strategies.test_inverse_volatility import swinging

YEAR = np.sqrt(252.0)


def weights(closes, held=None, **parameters):
    strategy = load("volatility_target", parameters)
    return strategy.weights(closes, np.zeros(closes.shape[1]) if held is None else held)


def test_the_book_is_scaled_to_the_target():
    """Both move by 1 % together, so 1 % * sqrt(252) = 15.9 % a year; 8 % takes half of it."""
    closes = swinging(0.01, 0.01)

    assert weights(closes, target=0.08).sum() == pytest.approx(0.08 / (0.01 * YEAR))
    assert weights(closes, target=0.08)[0] == weights(closes, target=0.08)[1]


def test_what_moves_against_each_other_may_be_held_in_full():
    """Apart they move by 2 %, together by next to nothing."""
    closes = swinging(0.02)
    opposed = np.column_stack([closes, 1e4 / closes])

    assert weights(opposed, target=0.08).tolist() == [0.5, 0.5]


def test_never_more_than_the_account():
    assert weights(swinging(0.001, 0.001), target=1.0).tolist() == [0.5, 0.5]
    assert weights(swinging(0.001, 0.001), target=1.0, max_exposure=0.6).tolist() == [0.3, 0.3]


def test_the_year_is_as_long_as_one_says():
    closes = swinging(0.02)

    assert weights(closes, target=0.05, closes_per_year=1.0)[0] == 1.0
    assert weights(closes, target=0.05, closes_per_year=25.0)[0] == pytest.approx(0.5)


def test_recent_returns_count_for_more():
    closes = swinging(0.01, bars=61)
    calm_then_wild = np.vstack(
        [closes[:-5], closes[-5:] * np.array([[1.1], [1], [1.1], [1], [1.1]])]
    )

    quick = weights(calm_then_wild, target=0.05, half_life=5.0)[0]
    slow = weights(calm_then_wild, target=0.05, half_life=60.0)[0]

    assert quick < slow < weights(closes, target=0.05)[0]


def test_what_has_no_history_keeps_its_place():
    closes = np.column_stack([swinging(0.01), np.full(101, np.nan)])

    assert weights(closes, np.array([0.0, 0.4]), target=1.0).tolist() == [0.6, 0.4]


def test_a_book_that_never_moves_is_left_alone():
    held = np.array([0.3, 0.1])

    assert weights(np.full((101, 2), 5.0), held).tolist() == held.tolist()
