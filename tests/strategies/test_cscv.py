"""The probability of backtest overfitting."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from strategies.cscv import overfitting


def plain(returns, blocks):
    """The paper's six steps, one at a time, on whole matrices."""
    parts = np.array_split(returns, blocks)
    logits = []
    for half in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[b] for b in half])
        outside = np.concatenate([parts[b] for b in range(blocks) if b not in half])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0))
        ranks = stats.rankdata(outside.mean(axis=0) / outside.std(axis=0))
        share = ranks[best] / (returns.shape[1] + 1)
        logits.append(np.log(share / (1 - share)))
    return np.array(logits)


def test_it_is_what_the_papers_steps_give():
    returns = np.random.default_rng(1).normal(0.0005, 0.01, (400, 12))
    logits = plain(returns, 8)

    found = overfitting(returns, 8)

    assert found.splits == 70
    assert found.probability == pytest.approx((logits <= 0).mean())
    assert found.median_logit == pytest.approx(np.median(logits))


def test_among_strategies_of_equal_worth_the_best_of_the_past_is_anybody():
    chance = np.random.default_rng(2)
    found = [overfitting(chance.normal(size=(600, 30)), 8).probability for _ in range(60)]

    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_one_that_is_truly_better_is_not_overfit():
    returns = np.random.default_rng(3).normal(size=(1000, 20))
    returns[:, 7] += 0.3

    assert overfitting(returns, 10).probability == 0.0


def test_what_won_by_the_past_alone_loses_afterwards():
    """With the same mean over the whole, a better past is a worse future (section 5)."""
    returns = np.random.default_rng(4).normal(size=(800, 20))

    found = overfitting(returns - returns.mean(axis=0), 8)

    assert found.probability > 0.9
    assert found.slope < -0.8
    assert found.probability_of_loss > 0.9


@pytest.mark.parametrize(("shape", "blocks"), [((100, 1), 4), ((5, 3), 4), ((100, 3), 5)])
def test_what_cannot_be_cut_is_refused(shape, blocks):
    with pytest.raises(ValueError, match="cannot be cut into"):
        overfitting(np.ones(shape), blocks)
