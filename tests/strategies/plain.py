"""A backtest as plainly as it can be written: one genome, one bar, one instrument at a time.

It shares nothing with the kernel. The weights come from the function that trades live.
"""

import math

import numpy as np

from strategies.active_inference import decide
from strategies.belief import blank
from strategies.inference import NumpyEngine
from strategies.market_model import EXPOSURES, tables
from strategies.observation import Bars
from strategies.sizing import Limits


def backtest(market, genome, terms):
    """Return lists over bars: equity, turnover, weights held, weights wanted; and trades."""
    model = tables(genome, EXPOSURES[terms.exposures])
    engine, count = NumpyEngine(model), market.closes.shape[1]
    belief = blank([f"S{n}" for n in range(count)], model)
    limits = Limits(terms.max_weight, terms.max_gross)
    cash, units, orders, last = terms.initial, [0.0] * count, [0.0] * count, [0.0] * count
    equities, turnovers, helds, wanteds, trades = [], [], [], [], 0
    for t in range(len(market.closes)):
        traded = 0.0
        for i in range(count):
            price = market.fills[t, i]
            if orders[i] and t and math.isfinite(price):
                price *= 1 + terms.spread if orders[i] > 0 else 1 - terms.spread
                notional = abs(orders[i] * price)
                cash -= orders[i] * price + notional * terms.commission
                units[i] += orders[i]
                traded += notional
                trades += 1
            orders[i] = 0.0
            if math.isfinite(market.closes[t, i]):
                last[i] = market.closes[t, i]
        equity = cash + sum(units[i] * last[i] for i in range(count))
        held = np.array([units[i] * last[i] / equity for i in range(count)])
        bars = Bars(market.closes[t], market.highs[t], market.lows[t])
        thought = decide(model, engine, belief, bars, held, limits)
        belief = thought.belief
        for i, weight in enumerate(thought.weights.tolist()):
            apart = abs(weight - held[i])
            enough = apart >= terms.order_band and apart * equity >= terms.min_trade
            if market.due[t] and last[i] and (enough or (weight == 0.0 and units[i])):
                orders[i] = weight * equity / last[i] - units[i]
        equities.append(equity)
        turnovers.append(traded / equity)
        helds.append(held)
        wanteds.append(thought.weights)
    return equities, turnovers, np.array(helds), np.array(wanteds), trades
