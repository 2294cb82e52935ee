"""What a candidate has to beat: the plain strategies, over the same bars, with the same costs."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies import buy_and_hold, inverse_volatility, volatility_target
from strategies.fitness import Market
from strategies.plugin import Strategy, adopted
from strategies.shadow_book import capped, closed, opened, ordering
from strategies.terms import Terms

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
    book, returns = opened(count, terms.initial), np.zeros(bars)
    for t in range(bars):
        before = book.equity
        book = closed(book, market.fills[t], market.closes[t], terms)
        returns[t] = book.equity / before - 1.0 if before > 0.0 else 0.0
        if market.due[t] and book.equity > 0.0:
            window = market.closes[max(0, t + 1 - strategy.window) : t + 1]
            weights = capped(strategy.weights(window, book.held), terms)
            book = ordering(book, weights, terms)
    return returns
