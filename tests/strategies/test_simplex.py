"""Shares within bounds: they add up, and keep their proportions where no bound is in the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.simplex import bounded

fractions = st.floats(0.0, 1.0)


@st.composite
def problems(draw):
    rows = draw(st.lists(st.tuples(st.floats(1e-6, 10.0), fractions, fractions), min_size=1))
    shares = np.array([row[0] for row in rows])
    least = np.array([min(row[1:]) for row in rows])
    most = np.array([max(row[1:]) for row in rows])
    low, high = float(least.sum()), float(most.sum())
    return shares, least, most, low + draw(fractions) * (high - low)


@given(problems())
def test_they_add_up_within_their_bounds_and_are_scaled_alike_between_them(problem):
    shares, least, most, total = problem
    found = bounded(shares, least, most, total)

    assert ((found >= least) & (found <= most)).all()
    assert found.sum() == pytest.approx(total, abs=1e-9)
    scales = found / shares
    inside = (found > least + 1e-12) & (found < most - 1e-12)
    if inside.any():
        scale = scales[inside][0]
        assert scales[inside] == pytest.approx(scale, rel=1e-6)
        free = most - least > 1e-9
        assert (scales[free & (found >= most - 1e-12)] <= scale * (1 + 1e-6)).all()
        assert (scales[free & (found <= least + 1e-12)] >= scale * (1 - 1e-6)).all()


def test_what_one_may_not_have_the_others_share():
    found = bounded(np.array([8.0, 1.0, 1.0]), np.zeros(3), np.array([0.5, 1.0, 1.0]), 1.0)

    assert found == pytest.approx([0.5, 0.25, 0.25])
