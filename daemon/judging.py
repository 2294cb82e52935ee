"""What workers do: judge genomes, choose a candidate, and pass the gate's verdict.

Imported by each worker: nothing here, or behind it, knows the broker, the journal or a secret.
"""

from functools import lru_cache
from math import isnan
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from state.evolved import Influence, Verdict
from strategies.candidate import Stakes, chosen, verdict_on
from strategies.evolution import Course, Stage, Standing, evaluated, objective_names, space
from strategies.fitness import Market, simulated
from strategies.genome import NAMES
from strategies.importance import rank_correlations, spans
from strategies.terms import Terms

Array = NDArray[np.float64]
History = str | Market  # a folder of arrays on this machine, or the arrays themselves


def kept(market: Market, folder: Path) -> str:
    """Write a history where workers of this machine map it into memory; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in market.__struct_fields__:
        np.save(folder / f"{name}.npy", getattr(market, name))
    return str(folder)


@lru_cache(maxsize=1)
def mapped(folder: str) -> Market:
    """Return a history as the files have it: one copy in memory for all workers."""
    names = Market.__struct_fields__
    return Market(*(np.asarray(np.load(f"{folder}/{name}.npy", mmap_mode="r")) for name in names))


def market_in(history: History) -> Market:
    """Return the history itself."""
    return mapped(history) if isinstance(history, str) else history


def judge(history: History, course: Course, stage: Stage, genes: Array) -> Array:
    """Return (P, M) the objectives of (P, G) genomes."""
    return evaluated(stage, genes, market_in(history), course)


def grown(history: History, genes: Array, terms: Terms, first: int) -> Array:
    """Return (P,) by what fraction equity would have grown from bar `first` on, after costs."""
    returns = simulated(market_in(history), genes, terms).returns[first:]
    return np.asarray(np.prod(1.0 + returns, axis=0) - 1.0)


def candidate_of(history: History, course: Course, now: Standing) -> Array:
    """Return (G,) the genome of the front to be looked at by the gate."""
    return chosen(course, now, market_in(history))


def verdict_of(
    history: History,
    course: Course,
    now: Standing,
    candidate: Array,
    champion: Array | None,
    stakes: Stakes,
) -> Verdict:
    """Return the verdict on a candidate."""
    verdict = verdict_on(course, now, market_in(history), candidate, champion, stakes)
    return msgspec.structs.replace(verdict, out_of_sample=dict(verdict.out_of_sample))


def influences(now: Standing) -> dict[str, Influence]:
    """Return what is seen of each gene of the money stage over the last population."""
    bounds, genes = space("money"), now.herd.genes
    worth = now.herd.objectives[:, objective_names("money").index("return for risk")]
    correlations, used = rank_correlations(genes, worth), spans(genes, bounds.low, bounds.high)
    return {
        name: Influence(None if isnan(correlation) else round(correlation, 4), round(span, 4))
        for name, correlation, span, free in zip(
            NAMES, correlations.tolist(), used.tolist(), bounds.free, strict=True
        )
        if free
    }
