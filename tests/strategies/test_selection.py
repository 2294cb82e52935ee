"""The gate: every test has a bound, and one that fails is enough."""

import numpy as np
import pytest
from msgspec.structs import replace

from strategies.selection import Exhibit, judged
from strategies.splits import segments

PARTS = segments(3000, 1800, 2400, 20)


def exhibit(sharpe=2.0, seed=1, **changed):
    """A candidate of a true Sharpe ratio among baselines without any."""
    chance = np.random.default_rng(seed)
    market = chance.normal(0.0, 0.01, 3000)
    daily = sharpe / np.sqrt(252) * 0.01
    sample = chance.normal(0.0, 0.01, (1700, 20))
    sample[:, 3] += daily
    words = {
        "returns": chance.normal(daily, 0.01, 3000) * 0.9 + 0.1 * market,
        "trades": 900.0,
        "capacity": 5e6,
        "equity": 1e6,
        "others": {"buy_and_hold": market, "volatility_target": market * 0.5},
        "sample": sample,
        "trials": 200,
        "touches": 1,
        "per_year": 252.0,
    }
    return Exhibit(**(words | changed))


def verdict(shown):
    return judged(shown, PARTS, np.random.default_rng(7))


def failed(shown):
    """The names of the tests that a candidate fails."""
    return [test.name for test in verdict(shown).tests if not test.passed]


def test_a_true_edge_passes_every_test():
    found = verdict(exhibit())

    assert found.promotable
    assert found.reasons == ()
    assert found.deflated_sharpe > 0.95
    assert found.out_of_sample["sharpe"] > 1.0


def test_nothing_passes_without_an_edge():
    assert not any(verdict(exhibit(0.0, seed)).promotable for seed in range(6))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"trades": 99.0}, "trades"),
        ({"capacity": 0.9e6}, "capacity"),
        ({"trials": 10**12}, "deflated Sharpe ratio"),
        ({"touches": 10**6}, "better than volatility_target out of sample"),
    ],
)
def test_one_test_that_fails_is_enough(changed, name):
    shown = replace(exhibit(), **changed)
    names = [each.replace("buy_and_hold", "volatility_target") for each in failed(shown)]

    assert name in names
    assert not verdict(shown).promotable


def test_a_strategy_fitted_to_the_past_is_called_overfit():
    chance = np.random.default_rng(3)
    sample = chance.normal(size=(1700, 20))

    assert "probability of backtest overfitting" in failed(
        exhibit(sample=sample - sample.mean(axis=0))
    )


def test_the_champion_is_who_has_to_be_beaten():
    shown = exhibit()
    others = {**shown.others, "champion": shown.returns}

    found = verdict(replace(shown, others=others))

    assert found.reference == "champion"
    assert not found.promotable


def test_a_holdout_that_loses_is_refused_whatever_came_before():
    shown = exhibit(3.0)
    spoiled = shown.returns.copy()
    spoiled[PARTS.test[0] :] -= 0.004

    assert "holdout" in failed(replace(shown, returns=spoiled))


def test_each_trial_that_was_made_raises_what_has_to_be_beaten():
    few, many = (verdict(exhibit(1.0, trials=n)).deflated_sharpe for n in (10, 10_000))

    assert few > many


def test_each_reason_says_what_which_value_and_which_bound():
    reason = verdict(exhibit(trades=3.0)).reasons[0]

    assert reason == "failed: trades = 3, bound >= 100"


def test_the_same_seed_gives_the_same_verdict():
    assert verdict(exhibit()) == verdict(exhibit())


def test_both_looks_together_have_the_level_of_the_verdict():
    """The square root of 5 % each: at a first touch, with one trial that resembles nothing."""
    tests = {test.name: test for test in verdict(exhibit(trials=1)).tests}
    known = 1.0 - tests["deflated Sharpe ratio"].bound
    fresh = next(test.bound for name, test in tests.items() if name.startswith("better than"))

    assert known * fresh == pytest.approx(0.05, rel=0.02)


def test_the_one_to_beat_may_not_be_plainly_better_where_nobody_looked_before():
    shown = exhibit(3.0)
    better = {name: each + 0.004 for name, each in shown.others.items()}
    end = PARTS.test[0]
    others = {n: np.r_[shown.others[n][:end], better[n][end:]] for n in better}

    assert any(
        "not better in the holdout" in name for name in failed(replace(shown, others=others))
    )


def test_it_is_told_how_long_a_record_it_takes_to_be_sure():
    told = verdict(exhibit()).out_of_sample

    assert 0.0 < told["bars_to_be_sure"] < told["bars"]
