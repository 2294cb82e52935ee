"""What a candidate has to beat: the plain strategies, over the same bars, with the same costs."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies import buy_and_hold, inverse_volatility, volatility_target
from strategies.fitness import Market, Terms
from strategies.plugin import Strategy, adopted

BASELINES: Final[Mapping[str, Strategy]] = {
    name: adopted(name, module, {})
    for name, module in (
        ("buy_and_hold", buy_and_hold),
        ("inverse_volatility", inverse_volatility),
        ("volatility_target", volatility_target),
    )
}


def earned(market: Market, strategy: Strategy, terms: Terms) -> NDArray[np.float64]:
    """Return (T,) returns per bar of a strategy that is asked whenever a rebalance is due.

    Orders, costs, caps and bands are those of `kernels.simulate`.
    """
    bars, count = market.closes.shape
    units, ordered = np.zeros(count), np.zeros(count)
    last, cash, before = np.zeros(count), terms.initial, terms.initial
    returns = np.zeros(bars)
    for t in range(bars):
        fill = market.fills[t]
        filled = np.isfinite(fill) & (ordered != 0.0)
        if filled.any():
            price = fill * np.where(ordered > 0.0, 1.0 + terms.spread, 1.0 - terms.spread)
            worth = np.where(filled, ordered * price, 0.0)
            cash -= float(worth.sum() + np.abs(worth).sum() * terms.commission)
            units = units + np.where(filled, ordered, 0.0)
        ordered = np.zeros(count)
        last = np.where(np.isfinite(market.closes[t]), market.closes[t], last)
        equity = cash + float((units * last).sum())
        returns[t] = equity / before - 1.0 if before > 0.0 else 0.0
        before = equity
        if market.due[t] and equity > 0.0:
            held = units * last / equity
            window = market.closes[max(0, t + 1 - strategy.window) : t + 1]
            weights = np.clip(strategy.weights(window, held), -terms.max_weight, terms.max_weight)
            gross = float(np.abs(weights).sum())
            weights = weights * min(1.0, terms.max_gross / gross) if gross > 0.0 else weights
            apart = np.abs(weights - held)
            trades = (apart >= terms.order_band) & (apart * equity >= terms.min_trade)
            trades = (trades | ((weights == 0.0) & (units != 0.0))) & (last > 0.0)
            wanted = weights * equity / np.where(last > 0.0, last, 1.0) - units
            ordered = np.where(trades, wanted, 0.0)
    return returns
