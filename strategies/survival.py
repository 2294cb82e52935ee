"""Who survives a generation: NSGA-II's selection on arrays, the survivors of DEAP's own.

Objectives are to be maximised; (P, M), finite. DEAP's `selNSGA2(individuals, k, nd="log")` with
weights of 1 chooses the same individuals in the same order.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


def survivors(objectives: NDArray[np.float64], keep: int) -> NDArray[np.int64]:
    """Return the rows that survive, best front first, at most `keep` of them.

    Deb, Pratab, Agarwal & Meyarivan, "A fast and elitist multiobjective genetic algorithm:
    NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002.
    """
    order, ranks = sorted_fronts(objectives)
    chosen: list[NDArray[np.int64]] = []
    left = min(keep, len(objectives))
    last = int(ranks.max(initial=-1))
    for rank in range(last + 1):
        front = order[ranks == rank]
        if len(front) >= left or rank == last:
            apart = crowding(objectives[front])
            front = front[np.argsort(-apart, kind="stable")][:left]
        chosen.append(front)
        left -= len(front)
        if left == 0:
            break
    return np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)


def standing(objectives: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (P,) the front of each row, 0 the best, and (P,) its crowding distance within it."""
    order, sorted_ranks = sorted_fronts(objectives)
    ranks = np.empty(len(objectives), dtype=np.int64)
    ranks[order] = sorted_ranks
    apart = np.empty(len(objectives))
    for rank in range(int(ranks.max(initial=-1)) + 1):
        front = order[sorted_ranks == rank]
        apart[front] = crowding(objectives[front])
    return ranks, apart


def sorted_fronts(objectives: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows in lexicographic order, best first, and the front of each in that order.

    Rows with the same objectives are of the same front.
    """
    order = np.lexsort(-objectives.T[::-1])
    ranked = np.ascontiguousarray(objectives[order])
    return order, front_numbers(ranked)


@njit(cache=True)
def front_numbers(ranked: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the front of each row of (P, M) `ranked`, which is in lexicographic order, best first.

    In that order nothing is dominated by what comes later, so a row belongs to the first front
    none of whose members dominates it; fronts are searched by halves, newest members first (Zhang,
    Tian, Cheng & Jin, "An efficient approach to nondominated sorting for evolutionary
    multiobjective optimization", IEEE Transactions on Evolutionary Computation 19(2), 2015).
    """
    rows, count = ranked.shape
    front = np.zeros(rows, dtype=np.int64)
    newest = np.full(rows, -1, dtype=np.int64)  # of each front
    older = np.full(rows, -1, dtype=np.int64)  # the member of the same front before this one
    fronts = 0
    for row in range(rows):
        if row > 0:
            same = True
            for m in range(count):
                if ranked[row, m] != ranked[row - 1, m]:
                    same = False
                    break
            if same:
                front[row] = front[row - 1]
                continue
        low, high = 0, fronts
        while low < high:
            middle = (low + high) // 2
            member = newest[middle]
            dominated = False
            while member >= 0:
                dominated = True
                for m in range(1, count):  # the first is no smaller by the order
                    if ranked[member, m] < ranked[row, m]:
                        dominated = False
                        break
                if dominated:
                    break
                member = older[member]
            if dominated:
                low = middle + 1
            else:
                high = middle
        front[row] = low
        older[row] = newest[low]
        newest[low] = row
        fronts = max(fronts, low + 1)
    return front


def crowding(objectives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (F,) how far each row of a front is from its neighbours; the ends are infinitely far.

    As DEAP's `assignCrowdingDist` does, ties and all: each objective is sorted on top of the one
    before.
    """
    rows, count = objectives.shape
    apart = np.zeros(rows)
    order = np.arange(rows)
    for m in range(count):
        order = order[np.argsort(objectives[order, m], kind="stable")]
        values = objectives[order, m]
        apart[order[0]] = apart[order[-1]] = np.inf
        width = values[-1] - values[0]
        if width > 0.0:
            apart[order[1:-1]] += (values[2:] - values[:-2]) / (count * width)
    return apart


def select(individuals: list[Any], keep: int) -> list[Any]:
    """Return the survivors of DEAP individuals: a drop-in for `selNSGA2` in a toolbox."""
    objectives = np.array([each.fitness.wvalues for each in individuals], dtype=np.float64)
    return [individuals[row] for row in survivors(objectives, keep)]
