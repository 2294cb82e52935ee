"""Histories for tests of the strategy: random, with everything that real ones lack."""

import numpy as np

from strategies.fitness import market_of
from strategies.genome import GENES, HIGH, INDEX, LOW


def rough(seed, bars=300, count=4):
    """A history with gaps, a late listing, an early end, ranges and opens only here and there."""
    chance = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(chance.normal(0.0004, 0.015, (bars, count)), axis=0))
    highs = closes * (1 + np.abs(chance.normal(0, 0.01, closes.shape)))
    lows = closes * (1 - np.abs(chance.normal(0, 0.01, closes.shape)))
    opens = np.where(chance.random(closes.shape) < 0.5, np.nan, closes * 1.001)
    for part in (closes, highs, lows, opens):
        part[bars // 3 : bars // 3 + 3, 1] = np.nan
        part[: bars // 6, 2] = np.nan
        part[-bars // 6 :, count - 1] = np.nan
    highs[:, 0] = np.nan
    return market_of(closes, highs, lows, opens, due=chance.random(bars) < 0.5)


def anybody(seed, count):
    """Genomes drawn from anywhere within the bounds, but not too timid to trade, (count, G)."""
    genes = LOW + np.random.default_rng(seed).random((count, len(GENES))) * (HIGH - LOW)
    for name, most in (("kappa", 1.0), ("band", 0.01), ("risk", 0.03), ("half_life_book", 20.0)):
        low = LOW[INDEX[name]]
        genes[:, INDEX[name]] = low + (genes[:, INDEX[name]] - low) * most / HIGH[INDEX[name]]
    genes[:, INDEX["gamma"]] = 300.0
    return genes
