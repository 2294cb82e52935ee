"""The genome that ships, on bars it never saw. `bench.beliefs` has the whole of it."""

import csv
import gzip

import numpy as np
import pytest

from daemon.feeds.bundle import STOCKS, bundled
from strategies.fitness import log_evidence, market_of
from strategies.fitted import FITTED
from strategies.genome import DEFAULT, NAMES
from strategies.kernels import perceive
from strategies.market_model import RANGE_EDGES, Z_EDGES

pytestmark = pytest.mark.area("evolution and beliefs")


def test_every_gene_that_ships_is_the_default():
    assert list(FITTED) == list(NAMES)
    assert DEFAULT.values == tuple(FITTED.values())


def test_it_foretells_most_stocks_better_than_their_own_frequencies():
    with gzip.open(bundled(STOCKS), "rt", encoding="utf-8", newline="") as text:
        rows = list(csv.reader(text))[1:]
    closes = np.array([[float(value) for value in row[1:]] for row in rows])
    fitted_until = sum(row[0] <= "2012-12-31" for row in rows)
    late = slice(fitted_until, None)
    better = 0
    for n in range(closes.shape[1]):
        market = market_of(closes[:, n : n + 1])
        bins = perceive(market.closes, market.highs, market.lows, Z_EDGES, RANGE_EDGES)[2][:, 0]
        seen = bins[:fitted_until][bins[:fitted_until] >= 0]
        shares = (np.bincount(seen, minlength=7) + 1.0) / (len(seen) + 7.0)
        ours = log_evidence(market, DEFAULT.array[None, :], "long_only")[late, 0]
        better += ours.mean() > np.log(shares[bins[late]]).mean()

    assert better >= 18
