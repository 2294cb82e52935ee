"""Markets made up, so that what is in them is known: nothing, or an edge of a stated size."""

import numpy as np

from strategies.fitness import market_of


def noise(seed, bars=8_300, count=12):
    """A market without any memory: independent returns, fat tails, one shared factor, no drift."""
    chance = np.random.default_rng([seed, 1])
    shared = chance.standard_t(5, (bars, 1)) * 0.0045
    own = chance.standard_t(5, (bars, count)) * 0.008
    return as_market(shared + own)


def planted(seed, strength, bars=8_300, count=12, half_life=40.0):
    """The same with a drift that comes and goes slowly: momentum has an edge, holding has none.

    strength  deviation of the drift as a fraction of that of the returns
    """
    chance = np.random.default_rng([seed, 1])
    shared = chance.standard_t(5, (bars, 1)) * 0.0045
    own = chance.standard_t(5, (bars, count)) * 0.008
    keep = 0.5 ** (1.0 / half_life)
    drift = np.zeros((bars, count))
    push = chance.normal(0.0, np.sqrt(1 - keep**2), (bars, count))
    for t in range(1, bars):
        drift[t] = keep * drift[t - 1] + push[t]
    return as_market(shared + own + strength * 0.0115 * drift)


def as_market(returns):
    """Closes of simple returns, rebalanced weekly."""
    closes = 100.0 * np.cumprod(1.0 + np.clip(returns, -0.5, 0.5), axis=0)
    due = np.zeros(len(closes), dtype=bool)
    due[4::5] = True
    return market_of(closes, due=due)
