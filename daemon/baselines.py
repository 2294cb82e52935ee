"""What the plain strategies would have made of the journaled closes, beside the account."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from state import performance as stats
from state.event import BarsClosed, Start, Started
from state.metrics import Figures
from state.performance import Baseline
from state.record import Recorded
from state.report import Report
from strategies.baselines import BASELINES, earned
from strategies.fitness import market_of
from strategies.terms import Terms


def baselines(records: Iterable[Recorded], made: Report) -> tuple[Baseline, ...]:
    """Return the baselines over a report's period; they begin with the journal, as the account did.

    Each is asked at the last close of a week. Costs and limits are those of the last start.
    """
    start, closes = None, []
    for record in records:
        match record.event:
            case Started(start=settings):
                start = settings
            case BarsClosed() as close:
                closes.append(close)
    first, last = made.period.start, made.period.end
    if start is None or first is None or last is None:
        return ()
    closes = [close for close in closes if close.session <= last]
    market = market_of(prices(start, closes), due=due(closes))
    inside = np.array([close.session >= first for close in closes])
    inside[0] = False  # before the first close nothing can be earned
    terms = Terms(
        spread=start.cost_bps / 1e4,
        commission=0.0,
        max_weight=start.limits.max_position_weight,
        max_gross=start.limits.max_gross,
        order_band=start.execution.band,
        min_trade=float(start.execution.min_trade),
        initial=float(closes[0].equity) or Terms().initial,
    )
    return tuple(
        figured(name, earned(market, strategy, terms)[inside].tolist())
        for name, strategy in BASELINES.items()
    )


def prices(start: Start, closes: Sequence[BarsClosed]) -> NDArray[np.float64]:
    """Return (T, N) the closes of the universe, NaN where there is none."""
    column = {instrument.symbol: n for n, instrument in enumerate(start.instruments)}
    rows = np.full((len(closes), len(column)), np.nan)
    for t, close in enumerate(closes):
        for bar in close.bars:
            if (n := column.get(bar.symbol)) is not None:
                rows[t, n] = float(bar.close)
    return rows


def due(closes: Sequence[BarsClosed]) -> NDArray[np.bool_]:
    """Return (T,) whether a close is the last one known of its week."""
    weeks = [close.session.isocalendar()[:2] for close in closes]
    return np.array([now != then for now, then in zip(weeks, [*weeks[1:], None], strict=True)])


def figured(name: str, returns: Sequence[float]) -> Baseline:
    """Return a baseline's figures; one that can't be told is None."""
    figures = Figures()
    return Baseline(
        name,
        figures.figure("total_return", lambda: stats.total_return(returns)),
        figures.figure("volatility", lambda: stats.volatility(returns)),
        figures.figure("sharpe", lambda: stats.sharpe(returns)),
        figures.figure("max_drawdown", lambda: stats.max_drawdown(returns)),
    )
