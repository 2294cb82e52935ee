"""A plan without a line says why."""

from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from state.command import ExecutePlan, MakePlan, Rebalance
from state.denial import Code
from state.event import CommandRefused, CommandSkipped, PlanMade
from tests.given import LIMITS, asked, bars, funded, start, the


def with_targets(targets, **limits):
    """Return an account with targets, under limits."""
    run = start(replace(LIMITS, **limits))
    return funded(bars(50, 100, day=1, targets=targets), run=run)


def rebalanced(now):
    return asked(now, Rebalance(), key="r")


def executed(now):
    course = asked(now, MakePlan(), key="p")
    return asked(course.now, ExecutePlan(the(course, PlanMade).plan.plan_id), key="e")


@pytest.mark.parametrize("done", [rebalanced, executed])
class TestAPlanWithoutALine:
    def test_at_target(self, done):
        skipped = the(done(with_targets({"KO": 0.0})), CommandSkipped)
        assert skipped.code == "AT_TARGET"

    def test_off_target_without_room_to_trade(self, done):
        skipped = the(done(with_targets({"KO": 0.5}, max_order_notional=D(1))), CommandSkipped)
        assert skipped.code == "NO_ROOM"
        assert "KO" in skipped.message

    def test_a_target_that_cannot_be_planned(self, done):
        refused = the(done(with_targets({"ZZ": 0.5})), CommandRefused)
        assert refused.denial.code is Code.UNKNOWN_SYMBOL
