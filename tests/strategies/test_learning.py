"""Learning by instrument: of use where the model is wrong, harmless where it is right, undone."""

from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec.structs import replace

from strategies.active_inference import decide
from strategies.belief import aligned, belief_bytes, belief_of, blank, untaught
from strategies.drift import expected
from strategies.inference import NumpyEngine
from strategies.learning import (
    FARTHEST,
    OPENS,
    beginning,
    forgotten,
    in_use,
    learned_step,
    learning_hash,
    likelihood,
)
from strategies.market_model import LONG_SHORT, model_hash, tables
from strategies.observation import Bars, Observed
from tests.strategies.test_active_inference import GENOME, LIMITS, NAMES, model_of, walk

pytestmark = pytest.mark.area("evolution and beliefs")


def lived(market, *, learns, belief=None, held=None, first=0, engine=None):
    """Return the thought of each bar, holding what was wanted at the bar before."""
    close, high, low = market
    model = model_of()
    if belief is None:
        belief = blank(NAMES, model)
        belief = beginning(belief, model) if learns else belief
    held = np.zeros(len(NAMES)) if held is None else held
    path = []
    for t in range(first, len(close)):
        bars = Bars(close[t], high[t], low[t])
        path.append(decide(model, engine or NumpyEngine(model), belief, bars, held, LIMITS))
        belief, held = path[-1].belief, path[-1].weights
    return path


def drawn(model, truth, bars, count, seed):
    """Return (bars, count) return bins of markets that move by B and show themselves by `truth`."""
    chance = np.random.default_rng(seed)
    moves, shows = model.B.cumsum(axis=0), truth.cumsum(axis=0)
    state = chance.choice(6, size=count, p=model.D)
    found = np.empty((bars, count), dtype=np.int64)
    for t in range(bars):
        state = np.minimum((chance.random(count) > moves[:, state]).sum(axis=0), 5)
        found[t] = np.minimum((chance.random(count) > shows[:, state]).sum(axis=0), 6)
    return found


def learning(model, bins):
    """Return (T, N) log evidence gained over the trained filter, and whether it was in use."""
    bars, count = bins.shape
    every, nobody = np.ones(count, dtype=bool), np.zeros(count)
    engine = NumpyEngine(model)
    belief = beginning(blank([str(n) for n in range(count)], model), model)
    plain = belief.posterior
    gained, used = np.empty((bars, count)), np.empty((bars, count), dtype=bool)
    seen = partial(
        Observed, z=nobody, spread=nobody, range_bin=np.full(count, -1), sigma=nobody,
        stepped=every, usable=every, capacity=nobody, scale=1.0, held_exposure=nobody,
    )  # fmt: skip
    for t, z_bin in enumerate(bins):
        used[t] = belief.learned.used
        trained = engine.step(plain, z_bin, np.full(count, -1), nobody, every)
        found, learned = learned_step(
            model, engine, belief, belief.learned, seen(belief=belief, z_bin=z_bin)
        )
        gained[t] = np.log(found.evidence) - np.log(trained.evidence)
        plain = trained.posterior
        rows = belief.rows.copy()
        rows[:, :6] = found.posterior
        belief = replace(belief, rows=rows, learned=learned)
    return gained, used


WRONG = GENOME.but(s_calm=0.35, s_normal=0.5, df=3.0)


@cache
def scored(truth):
    """Return `learning` by the trained model in 40 markets that are as `truth` says."""
    model = tables(GENOME)
    return learning(model, drawn(model, tables(truth).A_z, 2500, 40, 7))


def test_where_the_trained_likelihood_is_wrong_the_learned_one_is_used_and_foretells_better():
    gained, used = scored(WRONG)

    assert used[-500:].mean() > 0.9
    assert gained[-500:].mean() > 0.005  # nats a bar
    assert (gained.sum(axis=0) > -2 * OPENS).all()


def test_where_it_is_right_the_learned_one_is_hardly_ever_used_and_costs_little():
    """By chance the gate would open for one symbol in twenty at the most."""
    gained, used = scored(GENOME)

    assert used.any(axis=0).mean() <= 0.1
    assert used.mean() < 0.02
    assert (gained.sum(axis=0) > -2 * OPENS).all()


def test_while_the_gate_is_closed_everything_is_as_without_learning():
    market = walk(3, gaps=0.1)
    for with_, without in zip(lived(market, learns=True), lived(market, learns=False), strict=True):
        assert not with_.belief.learned.used.any()
        assert with_.weights.tobytes() == without.weights.tobytes()
        assert belief_bytes(forgotten(with_.belief)) == belief_bytes(without.belief)


def forced(belief):
    """Return the belief with every symbol's learned filter far in the lead."""
    lead = np.full(len(belief.symbols), 40.0)
    learned = belief.learned
    own = np.where(learned.used[:, None], belief.posterior, learned.other)
    trained = np.where(learned.used[:, None], learned.other, belief.posterior)
    rows = belief.rows.copy()
    rows[:, :6] = own
    used = np.ones(len(lead), dtype=bool)
    taught = replace(learned, lead=lead, used=used, other=trained)
    return replace(belief, rows=rows, learned=taught)


def in_the_lead():
    """Return a market, the bar at which every gate opens, and the belief and holdings there."""
    market, at = walk(5, bars=300, gaps=0.03), 200
    before = lived(tuple(part[:at] for part in market), learns=True)[-1]
    return market, at, forced(before.belief), before.weights


def test_off_again_it_is_what_it_would_have_been_without():
    """Learned beliefs led to other weights in between; of the posterior nothing is left of it."""
    market, at, belief, held = in_the_lead()
    plain, learned = forgotten(belief), belief
    model, differed = model_of(), False
    engine = NumpyEngine(model)
    for t in range(at, 300):
        bars = Bars(*(part[t] for part in market))
        wants = decide(model, engine, learned, bars, held, LIMITS)
        wanted = decide(model, engine, plain, bars, held, LIMITS)
        learned, plain = wants.belief, wanted.belief
        differed |= bool((wants.weights != wanted.weights).any())
        assert belief_bytes(forgotten(learned)) == belief_bytes(plain)

    assert differed
    assert learned.learned.used.any()


@settings(max_examples=6)
@given(cut=st.integers(201, 299))
def test_restored_at_any_bar_it_goes_on_bit_by_bit(cut):
    market, at, belief, held = in_the_lead()
    whole = lived(market, learns=True, belief=belief, held=held, first=at)
    last = whole[cut - at - 1]
    resumed = lived(
        market,
        learns=True,
        belief=belief_of(belief_bytes(last.belief)),
        held=last.weights,
        first=cut,
    )

    assert resumed[-1].belief.learned.used.any()
    assert [each.weights.tobytes() for each in resumed] == [
        each.weights.tobytes() for each in whole[cut - at :]
    ]
    assert belief_bytes(resumed[-1].belief) == belief_bytes(whole[-1].belief)


@given(arrays(np.float64, (3, 7, 6), elements=st.floats(0.0, 1e6)))
def test_a_learned_column_is_a_distribution_and_no_farther_than_allowed(counts):
    model = model_of()
    found = likelihood(model, counts)
    divergence = (found * np.log(found / model.A_z)).sum(axis=1)

    assert (found > 0.0).all()
    assert np.allclose(found.sum(axis=1), 1.0)
    assert (divergence < FARTHEST + 1e-9).all()


def test_of_nothing_learned_the_likelihood_is_the_trained_one():
    model = model_of()
    assert np.array_equal(likelihood(model, np.zeros((1, 7, 6)))[0], model.A_z)


def test_the_likelihood_in_use_is_by_symbol():
    model = model_of()
    belief = beginning(blank(("A", "B"), model), model)
    counts = np.zeros((2, 7, 6))
    counts[:, 0] = 50.0
    learned = replace(belief.learned, counts=counts, used=np.array([True, False]))
    found = in_use(model, replace(belief, learned=learned))

    assert np.array_equal(found[0], likelihood(model, counts)[0])
    assert np.array_equal(found[1], model.A_z)
    assert in_use(model, blank(("A",), model)) is None


def test_drift_is_judged_by_the_likelihood_that_foretold():
    """A learned likelihood more even than the trained one expects more surprise of itself."""
    model = model_of()
    before, ranged = np.tile(model.D, (2, 1)), np.array([False, True])
    even = np.full((2, 7, 6), 1 / 7)
    trained = expected(model, before, ranged)
    same = expected(model, before, ranged, np.tile(model.A_z, (2, 1, 1)))

    assert np.allclose(trained, same, atol=1e-12)
    assert np.isclose(expected(model, before, ranged, even)[0][0], np.log(7))


def test_a_bad_row_forgets_what_it_learned_and_no_other_notices():
    market, at, belief, held = in_the_lead()
    counts = belief.learned.counts.copy()
    counts[1] = np.nan
    bad = replace(belief, learned=replace(belief.learned, counts=counts))
    bars = Bars(*(part[at] for part in market))
    model = model_of()
    good, found = (
        decide(model, NumpyEngine(model), each, bars, held, LIMITS) for each in (belief, bad)
    )

    assert not found.found.ok[1]
    assert found.weights[1] == 0.0
    assert found.belief.learned.table[1].tolist() == untaught(1, model).table[0].tolist()
    others = [0, 2, 3]
    assert np.array_equal(found.belief.learned.table[others], good.belief.learned.table[others])


def test_symbols_come_and_go_with_what_they_taught():
    _, _, belief, _ = in_the_lead()
    model = model_of()
    after = aligned(belief, ("C", "NEW", "A"), model)

    assert np.array_equal(after.learned.table[[0, 2]], belief.learned.table[[2, 0]])
    assert np.array_equal(after.learned.table[1], untaught(1, model).table[0])
    assert aligned(blank(("A",), model), ("A", "B"), model).learned is None


def test_a_belief_that_learns_costs_400_bytes_more_a_symbol():
    model = model_of()
    plain = blank([f"S{n:03}" for n in range(100)], model)
    more = len(belief_bytes(beginning(plain, model))) - len(belief_bytes(plain))

    assert 40_000 <= more <= 40_010


def test_the_hash_is_another_and_of_the_model():
    plain, other = (model_hash(tables(GENOME, levels)) for levels in ((0.0, 1.0), LONG_SHORT))

    assert len({plain, other, learning_hash(plain), learning_hash(other)}) == 4
