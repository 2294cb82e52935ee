import numpy as np
import pytest
from hypothesis import given
from scipy.stats import lognorm, t

from strategies.genome import DEFAULT
from strategies.market_model import (
    EXPOSURES,
    LONG_ONLY,
    LONG_SHORT,
    PROFITS,
    RANGE_EDGES,
    Z_EDGES,
    model_hash,
    tables,
)
from tests.strategies.test_genome import genomes

pytestmark = pytest.mark.area("evolution and beliefs")


@given(genomes)
def test_every_column_is_a_distribution_and_nothing_is_impossible(genome):
    for levels in EXPOSURES.values():
        model = tables(genome, levels)
        for table in (model.A_z, model.A_r, model.B, model.A_profit, model.D):
            assert np.allclose(table.sum(axis=0), 1.0, atol=1e-12)
            assert (table >= 0.0).all()
        assert min(model.A_z.min(), model.A_r.min()) > 5e-7


@given(genomes)
def test_the_stationary_distribution_stays(genome):
    model = tables(genome)
    assert np.allclose(model.B @ model.D, model.D, atol=1e-12)


@given(genomes)
def test_profit_keeps_its_mean_for_every_exposure(genome):
    """What an exposure earns is its part of what an exposure of 1 earns, within the clip."""
    model = tables(genome, LONG_SHORT)
    mean = np.einsum("osk,o->sk", model.A_profit, PROFITS)

    assert np.allclose(mean[:, 2], 0.0, atol=1e-12)
    assert np.allclose(mean[:, 3], -mean[:, 1], atol=1e-9)
    assert np.allclose(mean[:, 4] * 0.5, mean[:, 3], atol=0.05)


def test_return_bins_are_student_t():
    genome = DEFAULT.but(precision_z=1.0)
    drift = np.repeat([genome["mu_down"], genome["mu_up"]], 3)
    scale = np.tile([genome[f"s_{name}"] for name in ("calm", "normal", "stressed")], 2)
    below = t.cdf((Z_EDGES[:, None] - drift) / scale, genome["df"])
    exact = np.diff(np.vstack([np.zeros(6), below, np.ones(6)]), axis=0)

    assert np.allclose(tables(genome).A_z, exact, atol=1e-3)


def test_range_bins_are_log_normal():
    genome = DEFAULT.but(precision_r=1.0)
    below = lognorm.cdf(
        RANGE_EDGES[:, None],
        genome["range_spread"],
        scale=genome["range_mean"]
        * np.array([genome[f"s_{name}"] for name in ("calm", "normal", "stressed")]),
    )
    exact = np.diff(np.vstack([np.zeros(3), below, np.ones(3)]), axis=0)

    assert np.allclose(tables(genome).A_r[:, :3], exact, atol=2e-5)


def test_the_more_risk_is_disliked_the_less_stress_is_worth():
    mild, strict = (tables(DEFAULT.but(risk=risk)).utility for risk in (0.01, 0.1))

    assert (strict[5, 1:] < mild[5, 1:]).all()
    assert (mild[:, 0] == strict[:, 0]).all()


def test_whatever_differs_has_another_hash():
    model = tables(DEFAULT)

    assert model_hash(model) == model_hash(tables(DEFAULT))
    assert model_hash(model) != model_hash(tables(DEFAULT, LONG_SHORT))
    for name in ("df", "risk", "kappa", "band", "cooldown", "half_life_book"):
        other = tables(DEFAULT.but(**{name: DEFAULT[name] * 0.5}))
        assert model_hash(other) != model_hash(model), name


def test_no_table_can_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        tables(DEFAULT).B[0, 0] = 1.0


@pytest.mark.parametrize("levels", [(0.5,), (0.0, 0.0), (1.0, 0.0), (0.0, 1.5)])
def test_exposures_rise_within_the_account(levels):
    with pytest.raises(ValueError, match="must rise and be within -1 to 1"):
        tables(DEFAULT, levels)


def test_long_only_never_goes_short():
    assert min(LONG_ONLY) == 0.0
