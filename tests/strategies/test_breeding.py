"""Children, chance and progress."""

import numpy as np
import pytest
from deap import tools
from hypothesis import given
from hypothesis import strategies as st

from strategies.breeding import (
    Chances,
    Herd,
    Space,
    children,
    founders,
    mutated,
    next_herd,
    progress,
    spread,
    toolbox,
    uniforms,
)

pytestmark = pytest.mark.area("evolution and beliefs")

SPACE = Space(np.array([0.0, -1.0, 5.0]), np.array([1.0, 1.0, 5.0]), np.array([True, True, False]))


def herd(rows=20, seed=1):
    """A population that was judged by two opposed ends."""
    genes = founders(SPACE, rows, seed, np.array([[0.5, 0.0, 5.0]]))
    return Herd(genes, np.column_stack([genes[:, 0] + genes[:, 1], -genes[:, 0]]))


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_children_stay_within_bounds_and_leave_alone_what_is_not_bred(seed, generation):
    young = children(herd(), SPACE, seed, generation)

    assert np.all((young >= SPACE.low) & (young <= SPACE.high))
    assert np.all(young[:, 2] == 5.0)


def test_a_row_of_chance_does_not_depend_on_how_many_there_are():
    assert np.array_equal(uniforms(7, 3, 10, 5), uniforms(7, 3, 1000, 5)[:10])
    assert not np.array_equal(uniforms(7, 3, 10, 5), uniforms(7, 4, 10, 5))


def test_the_same_seed_has_the_same_children():
    assert np.array_equal(children(herd(), SPACE, 1, 2), children(herd(), SPACE, 1, 2))
    assert not np.array_equal(children(herd(), SPACE, 1, 2), children(herd(), SPACE, 2, 2))


def test_the_first_generation_begins_with_the_ancestors():
    ancestors = np.array([[0.25, 0.5, 5.0], [0.75, -0.5, 5.0]])
    genes = founders(SPACE, 40, 1, ancestors)

    assert np.array_equal(genes[:2], ancestors)
    assert np.abs(genes[2:15] - ancestors[0]).mean() < np.abs(genes[15:] - ancestors[0]).mean()
    assert founders(SPACE, 1, 1, ancestors).tolist() == [[0.25, 0.5, 5.0]]


def test_crossing_is_distributed_as_deaps():
    """Their operator and ours, 20,000 children each: the same spread and the same extremes."""
    import random

    random.seed(1)
    mine = toolbox(SPACE, Chances(mate=1.0)).mate(
        np.tile([0.2, -0.5, 5.0], (20_000, 1)),
        np.tile([0.6, 0.5, 5.0], (20_000, 1)),
        np.random.default_rng(1).random((20_000, 6)),
    )
    theirs = []
    for _ in range(20_000):
        one, _ = tools.cxSimulatedBinaryBounded([0.2, -0.5], [0.6, 0.5], 15.0, [0, -1], [1, 1])
        theirs.append(one)
    theirs = np.array(theirs)

    for gene, first in ((0, 0.2), (1, -0.5)):
        crossed_mine = mine[mine[:, gene] != first, gene]
        crossed_theirs = theirs[theirs[:, gene] != first, gene]
        assert len(crossed_mine) == pytest.approx(len(crossed_theirs), rel=0.03)
        for share in (0.05, 0.25, 0.75, 0.95):
            gap = np.quantile(crossed_mine, share) - np.quantile(crossed_theirs, share)
            assert abs(gap) < 0.01


def test_mutation_is_distributed_as_deaps():
    import random

    random.seed(2)
    mine = mutated(
        np.tile([0.1, 0.9, 5.0], (20_000, 1)),
        np.random.default_rng(2).random((20_000, 6)),
        space=SPACE,
        eta=20.0,
        share=1.0,
    )
    theirs = np.array(
        [
            tools.mutPolynomialBounded([0.1, 0.9], 20.0, [0, -1], [1, 1], 1.0)[0]
            for _ in range(20_000)
        ]
    )

    for gene in (0, 1):
        for share in (0.05, 0.25, 0.5, 0.75, 0.95):
            gap = np.quantile(mine[:, gene], share) - np.quantile(theirs[:, gene], share)
            assert abs(gap) < 0.006


def test_survivors_are_as_many_as_there_were_parents_and_no_two_alike():
    before = herd()
    young = Herd(
        np.concatenate([before.genes[:5], children(before, SPACE, 1, 1)[5:]]), before.objectives
    )

    after = next_herd(before, young)

    assert len(after.genes) == len(before.genes)
    assert len(np.unique(after.genes, axis=0)) == len(after.genes)


def test_the_best_of_each_end_is_never_lost():
    now = herd()
    for generation in range(1, 10):
        genes = children(now, SPACE, 3, generation)
        young = Herd(genes, np.column_stack([genes[:, 0] + genes[:, 1], -genes[:, 0]]))
        after = next_herd(now, young)
        assert np.all(after.objectives.max(axis=0) >= now.objectives.max(axis=0))
        now = after


def test_a_front_is_nondominated_and_names_each_outcome_once():
    ends = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])

    assert Herd(np.zeros((4, 3)), ends).front.tolist() == [0, 1]


def test_a_front_that_does_not_move_makes_no_progress():
    now = herd()
    better = Herd(now.genes, now.objectives + 0.1)

    assert progress(now, now) == 0.0
    assert progress(now, better) > 0.01


def test_a_herd_of_equals_lets_more_strangers_in():
    same = Herd(np.tile([0.5, 0.0, 5.0], (4000, 1)), np.zeros((4000, 2)))
    strangers = Chances(mate=1e-9, mutate_genes=0.0, immigrants=0.1)

    young = children(same, SPACE, 1, 1, strangers)

    assert spread(same.genes, SPACE) == 0.0
    assert np.mean(young[:, 0] != 0.5) == pytest.approx(0.5, abs=0.03)
