import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.sizing import targets


def sized(*weights, max_weight=0.5, max_gross=1.0):
    names = "ABCDEFGH"[: len(weights)]
    return targets(np.array(weights), names, max_weight=max_weight, max_gross=max_gross)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param((0.3, 0.2), {"A": 0.3, "B": 0.2}, id="within the caps"),
        pytest.param((0.7, 0.2), {"A": 0.5, "B": 0.2}, id="a large one is cut, the rest is cash"),
        pytest.param((-0.7, 0.2), {"A": -0.5, "B": 0.2}, id="a short too"),
        pytest.param((0.5, 0.5, 0.25), {"A": 0.4, "B": 0.4, "C": 0.2}, id="all are scaled alike"),
        pytest.param((0.5, -0.5, 0.25), {"A": 0.4, "B": -0.4, "C": 0.2}, id="shorts are gross"),
        pytest.param((1e-10, -1e-10), {"A": 0.0, "B": 0.0}, id="less than a billionth is nothing"),
        pytest.param((), {}, id="nothing"),
    ],
)
def test_weights_become_targets_within_the_caps(weights, expected):
    assert sized(*weights) == expected


def test_there_is_no_negative_zero():
    assert str(sized(-1e-12)["A"]) == "0.0"


def test_each_symbol_needs_its_weight():
    with pytest.raises(ValueError, match="3 symbols need as many weights"):
        targets(np.zeros(2), "ABC", max_weight=1.0, max_gross=1.0)


@given(
    st.lists(st.floats(-5, 5), max_size=8),
    st.sampled_from([0.0, 0.1, 1 / 3, 2.0]),
    st.sampled_from([0.0, 0.5, 1.0, 3.0]),
)
def test_no_cap_is_passed_and_no_sign_is_turned(weights, most, gross):
    found = sized(*weights, max_weight=most, max_gross=gross)
    billionth = 1e-9

    assert all(abs(target) <= most + billionth for target in found.values())
    assert sum(map(abs, found.values())) <= gross + billionth * (len(found) + 1)
    assert all(
        target * weight >= 0 and abs(target) <= abs(weight) + billionth
        for target, weight in zip(found.values(), weights, strict=True)
    )
