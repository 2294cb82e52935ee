"""The kernel trades what the live path would, to the bit, and knows nothing of the future."""

from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

from strategies import kernels
from strategies.fitness import log_evidence, models, parameters, simulated
from strategies.genome import DEFAULT, genome_of
from strategies.inference import NumpyEngine
from strategies.market_model import EXPOSURES, RANGE_EDGES, Z_EDGES, tables
from strategies.terms import Terms
from tests.strategies.markets import anybody, rough
from tests.strategies.plain import backtest

pytestmark = pytest.mark.area("evolution and beliefs")

TERMS = Terms(max_weight=0.3, max_gross=0.9)


def traced(market, genes, terms):
    """What lane 0 held and wanted at every bar, (T, N) each, and the kernel's results."""
    seen = kernels.perceive(market.closes, market.highs, market.lows, Z_EDGES, RANGE_EDGES)
    trace = np.zeros((*market.closes.shape, 2, 1))
    block = parameters(models(genes, terms.exposures))[0]
    results = kernels.simulate(
        seen, market.closes, market.fills, market.due, block, terms.array, trace
    )
    return trace[:, :, 0, 0], trace[:, :, 1, 0], results


@pytest.mark.parametrize("exposures", EXPOSURES)
@pytest.mark.parametrize("seed", range(6))
def test_it_earns_what_a_plain_backtest_of_the_live_function_earns(seed, exposures):
    market, genes = rough(seed), anybody(seed, 1)
    terms = msgspec.structs.replace(TERMS, exposures=exposures)

    equity, turnover, held, wanted, trades = backtest(market, genome_of(genes[0]), terms)
    kernel_held, kernel_wanted, results = traced(market, genes, terms)

    np.testing.assert_allclose(results[0][:, 0], equity, rtol=1e-12)
    np.testing.assert_allclose(results[1][:, 0], turnover, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(kernel_held, held, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(kernel_wanted, wanted, rtol=0, atol=1.1e-9)
    assert results[4][0] == trades
    assert trades > 0
    profit = results[3][:, 0].sum()
    assert profit == pytest.approx(equity[-1] - terms.initial, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("exposures", EXPOSURES)
@pytest.mark.parametrize("seed", range(6))
def test_for_the_same_holdings_its_weights_are_those_of_the_live_path_to_the_bit(seed, exposures):
    from strategies.active_inference import decide
    from strategies.belief import blank
    from strategies.observation import Bars
    from strategies.sizing import Limits

    market, genes = rough(seed + 100), anybody(seed, 1)
    terms = msgspec.structs.replace(TERMS, exposures=exposures)
    held, wanted, _ = traced(market, genes, terms)
    model = tables(genome_of(genes[0]), EXPOSURES[exposures])
    engine, belief = NumpyEngine(model), blank("abcd", model)

    for t in range(len(held)):
        bars = Bars(market.closes[t], market.highs[t], market.lows[t])
        thought = decide(model, engine, belief, bars, held[t], Limits(0.3, 0.9))
        belief = thought.belief
        assert thought.weights.tobytes() == wanted[t].tobytes(), f"bar {t}"


def test_its_evidence_is_that_of_the_live_filter():
    from strategies.active_inference import decide
    from strategies.belief import blank
    from strategies.observation import Bars
    from strategies.sizing import Limits

    market, genome = rough(1), DEFAULT
    model = tables(genome, EXPOSURES["long_only"])
    engine, belief = NumpyEngine(model), blank("abcd", model)
    live = []
    for t in range(len(market.closes)):
        bars = Bars(market.closes[t], market.highs[t], market.lows[t])
        thought = decide(model, engine, belief, bars, np.zeros(4), Limits(0.3, 0.9))
        belief = thought.belief
        live.append(-np.nansum(thought.surprise))

    found = log_evidence(market, genome.array[None, :], "long_only")[:, 0]

    np.testing.assert_allclose(found, live, rtol=0, atol=1e-12)


def built_for(lanes):
    """The kernel's own source, built for blocks of another width."""
    source = Path(kernels.__file__).read_text()
    assert "LANES: Final = 32" in source
    module = ModuleType(f"kernels_{lanes}")
    source = source.replace("LANES: Final = 32", f"LANES: Final = {lanes}")
    exec(
        compile(source.replace("cache=True", "cache=False"), module.__name__, "exec"),
        module.__dict__,
    )
    return module


def test_results_are_the_same_bits_wherever_in_a_block():
    """Another place in the block, other neighbours, a block that is not full."""
    market, genes = rough(5), anybody(5, 40)
    whole = simulated(market, genes, TERMS)

    alone = simulated(market, genes[17:18], TERMS)
    turned = simulated(market, genes[::-1], TERMS)

    assert alone.returns.tobytes() == whole.returns[:, 17:18].tobytes()
    assert turned.returns[:, ::-1].tobytes() == whole.returns.tobytes()


@pytest.mark.nightly
@pytest.mark.parametrize("lanes", [16, 64])
def test_results_are_the_same_bits_whatever_the_width_of_a_block(lanes, monkeypatch):
    """It takes a compilation each."""
    market, genes = rough(5), anybody(5, 40)
    whole = simulated(market, genes, TERMS)

    monkeypatch.setattr("strategies.fitness.kernels", built_for(lanes))
    other = simulated(market, genes, TERMS)

    assert other.returns.tobytes() == whole.returns.tobytes()
    assert other.profit.tobytes() == whole.profit.tobytes()


def test_the_future_changes_nothing_before_it():
    """Cut off, or made up, at every tenth bar: everything up to it stays the same bits."""
    market, genes = rough(7, bars=200), anybody(7, 8)
    whole = simulated(market, genes, TERMS)
    evidence = log_evidence(market, genes, "long_only")

    for now in range(10, 200, 10):
        cut = market.until(now)
        chance = np.random.default_rng(now)
        parts = {
            name: np.concatenate(
                [getattr(cut, name), getattr(market, name)[now:] * chance.uniform(0.5, 2)]
            )
            for name in ("closes", "highs", "lows", "fills")
        }
        other = msgspec.structs.replace(market, **parts)
        for history in (cut, other):
            again = simulated(history, genes, TERMS)
            for name in ("returns", "turnover", "exposure"):
                before, after = getattr(whole, name)[:now], getattr(again, name)[:now]
                assert before.tobytes() == np.ascontiguousarray(after).tobytes(), (now, name)
            told = log_evidence(history, genes, "long_only")[:now]
            assert told.tobytes() == np.ascontiguousarray(evidence[:now]).tobytes()


def test_costs_only_cost():
    market, genes = rough(9), anybody(9, 8)
    free = simulated(market, genes, msgspec.structs.replace(TERMS, spread=0.0, commission=0.0))
    dear = simulated(market, genes, msgspec.structs.replace(TERMS, spread=0.01, commission=0.01))

    trading = free.trades > 0
    assert trading.sum() > 4
    assert np.all((dear.profit.sum(axis=0) < free.profit.sum(axis=0))[trading])


def test_no_weight_breaks_a_limit():
    market = rough(11)
    tight = msgspec.structs.replace(TERMS, max_weight=0.1, max_gross=0.25)
    for seed in range(8):
        _, wanted, _ = traced(market, anybody(seed, 1), tight)
        assert np.abs(wanted).max() <= 0.1 + 1e-9
        assert np.abs(wanted).sum(axis=1).max() <= 0.25 + 4e-9
