"""Comparing two return series by blocks."""

import numpy as np
import pytest

from strategies.bootstrap import block_length, compared


def autocorrelated(rho, bars, chance):
    """An AR(1) series."""
    noise = chance.normal(size=bars)
    series = np.zeros(bars)
    for t in range(1, bars):
        series[t] = rho * series[t - 1] + noise[t]
    return series


@pytest.mark.parametrize("rho", [0.3, 0.7])
def test_blocks_are_as_long_as_theory_says(rho):
    """Politis & White (2004), section 3: for an AR(1), G and g(0) are known in closed form."""
    chance, bars = np.random.default_rng(1), 5000
    slope = 2 * sum(k * rho**k / (1 - rho**2) for k in range(1, 500))
    spectrum = 1 / (1 - rho) ** 2
    exact = (2 * slope**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * bars ** (1 / 3)

    found = [block_length(autocorrelated(rho, bars, chance)) for _ in range(15)]

    assert np.median(found) == pytest.approx(exact, rel=0.15)


def test_independent_returns_need_no_blocks():
    chance = np.random.default_rng(2)

    assert np.median([block_length(chance.normal(size=2000)) for _ in range(21)]) <= 3
    assert block_length(np.zeros(100)) == 1


def test_equals_are_called_better_as_rarely_as_promised():
    """Two correlated series of the same Sharpe ratio: 5 % of p-values are below 5 %."""
    chance = np.random.default_rng(3)
    low = 0
    for _ in range(200):
        market = chance.normal(0.05, 1.0, 600)
        one, other = market + chance.normal(0, 0.5, 600), market + chance.normal(0, 0.5, 600)
        low += compared(one, other, chance, per_year=252, draws=300).p_value < 0.05

    assert 2 <= low <= 20


def test_a_better_one_is_called_better():
    chance = np.random.default_rng(4)
    returns = chance.normal(0.1, 1.0, 2500)

    found = compared(returns, np.zeros(2500), chance, per_year=252)

    assert found.p_value < 0.01
    assert found.low < found.difference < found.high
    assert found.difference == pytest.approx(returns.mean() / returns.std() * 252**0.5)


def test_the_same_series_is_no_better_than_itself():
    returns = np.random.default_rng(5).normal(size=500)
    found = compared(returns, returns, np.random.default_rng(6), per_year=252)

    assert found.difference == 0.0
    assert found.p_value > 0.99


def test_the_same_seed_gives_the_same_answer():
    returns = np.random.default_rng(7).normal(0.02, 1, 500)
    one, two = (
        compared(returns, np.zeros(500), np.random.default_rng(8), per_year=252) for _ in range(2)
    )

    assert one == two


def test_too_little_to_compare_is_refused():
    with pytest.raises(ValueError, match="20 or more"):
        compared(np.ones(19), np.ones(19), np.random.default_rng(1), per_year=252)
