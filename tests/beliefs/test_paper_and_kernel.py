"""What the kernel earns is what the daemon earns: gate, rebalance, paper broker and ledger.

Fractions of a share may be had, and no limit but the kernel's own binds, so nothing is left apart
but rounding: prices and fees to millionths, quantities to millionths of a share. One thing more is
apart on purpose: the kernel sizes an order by the equity before it is paid for, the daemon by what
is expected to be left, so it holds a little less than the kernel, by the costs of its trades.
"""

from decimal import Decimal as D

import numpy as np
import pytest

from daemon.feeds.bundle import STOCKS, bundled
from daemon.feeds.price_file import read_prices
from daemon.mind import Mind
from daemon.pool import InlinePool
from state.event import BarsClosed, OrderDenied, OrderFilled
from state.instrument import Instrument
from strategies import kernels
from strategies.fitness import models, parameters
from strategies.genome import DEFAULT
from strategies.market_model import RANGE_EDGES, Z_EDGES, tables
from strategies.sizing import Limits
from strategies.terms import Terms
from tests.desk import desk

pytestmark = pytest.mark.timeout(600)  # the kernel may have to be compiled first

TERMS = Terms(spread=0.0002, commission=0.0001, max_weight=0.4, max_gross=0.8, initial=100_000.0)
CONFIG = """
[account]
id = "TEST"
[universe]
symbols = ["KO", "PG"]
lot = "0.000001"
[replay]
start = 2025-03-03
[paper]
initial_cash = "100000"
spread_bps = 2.0
slippage_bps = 1.0
commission_bps = 1.0
[risk]
max_position_weight = 0.5
max_gross = 0.9
max_order_notional = "10000000"
max_day_turnover = 2.0
max_drawdown = 0.9
max_day_loss = 0.9
[execution]
cash_reserve = 0.0
"""
BARS, EVERY = 400, 5


def prices():
    """The first closes of two stocks, in money."""
    table = read_prices(bundled(STOCKS), ("KO", "PG"), fewest=2, source="bundled")
    return table.close[:BARS] / 1e6


def simulated(closes):
    """The kernel's equity, (T,), what it traded as a fraction of it, (T,), and how often."""
    nothing = np.full_like(closes, np.nan)
    seen = kernels.perceive(closes, nothing, nothing, Z_EDGES, RANGE_EDGES)
    due = np.arange(len(closes)) % EVERY == EVERY - 1
    block = parameters(models(DEFAULT.array[None, :], TERMS.exposures))[0]
    found = kernels.simulate(seen, closes, closes, due, block, TERMS.array, np.empty((0, 0, 0, 0)))
    equity, turnover, _, _, trades = found
    return equity[:, 0], turnover[:, 0], trades[0]


async def traded(closes, folder, expected_cost):
    """The same of the daemon, whose broker is the paper broker; the cost in basis points."""
    limits = Limits(TERMS.max_weight, TERMS.max_gross)
    mind = Mind(InlinePool(), tables(DEFAULT), ("KO", "PG"), limits, engine="numpy")

    async def nothing_past(_):
        return []

    await mind.wake(None, nothing_past)
    sessions = []

    def due(session):
        sessions.append(session)
        return len(sessions) % EVERY == 0

    some = tuple(Instrument(symbol, lot=D("0.000001")) for symbol in ("KO", "PG"))
    async with desk(
        folder, config=CONFIG, due=due, mind=mind, instruments=some, cost_bps=expected_cost
    ) as one:
        for ko, pg in closes:
            await one.close(D(f"{ko:.6f}"), D(f"{pg:.6f}"))
        assert not one.events(OrderDenied)
        equity = np.array([float(bar.equity) for bar in one.events(BarsClosed)])
        at = {bar.session: n for n, bar in enumerate(one.events(BarsClosed))}
        turnover = np.zeros(len(closes))
        fills = one.events(OrderFilled)
        for fill in fills:
            n = at[fill.traded_at.date()]
            turnover[n] += abs(float(fill.quantity) * float(fill.price)) / equity[n]
    return equity, turnover, len(fills)


@pytest.mark.parametrize(("expected_cost", "apart"), [(0.0, 2e-7), (3.0, 1e-5)])
async def test_400_bars_earn_the_same_in_the_kernel_and_on_paper(tmp_path, expected_cost, apart):
    closes = prices()
    equity, turnover, trades = simulated(closes)

    paper_equity, paper_turnover, fills = await traded(closes, tmp_path, expected_cost)

    assert trades == fills > 20
    assert np.abs(equity / equity[0] - 1).max() > 0.1  # it earned or lost something
    assert np.abs(paper_equity / equity - 1).max() < apart
    first = np.flatnonzero(turnover)[0]  # the largest: all of it is bought then
    assert abs(paper_turnover[first] / turnover[first] - (1 - 0.4 * expected_cost / 1e4)) < 1e-6
    assert np.abs(paper_turnover - turnover)[first + 1 :].max() < 3e-5
