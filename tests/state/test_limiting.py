"""Limits set while running: tighter by request, wider by name, and over a restart."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from state.apply import apply
from state.command import ChangeLimits, SubmitOrder
from state.denial import Code
from state.event import CommandRefused, CommandSkipped, LimitsChanged, OrderDenied, Started
from state.limits_in_force import NAMES, shown, tight
from state.settings import Limits
from state.snapshot import Snapshot
from tests.given import CLOSE, LIMITS, asked, funded, kinds, start, the


def after(now, *changes, accept=""):
    return asked(now, ChangeLimits(changes, "earnings", accept)).now


def test_a_tighter_limit_holds_at_once():
    course = asked(funded(), ChangeLimits(("max_order_notional=1000", "risk.max_gross=0.5"), "why"))

    event = the(course, LimitsChanged)
    assert event.limits == replace(LIMITS, max_order_notional=D(1000), max_gross=0.5)
    assert (event.actor, event.reason) == ("ann", "why")
    no = the(asked(course.now, SubmitOrder("buy", "KO", D(100)), key="k2"), OrderDenied)
    assert no.denial.code is Code.ORDER_NOTIONAL


def test_a_wider_limit_wants_a_name():
    refused = the(asked(funded(), ChangeLimits(("max_gross=2",), "why")), CommandRefused)

    assert refused.denial.code is Code.LIMIT_LOOSENED
    assert "max_gross from 1.0 to 2.0" in refused.denial.message
    event = the(asked(funded(), ChangeLimits(("max_gross=2",), "why", "Ada")), LimitsChanged)
    assert event.actor == "ann (Ada)"


def test_one_wider_limit_among_tighter_ones_refuses_them_all():
    course = asked(funded(), ChangeLimits(("max_gross=0.5", "max_net=2"), "why"))

    assert kinds(course) == ["CommandRefused"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("max_gros=1", "sets no limit"),
        ("max_gross", "sets no limit"),
        ("max_gross=-1", "is not a number from 0"),
        ("max_gross=nan", "is not a number"),
        ("max_order_notional=0", "must be above 0"),
        ("stale_after=soon", "write a whole number and a unit"),
        ("margin=true", "can only be taken away"),
    ],
)
def test_what_is_no_limit_is_named(change, said):
    refused = the(asked(funded(), ChangeLimits((change,), "why", "Ada")), CommandRefused)

    assert refused.denial.code is Code.LIMIT_INVALID
    assert said in refused.denial.message or said in refused.denial.hint


def test_the_same_again_is_nothing():
    assert the(asked(funded(), ChangeLimits(("max_gross=1.0",), "why")), CommandSkipped)


def test_a_restricted_symbol_can_be_added_by_anybody_and_taken_off_by_name():
    now = after(funded(), "restricted=KO")
    no = the(asked(now, SubmitOrder("buy", "KO", D(1)), key="k2"), OrderDenied)

    assert no.denial.code is Code.RESTRICTED_SYMBOL
    assert the(asked(now, ChangeLimits(("restricted=",), "why"), key="k3"), CommandRefused)
    assert after(now, "restricted=", accept="Ada").start.restricted == ()


class TestOverARestart:
    def restarted(self, now: Snapshot, limits: Limits) -> Limits:
        return apply(now, Started(start(limits), CLOSE + timedelta(hours=1))).start.limits

    def test_what_was_set_holds(self):
        for change, accept in (("max_gross=0.5", ""), ("max_gross=1.5", "Ada")):
            now = after(funded(), change, accept=accept)
            assert self.restarted(now, LIMITS) == now.start.limits

    def test_the_configuration_wins_once_it_asks_for_something_tighter(self):
        now = after(funded(), "max_gross=0.5", "max_net=0.7")
        limits = self.restarted(now, replace(LIMITS, max_gross=0.3, max_net=0.9))

        assert (limits.max_gross, limits.max_net) == (0.3, 0.7)

    def test_a_wider_one_ends_when_the_configuration_changes(self):
        now = after(funded(), "max_gross=2", accept="Ada")

        assert self.restarted(now, replace(LIMITS, max_gross=1.1)).max_gross == 1.1

    def test_they_are_shown_beside_the_configurations(self):
        limits = {limit.name: limit for limit in shown(after(funded(), "max_gross=0.5"))}

        assert tuple(limits) == NAMES
        assert (limits["max_gross"].value, limits["max_gross"].configured) == (0.5, 1.0)
        assert [name for name, limit in limits.items() if limit.changed] == ["max_gross"]


@pytest.mark.parametrize(
    ("name", "value", "than", "is_tight"),
    [
        ("max_gross", 0.5, 0.5, True),
        ("max_day_orders", 2, 1, False),
        ("margin", False, True, True),
        ("margin", True, False, False),
        ("restricted", ("A", "B"), ("A",), True),
        ("restricted", ("B",), ("A",), False),
        ("stale_after", "1 bar", "2 bars", True),
        ("stale_after", "15m", "10m", False),
        ("stale_after", "1s", "1 bar", False),
    ],
)
def test_tighter_is_what_lets_less_through(name, value, than, is_tight):
    assert tight(name, value, than) is is_tight
