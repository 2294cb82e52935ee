"""A run of evolution as a value: what it is of, where it stands, and what comes next. Pure.

Two stages. Perception genes are bred on the evidence of what was observed, so that no wish for
profit distorts what is seen; then, with the best of those, the others are bred on money.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.breeding import (
    Herd,
    Space,
    children,
    founders,
    next_herd,
    progress,
)
from strategies.fitness import (
    MONEY,
    PERCEPTION,
    Market,
    money_objectives,
    perception_objectives,
    simulated,
)
from strategies.genome import GENES, HIGH, LOW
from strategies.splits import Segments, walk_forward
from strategies.terms import Terms

Array = NDArray[np.float64]
Stage = Literal["perception", "money", "done"]

FOLDS: Final = 5
WHOLE: Final = np.array([gene.name == "cooldown" for gene in GENES])  # genes of whole numbers
SAMPLED: Final = 48  # founders that are kept beside the final front, to measure luck by


class Course(msgspec.Struct, frozen=True):
    """What a run is asked to do; with its history it is all that decides what comes out."""

    seed: int
    population: int
    generations: int  # of the money stage at most
    perception_generations: int  # of the perception stage at most
    parts: Segments
    gap: int  # bars purged, and under embargo
    terms: Terms
    patience: int = 8  # generations without progress that end a stage
    tolerance: float = 0.01  # of the front's width: less is no progress


class Standing(msgspec.Struct, frozen=True):
    """Where a run stands after a generation was judged."""

    stage: Stage
    generation: int  # of its stage, from 0
    herd: Herd
    stale: int  # generations without progress
    evaluations: int
    perception: Array  # (G,) the genome whose perception the money stage uses
    founders: Array  # (S, G) genomes of the money stage's beginning


def space(stage: Stage, fixed: Array | None = None) -> Space:
    """Return which genes a stage breeds within which bounds; `fixed` (G,) holds the others."""
    free = np.array([gene.stage == stage for gene in GENES])
    low, high = LOW.copy(), HIGH.copy()
    if fixed is not None:
        low[~free] = high[~free] = fixed[~free]
    return Space(low, high, free)


def windows(course: Course) -> tuple[tuple[int, int], ...]:
    """Return the walk-forward windows of the bred bars, which a genome is judged over."""
    start, end = course.parts.train
    folds = walk_forward(start, end, FOLDS, course.gap, course.gap)
    first = (folds[0].train[1] // 2, folds[0].train[1])  # the quarter before, once it is warm
    return (first, *(fold.test for fold in folds))


def evaluated(stage: Stage, genes: Array, market: Market, course: Course) -> Array:
    """Return (P, M) the objectives of genomes: what workers do. `market` may be the whole history.

    Only the bred bars are looked at.
    """
    bred = market.until(course.parts.train[1])
    if stage == "perception":
        return perception_objectives(bred, genes, course.terms.exposures, windows(course))
    outcome = simulated(bred, genes, course.terms)
    return money_objectives(outcome, course.terms, windows(course))


def first(course: Course, ancestors: Array) -> tuple[Stage, Array]:
    """Return the stage that a run begins with, and (P, G) its founders from (A, G) ancestors."""
    stage: Stage = "perception" if course.perception_generations else "money"
    return stage, rounded(found(course, stage, ancestors))


def found(course: Course, stage: Stage, ancestors: Array) -> Array:
    """Return (P, G) the founders of a stage, each with a seed of its own."""
    where = space(stage, ancestors[0])
    return founders(where, course.population, seed(course, stage), ancestors)


def seed(course: Course, stage: Stage) -> int:
    """Return the seed of a stage."""
    return course.seed * 2 + (stage == "money")


def begun(course: Course, stage: Stage, genes: Array, objectives: Array, spent: int) -> Standing:
    """Return where a run stands when the founders of a stage were judged."""
    herd = Herd(genes, objectives)
    return Standing(
        stage=stage,
        generation=0,
        herd=herd,
        stale=0,
        evaluations=spent + len(genes),
        perception=genes[0],
        founders=genes[: min(SAMPLED, len(genes))],
    )


def offspring(course: Course, now: Standing) -> tuple[Stage, Array]:
    """Return which genomes are to be judged next, and by which stage's objectives.

    At the end of the perception stage they are the founders of the money stage.
    """
    if now.stage == "perception" and over(course, now):
        return "money", rounded(found(course, "money", now.perception[None, :]))
    where = space(now.stage, now.herd.genes[0])
    young = children(now.herd, where, seed(course, now.stage), now.generation + 1)
    return now.stage, rounded(young)


def advanced(
    course: Course, now: Standing, stage: Stage, genes: Array, objectives: Array
) -> Standing:
    """Return where a run stands after `offspring` was judged."""
    if stage != now.stage:
        return begun(course, stage, genes, objectives, now.evaluations)
    herd = next_herd(now.herd, Herd(genes, objectives))
    moved = progress(now.herd, herd) >= course.tolerance
    after = Standing(
        stage=now.stage,
        generation=now.generation + 1,
        herd=herd,
        stale=0 if moved else now.stale + 1,
        evaluations=now.evaluations + len(genes),
        perception=now.perception,
        founders=now.founders,
    )
    if stage == "perception":
        best = herd.genes[int(np.argmax(herd.objectives[:, 0]))]
        return msgspec.structs.replace(after, perception=best)
    return msgspec.structs.replace(after, stage="done") if over(course, after) else after


def over(course: Course, now: Standing) -> bool:
    """Return whether a stage has come to its end: by its number of generations, or by rest."""
    most = course.perception_generations if now.stage == "perception" else course.generations
    return now.generation >= most or now.stale >= course.patience


def rounded(genes: Array) -> Array:
    """Return genomes with their whole numbers whole."""
    return np.where(WHOLE, np.rint(genes), genes)


def bred(course: Course, market: Market, ancestors: Array) -> Standing:
    """Return where a run ends, all of it computed here: what a pool of workers must agree with."""
    stage, genes = first(course, ancestors)
    now = begun(course, stage, genes, evaluated(stage, genes, market, course), 0)
    while now.stage != "done":
        stage, genes = offspring(course, now)
        now = advanced(course, now, stage, genes, evaluated(stage, genes, market, course))
    return now


def objective_names(stage: Stage) -> Sequence[str]:
    """Return what a stage's objectives are called."""
    return PERCEPTION if stage == "perception" else MONEY
