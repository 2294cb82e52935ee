"""What was backtested is what trades: the daemon's mind and the kernel, on all the real bars."""

from functools import cache

import numpy as np
import pytest

from daemon.feeds.bundle import STOCKS, bundled
from daemon.feeds.price_file import read_prices
from daemon.mind import Mind
from daemon.pool import InlinePool
from state.quote import Close
from strategies import kernels
from strategies.fitness import models, parameters
from strategies.genome import DEFAULT
from strategies.market_model import RANGE_EDGES, Z_EDGES, tables
from strategies.sizing import Limits
from strategies.terms import Terms
from tests.desk import XNYS

pytestmark = pytest.mark.timeout(600)  # the kernel may have to be compiled first

TERMS = Terms(max_weight=0.2, max_gross=1.0)


@cache
def prices():
    return read_prices(bundled(STOCKS), (), fewest=2, source="bundled")


@cache
def backtested(count):
    """What the kernel held and wanted, (T, N) each, trading every fifth of the real bars."""
    table = prices()
    closes = np.where(table.close[:count] > 0, table.close[:count] / 1e6, np.nan)
    nothing = np.full_like(closes, np.nan)
    seen = kernels.perceive(closes, nothing, nothing, Z_EDGES, RANGE_EDGES)
    due = np.arange(count) % 5 == 4
    trace = np.zeros((*closes.shape, 2, 1))
    block = parameters(models(DEFAULT.array[None, :], TERMS.exposures))[0]
    kernels.simulate(seen, closes, closes, due, block, TERMS.array, trace)
    return trace[:, :, 0, 0], trace[:, :, 1, 0]


async def live(engine, count):
    """What the daemon's mind wants at each close, when it holds what the kernel held."""
    table, (held, _) = prices(), backtested(count)
    limits = Limits(TERMS.max_weight, TERMS.max_gross)
    mind = Mind(InlinePool(), tables(DEFAULT), table.symbols, limits, engine=engine)

    async def nothing_past(_):
        return []

    await mind.wake(None, nothing_past)
    wanted = []
    for row, day in enumerate(table.days[:count]):
        outcome = await mind.think(Close(XNYS.close_of(day), day, table.bars(row)), held[row])
        assert outcome is not None, mind.facts().failure
        wanted.append(list(outcome.targets.values()))
    return np.array(wanted)


async def test_on_8000_real_bars_the_numpy_engine_wants_the_same_to_the_bit():
    wanted = await live("numpy", 8000)

    assert wanted.tobytes() == backtested(8000)[1].tobytes()
    assert (np.abs(wanted) > 0).any(axis=0).all()


@pytest.mark.parametrize("count", [300, pytest.param(8000, marks=pytest.mark.nightly)])
async def test_pymdp_wants_the_same_to_rounding_so_that_the_orders_are_equal(count):
    """Weights are rounded to 1e-9 before they are made orders: equal there, orders are equal."""
    wanted = await live("pymdp", count)

    assert np.abs(wanted - backtested(count)[1]).max() <= 1e-12
