import numpy as np
import pytest
from hypothesis import given, settings

from strategies.genome import DEFAULT
from strategies.inference import EngineUnavailable, NumpyEngine, make_engine
from strategies.market_model import LONG_SHORT, tables
from tests.strategies.test_genome import genomes

pytestmark = pytest.mark.area("evolution and beliefs")


def forward(model, z_bins, range_bins):
    """Return the forward filter's posteriors and ln evidence, as in Rabiner (1989), in matrices."""
    alpha, path, log_evidence = model.D, [], 0.0
    for z_bin, range_bin in zip(z_bins, range_bins, strict=True):
        alpha = model.B @ alpha
        if z_bin >= 0:
            alpha = np.diag(model.A_z[z_bin]) @ alpha
        if range_bin >= 0:
            alpha = np.diag(model.A_r[range_bin]) @ alpha
        log_evidence += np.log(alpha.sum())
        alpha = alpha / alpha.sum()
        path.append(alpha)
    return np.array(path), log_evidence


def steps(model, z_bins, range_bins):
    engine, posterior, path, score = NumpyEngine(model), model.D[None, :], [], 0.0
    for z_bin, range_bin in zip(z_bins, range_bins, strict=True):
        found = engine.step(
            posterior, np.array([z_bin]), np.array([range_bin]), np.zeros(1), np.array([True])
        )
        posterior = found.posterior
        path.append(posterior[0])
        score += float(np.log(found.evidence[0]))
    return np.array(path), score


@settings(max_examples=25)
@given(genomes)
def test_one_factor_filters_as_the_exact_forward_filter_does(genome):
    chance = np.random.default_rng(3)
    model = tables(genome)
    z_bins, range_bins = chance.integers(-1, 7, 60), chance.integers(-1, 5, 60)

    path, score = steps(model, z_bins, range_bins)
    exact, log_evidence = forward(model, z_bins, range_bins)

    assert np.abs(path - exact).max() < 1e-12
    assert score == pytest.approx(log_evidence, abs=1e-10)


@given(genomes)
def test_exposure_is_the_softmax_of_utility_and_habit(genome):
    model = tables(genome, LONG_SHORT)
    held = np.array([-1.0, 0.0, 0.3, 1.0])
    found = NumpyEngine(model).step(
        np.tile(model.D, (4, 1)), np.array([0, 3, 6, -1]), np.full(4, -1), held, np.full(4, True)
    )
    utility = found.posterior @ model.B.T @ model.utility
    logit = model.gamma * utility - model.kappa * np.abs(model.levels - held[:, None])
    actions = np.exp(logit - logit.max(axis=1, keepdims=True))
    actions /= actions.sum(axis=1, keepdims=True)

    assert np.allclose(found.utility, utility, atol=1e-13)
    assert np.allclose(found.actions, actions, atol=1e-12)
    assert np.allclose(found.exposure, actions @ model.levels, atol=1e-12)


def test_no_time_passes_for_what_has_no_bar():
    model = tables(DEFAULT)
    before = np.tile(np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]), (2, 1))
    found = NumpyEngine(model).step(
        before, np.array([-1, -1]), np.array([-1, -1]), np.zeros(2), np.array([False, True])
    )

    assert np.array_equal(found.posterior[0], before[0])
    assert np.allclose(found.posterior[1], model.B @ before[1])
    assert found.evidence.tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0])
def test_a_row_that_is_not_finite_is_reset_and_said_so_and_no_other_is_touched(bad):
    model = tables(DEFAULT)
    rows = np.tile(model.D, (3, 1))
    z_bin, nothing = np.array([6, 6, 6]), np.full(3, -1)
    whole = NumpyEngine(model).step(rows, z_bin, nothing, np.ones(3), np.full(3, True))
    rows[1] = bad
    found = NumpyEngine(model).step(rows, z_bin, nothing, np.ones(3), np.full(3, True))

    assert found.ok.tolist() == [True, False, True]
    assert np.array_equal(found.posterior[1], model.D)
    assert found.exposure[1] == 0.0
    assert np.array_equal(found.posterior[[0, 2]], whole.posterior[[0, 2]])
    assert np.array_equal(found.exposure[[0, 2]], whole.exposure[[0, 2]])


def test_a_row_that_rests_is_guarded_too():
    model = tables(DEFAULT)
    found = NumpyEngine(model).step(
        np.full((1, 6), np.nan), np.array([-1]), np.array([-1]), np.ones(1), np.array([False])
    )
    assert not found.ok[0]


def test_the_number_of_instruments_changes_no_bit():
    model, chance = tables(DEFAULT), np.random.default_rng(1)
    rows = chance.dirichlet(np.ones(6), 33)
    z_bin, range_bin = chance.integers(-1, 7, 33), chance.integers(-1, 5, 33)
    held, stepped = chance.random(33), chance.random(33) < 0.8
    whole = NumpyEngine(model).step(rows, z_bin, range_bin, held, stepped)
    for n in range(33):
        one = slice(n, n + 1)
        alone = NumpyEngine(model).step(
            rows[one], z_bin[one], range_bin[one], held[one], stepped[one]
        )
        assert alone.posterior.tobytes() == whole.posterior[one].tobytes()
        assert alone.exposure.tobytes() == whole.exposure[one].tobytes()


def test_an_engine_nobody_knows_is_refused():
    with pytest.raises(EngineUnavailable, match="'jax' is not known; known: pymdp, numpy"):
        make_engine("jax", tables(DEFAULT))
