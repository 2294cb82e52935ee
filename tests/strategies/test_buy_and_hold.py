import numpy as np

from strategies.plugin import load

STRATEGY = load("buy_and_hold")


def test_at_first_everything_is_bought_in_equal_parts():
    closes = np.array([[50.0, 100.0, 200.0, 400.0]])

    assert STRATEGY.weights(closes, np.zeros(4)).tolist() == [0.25, 0.25, 0.25, 0.25]


def test_what_has_no_price_then_is_left_out():
    closes = np.array([[50.0, 100.0], [50.0, np.nan]])

    assert STRATEGY.weights(closes, np.zeros(2)).tolist() == [1.0, 0.0]
    assert STRATEGY.weights(closes * np.nan, np.zeros(2)).tolist() == [0.0, 0.0]


def test_afterwards_what_is_held_is_wanted():
    held = np.array([0.6, 0.1])

    assert STRATEGY.weights(np.array([[50.0, 100.0]]), held).tolist() == [0.6, 0.1]
