"""Sharpe ratios, and what is left of them after all that was tried; against the papers' numbers."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from strategies.deflated import (
    Moments,
    deflated_sharpe,
    expected_maximum,
    lucky_bound,
    mean_correlation,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
)

DAILY = Moments(2.5 / sqrt(250), skewness=-3.0, kurtosis=10.0, observations=1250)


def test_the_example_of_the_deflated_sharpe_ratio():
    """Bailey & López de Prado (2014), "A numerical example": 100 trials, variance 1/2 a year."""
    assert expected_maximum(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(DAILY, 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-5)


def test_with_fewer_trials_the_same_track_record_would_do():
    """The same example: 46 trials reach 95 %, and so do 88 when returns are normal."""
    normal = Moments(DAILY.sharpe, 0.0, 3.0, 1250)

    assert deflated_sharpe(DAILY, 46, 0.5 / 250) == pytest.approx(0.9505, abs=5e-5)
    assert deflated_sharpe(normal, 88, 0.5 / 250) == pytest.approx(0.9505, abs=5e-5)


def test_the_example_of_the_probabilistic_sharpe_ratio():
    """Bailey & López de Prado (2012), section 5: two years of months, skewed and fat-tailed."""
    skewed = Moments(0.458, -2.448, 10.164, 24)

    assert probabilistic_sharpe(skewed, 0.0) == pytest.approx(0.913, abs=5e-4)
    assert probabilistic_sharpe(Moments(0.458, 0.0, 3.0, 24), 0.0) == pytest.approx(0.982, abs=5e-4)


def test_the_example_of_the_minimum_track_record():
    """Bailey & López de Prado (2012), section 7: a Sharpe of 2 beats 1 after 2.73 years."""
    normal = Moments(2.0 / sqrt(250), 0.0, 3.0, 1)

    assert minimum_track_record(normal, 1.0 / sqrt(250), 0.95) / 250 == pytest.approx(
        2.73, abs=5e-3
    )
    assert minimum_track_record(normal, 2.0, 0.95) == float("inf")


def test_moments_are_those_of_a_known_library():
    returns = np.random.default_rng(1).standard_t(5, 4000)

    found = moments(returns)

    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert found.skewness == pytest.approx(stats.skew(returns))
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


def test_the_best_of_many_lucky_ones_is_as_good_as_expected():
    lucky = np.random.default_rng(2).normal(0.0, 0.1, (2000, 500)).max(axis=1)

    assert lucky.mean() == pytest.approx(expected_maximum(500, 0.01), rel=0.01)


def test_returns_that_never_move_prove_nothing():
    flat = moments(np.full(100, 0.001))

    assert (flat.sharpe, flat.observations) == (0.0, 100)
    assert probabilistic_sharpe(moments(np.zeros(1)), 0.0) == 0.0
    assert expected_maximum(1, 0.01) == 0.0


def test_the_mean_correlation_is_that_of_all_pairs():
    chance = np.random.default_rng(3)
    returns = chance.normal(size=(300, 8)) + chance.normal(size=(300, 1))
    pairs = np.corrcoef(returns.T)[np.triu_indices(8, 1)]

    assert mean_correlation(np.column_stack([returns, np.zeros(300)])) == pytest.approx(
        pairs.mean()
    )
    assert mean_correlation(np.zeros((10, 3))) == 1.0


@pytest.mark.parametrize(("trials", "alike"), [(1, 0.0), (20, 0.0), (20, 0.8), (400, 0.5)])
def test_luck_reaches_its_bound_as_often_as_it_is_said_to(trials, alike):
    chance = np.random.default_rng(5)
    best = chance.normal(size=(4_000, trials)).max(axis=1) * sqrt(1.0 - alike)
    best += chance.normal(size=4_000) * sqrt(alike)
    above = best - expected_maximum(trials, 1.0 - alike)

    reached = (stats.norm.cdf(above) >= lucky_bound(trials, alike, 0.2)).mean()

    assert reached == pytest.approx(0.2, abs=0.03)


def test_a_single_trial_has_the_level_for_its_bound():
    assert lucky_bound(1, 0.0, 0.05) == pytest.approx(0.95, abs=1e-3)
