"""Targets brought within the limits, exactly."""

from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.book import book_of
from state.denial import Code
from state.event import OrderFilled
from state.goal import goals
from state.settings import Execution, Limits
from tests.given import CLOSE, funded

FREE = Execution(cash_reserve=0.0)
LIMITS = Limits(max_position_weight=0.6, max_gross=1.0, max_net=1.0)


def aimed(targets, execution=FREE, **limits):
    now = funded()
    found, denied = goals(now, book_of(now), targets, execution, replace(LIMITS, **limits))
    return {symbol: goal.weight for symbol, goal in found.items()}, denied


def notes(targets, execution=FREE, **limits):
    now = funded()
    found, _ = goals(now, book_of(now), targets, execution, replace(LIMITS, **limits))
    return [note for goal in found.values() for note in goal.notes]


@pytest.mark.parametrize(
    ("targets", "execution", "limits", "weights", "note"),
    [
        ({"KO": 0.5, "PG": 0.25}, FREE, {}, ("0.5", "0.25"), None),
        ({"KO": 0.1 + 0.2, "PG": np.float64(1e-10)}, FREE, {}, ("0.3", "0"), None),
        ({"KO": 0.61, "PG": 0}, FREE, {}, ("0.6", "0"), "clipped to risk.max_position_weight"),
        ({"KO": -0.5, "PG": 0}, FREE, {}, ("0", "0"), "risk.allow_short is off"),
        ({"KO": -0.7, "PG": 0}, FREE, {"allow_short": True}, ("-0.6", "0"), "clipped"),
        ({"KO": 0.5, "PG": 0.3}, FREE, {"max_gross": 0.4}, ("0.25", "0.15"), "to risk.max_gross"),
        ({"KO": 0.5, "PG": 0.3}, FREE, {"max_net": 0.4}, ("0.25", "0.15"), "to risk.max_net"),
        (
            {"KO": 0.5, "PG": -0.3}, FREE, {"allow_short": True, "max_gross": 0.4, "max_net": 0.1},
            ("0.25", "-0.15"), "scaled by 0.5000 to risk.max_",
        ),
        (
            {"KO": 0.6, "PG": 0.4}, Execution(cash_reserve=0.1), {}, ("0.54", "0.36"),
            "all targets scaled by 0.9000 to execution.cash_reserve",
        ),
        (
            {"KO": 0.6, "PG": 0.4}, Execution(cash_reserve=0.1), {"margin": True}, ("0.6", "0.4"),
            None,
        ),
    ],
)  # fmt: skip
def test_a_target_becomes_what_can_be_had(targets, execution, limits, weights, note):
    got, denied = aimed(targets, execution, **limits)

    assert got == dict(zip(("KO", "PG"), map(D, weights), strict=True))
    assert denied == ()
    assert (
        any(note in each for each in notes(targets, execution, **limits))
        if note
        else not notes(targets, execution, **limits)
    )


def test_what_is_held_and_has_no_target_is_to_go():
    now = funded(OrderFilled("x", "", "KO", D(10), D(50), D(0), CLOSE, CLOSE))

    found, denied = goals(now, book_of(now), {"PG": 0.5}, FREE, LIMITS)

    assert {symbol: goal.weight for symbol, goal in found.items()} == {"KO": D(0), "PG": D("0.5")}
    assert denied == ()


@pytest.mark.parametrize(
    ("symbol", "target", "code"),
    [
        ("KOO", 0.1, Code.UNKNOWN_SYMBOL),
        ("KO", float("nan"), Code.NO_TARGETS),
        ("KO", float("-inf"), Code.NO_TARGETS),
    ],
)
def test_what_can_not_be_planned_is_named_and_the_rest_goes_on(symbol, target, code):
    weights, denied = aimed({symbol: target, "PG": 0.5})

    assert weights == {"PG": D("0.5")}
    (denial,) = denied
    assert (denial.code, denial.subject) == (code, symbol)
    assert all((denial.value, denial.limit, denial.message, denial.hint))


def test_a_symbol_without_a_price_is_named_when_it_matters():
    now = replace(funded(), marks={"PG": funded().marks["PG"]})

    found, denied = goals(now, book_of(now), {"KO": 0.1, "PG": 0.1}, FREE, LIMITS)
    _, unconcerned = goals(now, book_of(now), {"KO": 0.0, "PG": 0.1}, FREE, LIMITS)

    assert list(found) == ["PG"]
    assert [denial.code for denial in denied] == [Code.NO_PRICE]
    assert unconcerned == ()


@given(
    st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    st.booleans(),
)
def test_no_goal_is_beyond_a_limit(weights, gross, net, short):
    got, _ = aimed(
        dict(zip(("KO", "PG"), weights, strict=True)),
        max_gross=gross,
        max_net=net,
        allow_short=short,
    )
    hair = D("1e-50")

    assert sum(map(abs, got.values())) <= D(str(gross)) + hair
    assert -D(str(net)) - hair <= sum(got.values()) <= min(D(str(net)), D(1)) + hair
    assert all(abs(weight) <= D("0.6") for weight in got.values())
    assert short or min(got.values()) >= 0
