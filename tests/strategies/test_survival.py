"""Selection: the survivors of DEAP's own NSGA-II, in the same order."""

import numpy as np
import pytest
from deap import base, creator, tools
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from strategies.survival import select, standing, survivors

pytestmark = pytest.mark.area("evolution and beliefs")

creator.create("Ends", base.Fitness, weights=(1.0, 1.0, 1.0))
creator.create("Numbered", list, fitness=creator.Ends)


def individuals(objectives):
    """DEAP individuals that know their number."""
    made = []
    for number, values in enumerate(objectives):
        each = creator.Numbered([number])
        each.fitness.values = tuple(values)
        made.append(each)
    return made


coarse = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.integers(-3, 3)
)
fine = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(-1e6, 1e6)
)


@given(st.one_of(coarse, fine), st.data())
def test_they_are_those_of_deap_in_the_same_order(objectives, data):
    keep = data.draw(st.integers(1, len(objectives)))
    theirs = tools.selNSGA2(individuals(objectives), keep, nd="log")

    assert survivors(objectives, keep).tolist() == [each[0] for each in theirs]
    assert [each[0] for each in select(individuals(objectives), keep)] == [e[0] for e in theirs]


@given(coarse)
def test_fronts_are_those_of_deap(objectives):
    theirs = np.empty(len(objectives), dtype=int)
    for rank, front in enumerate(tools.sortNondominated(individuals(objectives), len(objectives))):
        for each in front:
            theirs[each[0]] = rank

    assert standing(objectives)[0].tolist() == theirs.tolist()


def test_nobody_survives_nothing():
    assert survivors(np.zeros((0, 3)), 5).tolist() == []
    assert survivors(np.zeros((3, 3)), 0).tolist() == []
