"""From one generation to the next: DEAP's toolbox over arrays, all chance counted from the seed.

A population is (P, G) genes in natural units beside (P, M) objectives, each to be maximised. The
child of a row depends on the seed, the generation, its row and the parents alone: not on how many
workers there are, nor on what was computed before in the same process.
"""

from typing import Final

import msgspec
import numpy as np
from deap import base
from numpy.typing import NDArray

from strategies.survival import standing, survivors

DRAWS: Final = 6  # uniform numbers a child takes beside four for each gene
COMPARED: Final = 256  # members of a front that are looked at to see whether it still moves

Genes = NDArray[np.float64]


class Space(msgspec.Struct, frozen=True):
    """Where genes may lie: (G,) bounds, and whether each is bred in this stage at all."""

    low: Genes
    high: Genes
    free: NDArray[np.bool_]


class Chances(msgspec.Struct, frozen=True):
    """How children are made. Probabilities, and the crowding degrees of Deb's operators."""

    mate: float = 0.9
    mate_eta: float = 15.0
    mutate_eta: float = 20.0
    mutate_genes: float = 2.0  # how many a child changes on average
    immigrants: float = 0.02  # children that are drawn anew
    alike: float = 0.02  # mean spread, as a fraction of the bounds, below which 5 times as many are


class Herd(msgspec.Struct, frozen=True):
    """A population that was judged: (P, G) genes and (P, M) objectives."""

    genes: Genes
    objectives: NDArray[np.float64]

    @property
    def front(self) -> NDArray[np.int64]:
        """Return the rows that nothing dominates, each set of objectives once, best first."""
        ranks, _ = standing(self.objectives)
        rows = np.flatnonzero(ranks == 0)
        _, firsts = np.unique(self.objectives[rows], axis=0, return_index=True)
        unique = rows[np.sort(firsts)]
        return np.asarray(unique[np.lexsort(-self.objectives[unique].T[::-1])])


def toolbox(space: Space, chances: Chances | None = None) -> base.Toolbox:
    """Return DEAP's toolbox with array operators under its own names.

    mate(first, second, chance), mutate(genes, chance) and select(objectives, keep) take and give
    arrays; `chance` are uniform numbers, so that no operator draws any itself.
    """
    chosen = chances or Chances()
    share = min(1.0, chosen.mutate_genes / max(int(space.free.sum()), 1))
    box = base.Toolbox()
    box.register("mate", crossed, space=space, eta=chosen.mate_eta, share=chosen.mate)
    box.register("mutate", mutated, space=space, eta=chosen.mutate_eta, share=share)
    box.register("select", survivors)
    return box


def uniforms(seed: int, generation: int, rows: int, columns: int) -> NDArray[np.float64]:
    """Return (rows, columns) numbers in [0, 1): row i is the same however many rows there are."""
    key = np.random.SeedSequence([seed, generation]).generate_state(2, np.uint64)
    source = np.random.Generator(np.random.Philox(key=key))
    return source.random((rows, columns))


def founders(space: Space, rows: int, seed: int, ancestors: Genes) -> Genes:
    """Return (rows, G) the first generation: `ancestors` (A, G), some near them, others anywhere.

    A third are mutants of the first ancestor, the champion; genes that are not bred are its own.
    """
    chance = uniforms(seed, 0, rows, 3 * len(space.low))
    width = len(space.low)
    genes = space.low + chance[:, :width] * (space.high - space.low)
    near = range(len(ancestors), min(rows, len(ancestors) + rows // 3))
    genes[near] = mutated(
        np.repeat(ancestors[:1], len(near), axis=0),
        chance[near, width:],
        space=space,
        eta=5.0,
        share=0.3,
    )
    kept = min(len(ancestors), rows)
    genes[:kept] = ancestors[:kept]
    genes[:, ~space.free] = ancestors[0, ~space.free]
    return np.clip(genes, space.low, space.high)


def children(
    herd: Herd, space: Space, seed: int, generation: int, chances: Chances | None = None
) -> Genes:
    """Return (P, G) one child for each row of the herd, its parents found by binary tournament."""
    chosen = chances or Chances()
    box = toolbox(space, chosen)
    rows, width = herd.genes.shape
    chance = uniforms(seed, generation, rows, DRAWS + 4 * width)
    first, second = (parents(herd, chance[:, start : start + 2]) for start in (0, 2))
    genes = box.mate(herd.genes[first], herd.genes[second], chance[:, DRAWS : DRAWS + 2 * width])
    genes = box.mutate(genes, chance[:, DRAWS + 2 * width :])
    share = chosen.immigrants * (5.0 if spread(herd.genes, space) < chosen.alike else 1.0)
    stranger = chance[:, 4] < share
    anywhere = space.low + chance[:, DRAWS : DRAWS + width] * (space.high - space.low)
    genes[stranger] = np.where(space.free, anywhere[stranger], genes[stranger])
    return np.asarray(genes)


def parents(herd: Herd, chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (P,) winners of tournaments of two: the better front, then the lonelier."""
    ranks, apart = standing(herd.objectives)
    one, two = (chance * len(herd.genes)).astype(np.int64).T
    better = (ranks[one] < ranks[two]) | ((ranks[one] == ranks[two]) & (apart[one] > apart[two]))
    return np.asarray(np.where(better, one, two))


def next_herd(herd: Herd, young: Herd) -> Herd:
    """Return the survivors of parents and children together, as many as there were parents.

    Of equal genomes one counts: the others are dropped as long as there are enough different ones.
    """
    genes = np.concatenate([herd.genes, young.genes])
    objectives = np.concatenate([herd.objectives, young.objectives])
    _, firsts = np.unique(genes, axis=0, return_index=True)
    if len(firsts) >= len(herd.genes):
        firsts = np.sort(firsts)
        genes, objectives = genes[firsts], objectives[firsts]
    kept = survivors(objectives, len(herd.genes))
    return Herd(genes[kept], objectives[kept])


def spread(genes: Genes, space: Space) -> float:
    """Return the mean deviation of the bred genes, as a fraction of their bounds."""
    width = np.where(space.high > space.low, space.high - space.low, 1.0)
    return float((genes.std(axis=0) / width)[space.free].mean()) if space.free.any() else 0.0


def progress(old: Herd, new: Herd) -> float:
    """Return how far the new front went beyond the old, as a fraction of the old one's width.

    The additive epsilon indicator (Zitzler et al., "Performance assessment of multiobjective
    optimizers", IEEE Transactions on Evolutionary Computation 7(2), 2003): 0 when nothing moved.
    """
    before = old.objectives[old.front][:COMPARED]
    after = new.objectives[new.front][:COMPARED]
    width = np.ptp(before, axis=0)
    scale = np.where(width > 0.0, width, np.maximum(np.abs(before).max(axis=0), 1e-12))
    gaps = ((after[:, None, :] - before[None, :, :]) / scale).max(axis=2)
    return max(0.0, float(gaps.min(axis=1).max()))


def crossed(
    first: Genes,
    second: Genes,
    chance: NDArray[np.float64],
    *,
    space: Space,
    eta: float,
    share: float,
) -> Genes:
    """Return (P, G) one child of each pair by simulated binary crossover, within the bounds.

    chance  (P, 2 G)  uniform numbers. DEAP's `cxSimulatedBinaryBounded`; each gene crosses with a
                      probability of a half, each pair with `share`. The child gets either side.
    """
    width = first.shape[1]
    which, beta_chance = chance[:, :width], chance[:, width:]
    low, high = np.minimum(first, second), np.maximum(first, second)
    gap = high - low
    crosses = (which < share / 2) & (gap > 1e-14) & space.free
    safe = np.where(crosses, gap, 1.0)
    upper = (which * (4.0 / share)).astype(np.int64) % 2 == 1  # which of the two children it is
    room = np.where(upper, space.high - high, low - space.low)
    alpha = 2.0 - (1.0 + 2.0 * room / safe) ** -(eta + 1.0)
    tall = beta_chance * alpha
    inner = np.where(tall <= 1.0, tall, 1.0 / np.maximum(2.0 - tall, 1e-300))
    reach = inner ** (1.0 / (eta + 1.0)) * safe
    child = 0.5 * (low + high + np.where(upper, reach, -reach))
    return np.where(crosses, np.clip(child, space.low, space.high), first)


def mutated(
    genes: Genes, chance: NDArray[np.float64], *, space: Space, eta: float, share: float
) -> Genes:
    """Return (P, G) mutants by polynomial mutation, within the bounds.

    chance  (P, 2 G)  uniform numbers. DEAP's `mutPolynomialBounded`, each gene with `share`.
    """
    width = genes.shape[1]
    range_ = np.where(space.high > space.low, space.high - space.low, 1.0)
    changes = (chance[:, :width] < share) & space.free & (space.high > space.low)
    draw = chance[:, width : 2 * width]
    down = draw < 0.5
    room = np.where(down, genes - space.low, space.high - genes) / range_
    toss = np.where(down, draw, 1.0 - draw)
    value = 2.0 * toss + (1.0 - 2.0 * toss) * (1.0 - np.clip(room, 0.0, 1.0)) ** (eta + 1.0)
    step = np.maximum(value, 0.0) ** (1.0 / (eta + 1.0)) - 1.0
    moved = genes + np.where(down, step, -step) * range_
    return np.where(changes, np.clip(moved, space.low, space.high), genes)
