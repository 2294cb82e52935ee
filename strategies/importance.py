"""Which genes mattered: how each goes with an objective over a population, and how far they spread.

A rank correlation says what went together in the genomes that survived, not what causes what; of
genes that were selected to one value little is left to correlate, which their span shows.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FEWEST: Final = 8  # genomes, below which a correlation says nothing

Array = NDArray[np.float64]


def rank_correlations(genes: Array, objective: Array) -> Array:
    """Return (G,) Spearman's rank correlation (1904) of each gene with an objective.

    genes      (P, G)  of a population
    objective  (P,)    larger is better

    Ties share their mean rank. NaN where a gene or the objective doesn't vary, or P is below 8.
    """
    if len(genes) < FEWEST:
        return np.full(genes.shape[1], np.nan)
    ranks = np.column_stack([mean_ranks(column) for column in genes.T])
    worth = mean_ranks(objective)
    ranks, worth = ranks - ranks.mean(axis=0), worth - worth.mean()
    scale = np.sqrt((ranks**2).sum(axis=0) * (worth**2).sum())
    together = np.asarray(ranks.T @ worth)
    return np.asarray(np.divide(together, scale, out=np.full_like(scale, np.nan), where=scale > 0))


def mean_ranks(values: Array) -> Array:
    """Return (P,) ranks from 1, equal values sharing the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2.0)[place])


def spans(genes: Array, low: Array, high: Array) -> Array:
    """Return (G,) the range that a population still uses of each gene's bounds, 0 to 1."""
    width = high - low
    used = genes.max(axis=0) - genes.min(axis=0)
    return np.asarray(np.divide(used, width, out=np.zeros_like(width), where=width > 0))
