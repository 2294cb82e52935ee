import os
import subprocess
import sys

import numpy as np
import pytest

from strategies.active_inference import decide
from strategies.belief import blank
from strategies.genome import HIGH, LOW, genome_of
from strategies.inference import EngineUnavailable, NumpyEngine, make_engine
from strategies.learning import beginning, likelihood
from strategies.market_model import LONG_ONLY, LONG_SHORT, tables
from strategies.observation import Bars
from strategies.pymdp_engine import capacity, compiled
from strategies.sizing import Limits
from tests.strategies.test_active_inference import NAMES, model_of, walk

pytestmark = [
    pytest.mark.area("evolution and beliefs"),
    pytest.mark.filterwarnings("default"),  # jax and its friends deprecate in each other's name
]
FIELDS = ("posterior", "evidence", "predicted", "utility", "habit", "actions", "exposure")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return the folder of compiled code."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def engine_of(kept):
    """Return a maker of pymdp engines; the import and the compilation happen once."""
    pytest.importorskip("pymdp")
    return lambda model: make_engine("pymdp", model, str(kept))


def cases(chance, rows):
    """Return what a step is given: (rows, 6) posteriors, bins, held exposures, who has a bar."""
    return (
        chance.dirichlet(np.full(6, 0.5), rows),
        chance.integers(-1, 7, rows),
        chance.integers(-1, 5, rows),
        chance.uniform(-1.0, 1.0, rows),
        chance.random(rows) < 0.9,
    )


def agree(found, expected, case):
    """Hold two inferences to each other, part by part."""
    for name in FIELDS:
        error = np.abs(getattr(found, name) - getattr(expected, name)).max()
        assert error < 1e-12, (case, name)


def test_engines_agree_on_1000_random_cases(engine_of):
    """20 random genomes within the bounds of every gene, 50 instruments each."""
    chance = np.random.default_rng(5)
    for n in range(20):
        genome = genome_of(np.clip(chance.uniform(LOW, HIGH), LOW, HIGH))
        model = tables(genome, LONG_SHORT if n % 2 else LONG_ONLY)
        given = cases(chance, 50)
        found, expected = engine_of(model).step(*given), NumpyEngine(model).step(*given)
        agree(found, expected, n)
        assert found.ok.all()
        assert expected.ok.all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0])
def test_engines_reset_the_same_rows(engine_of, bad):
    model = model_of()
    given = cases(np.random.default_rng(1), 16)
    given[0][[2, 7]] = bad
    found, expected = engine_of(model).step(*given), NumpyEngine(model).step(*given)

    assert found.ok.tolist() == expected.ok.tolist() == [n not in (2, 7) for n in range(16)]
    assert np.array_equal(found.posterior[2], model.D)
    assert found.exposure[7] == 0.0
    assert np.abs(found.exposure - expected.exposure).max() < 1e-12


def test_instruments_come_and_go_and_genomes_change_without_a_compilation(engine_of):
    chance = np.random.default_rng(2)
    engine_of(model_of()).step(*cases(chance, 3))
    before = compiled()._cache_size()
    for rows in (1, 7, 16):
        found = engine_of(model_of(gamma=float(50 + rows))).step(*cases(chance, rows))
        assert found.posterior.shape == (rows, 6)
        assert found.actions.shape == (rows, 5)

    assert compiled()._cache_size() == before


def by_instrument(chance, model, rows):
    """Return (rows, 7, 6) the likelihood of returns as each instrument taught it."""
    return likelihood(model, chance.gamma(0.5, 100.0, (rows, *model.A_z.shape)))


def test_engines_agree_on_a_likelihood_by_instrument(engine_of):
    chance = np.random.default_rng(6)
    for n in range(10):
        genome = genome_of(np.clip(chance.uniform(LOW, HIGH), LOW, HIGH))
        model = tables(genome, LONG_SHORT if n % 2 else LONG_ONLY)
        given = cases(chance, 50)
        learned = by_instrument(chance, model, 50)
        found = engine_of(model).step(*given, learned)
        expected = NumpyEngine(model).step(*given, learned)
        agree(found, expected, n)
        assert np.abs(found.posterior - engine_of(model).step(*given).posterior).max() > 1e-3


def test_learning_is_compiled_apart_and_once_whoever_comes_and_goes(engine_of):
    chance, model = np.random.default_rng(9), model_of()
    engine_of(model).step(*cases(chance, 3))
    plain, learns = compiled()._cache_size(), compiled(by_instrument=True)
    sizes = []
    for rows in (3, 1, 16):
        engine_of(model).step(*cases(chance, rows), by_instrument(chance, model, rows))
        sizes.append(learns._cache_size())

    assert sizes == [sizes[0]] * 3
    assert compiled()._cache_size() == plain


def test_engines_learn_the_same(engine_of):
    model, (close, high, low) = model_of(), walk(22, bars=120)
    belief = [beginning(blank(NAMES, model), model)] * 2
    held = [np.zeros(4)] * 2
    for t in range(len(close)):
        bars = Bars(close[t], high[t], low[t])
        for n, engine in enumerate((engine_of(model), NumpyEngine(model))):
            thought = decide(model, engine, belief[n], bars, held[n], Limits(0.4, 1.0))
            belief[n], held[n] = thought.belief, thought.weights
        assert np.abs(belief[0].rows - belief[1].rows).max() < 1e-12
        assert np.abs(belief[0].learned.table - belief[1].learned.table).max() < 1e-10
    assert belief[0].learned.counts.sum() > 300


def test_how_many_rows_are_padded_changes_no_bit(engine_of):
    given = cases(np.random.default_rng(3), 50)
    model = model_of()
    whole = engine_of(model).step(*given)
    alone = engine_of(model).step(*(part[:16] for part in given))

    assert np.abs(whole.posterior[:16] - alone.posterior).max() < 1e-15
    assert np.abs(whole.exposure[:16] - alone.exposure).max() < 1e-14


def test_engines_lead_to_the_same_weights(engine_of):
    model, (close, high, low) = model_of(), walk(21, bars=120)
    engines = (engine_of(model), NumpyEngine(model))
    belief, held = [blank(NAMES, model)] * 2, [np.zeros(4)] * 2
    for t in range(len(close)):
        bars = Bars(close[t], high[t], low[t])
        for n, engine in enumerate(engines):
            thought = decide(model, engine, belief[n], bars, held[n], Limits(0.4, 1.0))
            belief[n], held[n] = thought.belief, thought.weights
        assert np.abs(belief[0].rows - belief[1].rows).max() < 1e-12
        assert np.abs(held[0] - held[1]).max() <= 1.0000001e-9  # a rounding apart at the most
    assert held[0].any()


def test_it_needs_nothing_that_draws(tmp_path):
    """In a process of its own, where nothing else has imported them."""
    pytest.importorskip("pymdp")
    script = """
import sys
from strategies.genome import DEFAULT
from strategies.inference import make_engine
from strategies.market_model import tables
assert not {"jax", "pymdp", "numba"} & set(sys.modules)
make_engine("pymdp", tables(DEFAULT))
drawn = {"matplotlib", "seaborn", "pandas", "networkx", "mctx", "pymdp.envs"} & set(sys.modules)
assert not drawn, drawn
import matplotlib.pyplot
assert matplotlib.pyplot.figure
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        check=True,
        env={**os.environ, "HOME": "/nonexistent", "MPLCONFIGDIR": str(tmp_path)},
    )


def test_compiled_code_is_kept_for_the_next_start(engine_of, kept):
    engine_of(model_of()).step(*cases(np.random.default_rng(4), 16))

    assert any(file.is_file() for file in kept.rglob("*"))


def test_without_jax_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(EngineUnavailable, match="install the extra"):
        make_engine("pymdp", model_of())


@pytest.mark.parametrize(
    ("rows", "padded"), [(1, 16), (16, 16), (17, 128), (1000, 1024), (1025, 2048), (0, 16)]
)
def test_capacities_are_few(rows, padded):
    assert capacity(rows) == padded
