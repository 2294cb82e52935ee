"""What every strategy that ships must keep: no look ahead, no memory, no units, no surprises."""

import ast
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.plugin import load

ROOT = Path(__file__).parents[2]
SHIPPED = ("buy_and_hold", "inverse_volatility", "volatility_target")


def shipped(name):
    """Return a strategy with nothing in the way of what it wants."""
    return load(name, {"max_weight": 1.0} if name == "inverse_volatility" else {})


def walk(seed, bars=120, symbols=4, gaps=0.0):
    """Return (bars, symbols) closes of a random walk, some of them missing."""
    chance = np.random.default_rng(seed)
    moves = chance.normal(0.0003, np.linspace(0.005, 0.03, symbols), (bars, symbols))
    closes = 50.0 * np.exp(np.cumsum(moves, axis=0))
    closes[chance.random(closes.shape) < gaps] = np.nan
    return closes


def decisions(strategy, closes, last):
    """Return what a strategy decided at each close, being shown only what was known by then."""
    held, path = np.zeros(closes.shape[1]), []
    for t in range(30, last + 1):
        held = strategy.weights(closes[:t], held)
        path.append(held)
    return np.array(path)


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", SHIPPED)
@given(seed=seeds, cut=st.integers(35, 110), factor=st.sampled_from([0.1, 0.9, 1.5, np.nan]))
def test_changing_the_future_changes_nothing_before_it(name, seed, cut, factor):
    strategy, closes = shipped(name), walk(seed)
    other = closes.copy()
    other[cut:] *= factor

    assert np.array_equal(decisions(strategy, closes, cut), decisions(strategy, other, cut))


@pytest.mark.parametrize("name", SHIPPED[1:])
def test_the_newest_close_is_not_ignored(name):
    """The test above could be passed by a strategy that looks at nothing: this one could not."""
    strategy, closes = shipped(name), walk(1)
    other = closes.copy()
    other[-1] *= np.array([1.0, 1.0, 1.0, 1.2])

    held = np.zeros(4)
    assert not np.array_equal(strategy.weights(closes, held), strategy.weights(other, held))


@pytest.mark.parametrize("name", SHIPPED)
def test_asking_twice_gives_the_same_answer_and_changes_nothing(name):
    strategy, closes, held = shipped(name), walk(2, gaps=0.05), np.array([0.1, 0.0, 0.2, 0.0])
    shown, had = closes.copy(), held.copy()
    first = strategy.weights(closes, held)
    strategy.weights(walk(3), np.zeros(4))

    assert np.array_equal(strategy.weights(closes, held), first)
    assert np.array_equal(closes, shown, equal_nan=True)
    assert np.array_equal(held, had)


@pytest.mark.parametrize("name", SHIPPED)
@given(seed=seeds, units=st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4))
def test_the_unit_a_price_is_quoted_in_does_not_matter(name, seed, units):
    strategy, closes, held = shipped(name), walk(seed), np.zeros(4)

    assert np.allclose(
        strategy.weights(closes * np.array(units), held),
        strategy.weights(closes, held),
        atol=2e-9,
        rtol=0,
    )


@pytest.mark.parametrize("name", SHIPPED)
@given(seed=seeds, order=st.permutations(range(4)))
def test_the_order_of_the_symbols_does_not_matter(name, seed, order):
    strategy, closes, held = shipped(name), walk(seed), np.zeros(4)

    shuffled = strategy.weights(closes[:, order], held)

    assert np.allclose(shuffled, strategy.weights(closes, held)[order], atol=2e-9, rtol=0)


@pytest.mark.parametrize("name", SHIPPED)
@given(seed=seeds, bars=st.integers(1, 60), gaps=st.sampled_from([0.0, 0.2, 1.0]))
def test_whatever_is_missing_weights_are_whole_and_no_more_than_the_account(name, seed, bars, gaps):
    held = np.array([0.1, 0.0, 0.3, 0.0])

    weights = shipped(name).weights(walk(seed, bars=bars, gaps=gaps), held)

    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert weights.sum() <= 1.0 + 1e-8


@pytest.mark.parametrize("name", SHIPPED[1:])
def test_a_symbol_without_a_last_price_keeps_what_is_held_of_it(name):
    closes, held = walk(4), np.array([0.0, 0.17, 0.0, 0.0])
    closes[-1, 1] = np.nan

    weights = shipped(name).weights(closes, held)

    assert weights[1] == 0.17
    assert weights[[0, 2, 3]].all()
    assert weights.sum() <= 1.0 + 1e-8


@pytest.mark.parametrize("name", SHIPPED[1:])
def test_without_history_nothing_is_traded(name):
    held = np.array([0.2, 0.0, 0.0, 0.1])

    assert np.array_equal(shipped(name).weights(walk(5, bars=20), held), held)
    assert np.array_equal(shipped(name).weights(walk(5, bars=1), held), held)
    assert not np.array_equal(shipped(name).weights(walk(5, bars=21), held), held)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_strategy_imports_nothing_of_ours(name):
    source = (ROOT / "strategies" / f"{name}.py").read_text()
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert imported <= {"collections", "typing", "numpy"}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_default_is_within_its_bounds_and_says_its_unit(name):
    for default, low, high, meaning in import_module(f"strategies.{name}").PARAMETERS.values():
        assert low <= default <= high
        assert meaning
