"""A run as a value: two stages, each with genes of its own, and the same front from one seed."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from strategies import evolution
from strategies.baselines import BASELINES, earned
from strategies.candidate import Stakes, chosen, finalists, verdict_on
from strategies.evolution import (
    Course,
    advanced,
    begun,
    bred,
    evaluated,
    first,
    offspring,
    space,
    windows,
)
from strategies.fitness import INFEASIBLE, market_of, simulated
from strategies.genome import DEFAULT, GENES, HIGH, INDEX, LOW, genome_of
from strategies.splits import segments
from strategies.terms import Terms
from tests.strategies.markets import rough

pytestmark = pytest.mark.area("evolution and beliefs")

BARS = 600
COURSE = Course(
    seed=5,
    population=32,
    generations=3,
    perception_generations=2,
    parts=segments(BARS, 400, 500, 10),
    gap=10,
    terms=Terms(),
)
MARKET = rough(3, bars=BARS)
ANCESTORS = DEFAULT.array[None, :]
MONEY = np.array([gene.stage == "money" for gene in GENES])


@pytest.fixture(scope="module")
def whole():
    """A run to its end."""
    return bred(COURSE, MARKET, ANCESTORS)


def test_one_seed_has_one_front_and_another_seed_another(whole):
    again = bred(COURSE, MARKET, ANCESTORS)
    other = bred(msgspec.structs.replace(COURSE, seed=6), MARKET, ANCESTORS)

    assert again.herd.genes.tobytes() == whole.herd.genes.tobytes()
    assert again.herd.objectives.tobytes() == whole.herd.objectives.tobytes()
    assert other.herd.genes.tobytes() != whole.herd.genes.tobytes()


def test_it_does_not_matter_in_how_many_pieces_a_generation_is_judged(whole):
    def piecewise(stage, genes):
        parts = [genes[:7], genes[7:]]
        return np.concatenate([evaluated(stage, part, MARKET, COURSE) for part in parts])

    stage, genes = first(COURSE, ANCESTORS)
    now = begun(COURSE, stage, genes, piecewise(stage, genes), 0)
    while now.stage != "done":
        stage, genes = offspring(COURSE, now)
        now = advanced(COURSE, now, stage, genes, piecewise(stage, genes))

    assert now.herd.genes.tobytes() == whole.herd.genes.tobytes()


def test_perception_is_bred_first_and_money_leaves_it_alone(whole):
    stage, genes = first(COURSE, ANCESTORS)

    assert stage == "perception"
    assert np.all(genes[:, MONEY] == DEFAULT.array[MONEY])
    assert np.all(whole.herd.genes[:, ~MONEY] == whole.perception[~MONEY])
    assert whole.evaluations == 32 * (3 + 4)


def test_perception_gains_evidence_and_money_fronts_never_lose_an_end(whole):
    stage, genes = first(COURSE, ANCESTORS)
    now = begun(COURSE, stage, genes, evaluated(stage, genes, MARKET, COURSE), 0)
    story = [now]
    while now.stage != "done":
        stage, genes = offspring(COURSE, now)
        now = advanced(COURSE, now, stage, genes, evaluated(stage, genes, MARKET, COURSE))
        story.append(now)

    for before, after in pairwise(story):
        if before.stage == after.stage or after.stage == "done":
            assert np.all(after.herd.objectives.max(0) >= before.herd.objectives.max(0) - 1e-15)


def test_a_run_that_rests_ends_early():
    """A front that does not move for `patience` generations is the end."""
    idle = msgspec.structs.replace(
        COURSE, generations=500, perception_generations=0, patience=2, tolerance=1e9
    )

    assert bred(idle, MARKET, ANCESTORS).generation == 2


def test_every_genome_bred_is_valid(whole):
    assert np.all((whole.herd.genes >= LOW) & (whole.herd.genes <= HIGH))
    for row in whole.herd.genes:
        genome_of(row)
    assert np.all(whole.herd.genes[:, INDEX["cooldown"]] % 1 == 0)


def test_what_never_trades_is_far_behind_everybody():
    timid = DEFAULT.but(kappa=15.0, gamma=1.0, band=0.05).array[None, :]
    market = market_of(np.full((BARS, 2), 100.0))

    found = evaluated("money", timid, market, COURSE)

    assert np.all(found <= INFEASIBLE)


def spoiled(now):
    """The same history with another future."""
    factor = np.ones((BARS, 1))
    factor[now:] = np.random.default_rng(1).uniform(0.5, 2.0, (BARS - now, 1))
    parts = {name: getattr(MARKET, name) * factor for name in ("closes", "highs", "lows", "fills")}
    return msgspec.structs.replace(MARKET, **parts)


def test_breeding_sees_nothing_after_its_own_part():
    other = spoiled(COURSE.parts.train[1])
    genes = evolution.found(COURSE, "money", ANCESTORS)

    for stage in ("perception", "money"):
        mine = evaluated(stage, genes, MARKET, COURSE)
        assert evaluated(stage, genes, other, COURSE).tobytes() == mine.tobytes()


def test_the_candidate_is_chosen_without_the_holdout(whole):
    other = spoiled(COURSE.parts.validate[1])

    assert chosen(COURSE, whole, MARKET).tobytes() == chosen(COURSE, whole, other).tobytes()


def test_windows_lie_within_what_is_bred_on():
    for start, end in windows(COURSE):
        assert COURSE.parts.train[0] <= start < end <= COURSE.parts.train[1]


def test_a_stage_breeds_its_own_genes_alone():
    assert np.array_equal(space("money").free, MONEY)
    assert np.array_equal(space("perception").free, ~MONEY)


def test_the_verdict_knows_baselines_champion_and_all_trials(whole):
    candidate = chosen(COURSE, whole, MARKET)
    stakes = Stakes(trials=1000, touches=2, equity=1e6, max_order=2e5)

    found = verdict_on(COURSE, whole, MARKET, candidate, DEFAULT.array, stakes)

    assert found.reference == "champion"
    assert found.trials == 1000 + whole.evaluations
    assert {f"sharpe_{name}" for name in BASELINES} <= set(found.out_of_sample)
    assert "touch 3 of this holdout" in " ".join(test.meaning for test in found.tests)
    assert len(finalists(whole)) == len(whole.herd.front)


def test_a_baseline_earns_what_its_own_accounts_say():
    """Buying and holding one share of everything is the mean of the prices, less the costs."""
    chance = np.random.default_rng(2)
    closes = 100 * np.exp(np.cumsum(chance.normal(0, 0.01, (400, 4)), axis=0))
    terms = Terms(max_weight=1.0, max_gross=1.0)

    earned_ = earned(market_of(closes), BASELINES["buy_and_hold"], terms)
    bought = closes[1] * 1.0002
    units = 0.25 * 1e6 / closes[0]
    cash = 1e6 - (units * bought * 1.0001).sum()
    equity = cash + (units * closes).sum(axis=1)

    assert np.prod(1 + earned_) == pytest.approx(equity[-1] / 1e6, rel=1e-9)


def test_a_simulation_is_free_of_what_is_not_held():
    outcome = simulated(MARKET, ANCESTORS, Terms())

    assert outcome.returns.shape == (BARS, 1)
    assert np.all(outcome.exposure <= 1.0 + 0.25)
