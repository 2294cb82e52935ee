"""exp in plain arithmetic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from strategies.exponential import exponential


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=50))
def test_it_is_exp_to_one_unit_in_the_last_place(numbers):
    x = np.array(numbers)
    exact = np.exp(x.astype(np.longdouble))

    assert np.all(np.abs(exponential(x) - exact) <= 1.01 * np.spacing(exact.astype(float)))


def test_it_is_one_at_zero_and_never_overflows():
    assert exponential(np.array([0.0, -0.0])).tolist() == [1.0, 1.0]
    assert np.all(np.isfinite(exponential(np.array([-np.inf, -1e9, 1e9, np.inf]))))
