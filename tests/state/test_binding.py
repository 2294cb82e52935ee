"""A plan is carried out on the book it was made for, or not at all."""

from decimal import Decimal as D

from state.command import (
    ExecutePlan,
    Halt,
    MakePlan,
    MoveCash,
    RecordReconciliation,
    SubmitOrder,
)
from state.denial import Code
from state.event import CommandRefused, PlanExecuted, PlanMade
from tests.given import asked, funded, kinds, the, told, unavailable


def planned(now, key):
    """Return the account with one plan more, and its id."""
    course = asked(now, MakePlan(), key=key)
    return course.now, the(course, PlanMade).plan.plan_id


def test_of_two_plans_for_the_same_drift_one_is_carried_out():
    now, first = planned(funded(), "p1")
    now = asked(now, MoveCash("deposit", D(20_000)), key="d").now  # so that no order is the same
    now, second = planned(now, "p2")
    course = asked(now, ExecutePlan(first), key="e1")
    assert the(course, PlanExecuted)
    again = asked(course.now, ExecutePlan(second), key="e2")
    assert the(again, CommandRefused).denial.code is Code.POSITIONS_CHANGED
    assert again.now.orders == course.now.orders


def test_an_order_made_since_makes_a_plan_void():
    now, plan = planned(funded(), "p")
    now = asked(now, SubmitOrder("buy", "KO", D(1)), key="o").now
    denial = the(asked(now, ExecutePlan(plan), key="e"), CommandRefused).denial
    assert (denial.code, denial.subject, denial.limit) == (Code.POSITIONS_CHANGED, "KO", "0")


def test_a_plan_made_beside_open_orders_can_be_carried_out():
    now = asked(funded(), SubmitOrder("buy", "KO", D(1)), key="o").now
    now, plan = planned(now, "p")
    assert "PlanExecuted" in kinds(asked(now, ExecutePlan(plan), key="e"))


def test_while_the_daemon_starts_a_symbols_halt_does_not_use_the_plan_up():
    now, plan = planned(asked(funded(), Halt("news", "symbol:KO"), key="h").now, "p")
    now = told(now, RecordReconciliation(started=True)).now
    assert unavailable(now, ExecutePlan(plan)).kind == "not_ready"
