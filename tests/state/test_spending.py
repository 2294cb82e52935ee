"""What one principal may do a day, whatever its role may."""

from decimal import Decimal as D

from state.command import Caps, Cause, Halt, MoveCash, Rebalance, SubmitOrder
from state.decider import decide
from state.denial import Code
from state.event import CommandRefused, OrderSubmitted
from state.order import request_id
from state.snapshot import Usage
from tests.given import MOMENT, bars, funded, kinds, the


def ask(now, command, key, *, op="order", who="airflow", caps=Caps(3, D(10_000))):  # noqa: B008
    cause = Cause(request_id(key), key, op, who, "digest", 50000, "test", caps)
    return decide(now, command, MOMENT, cause)


def order(quantity):
    return SubmitOrder("buy", "KO", D(quantity))  # KO is at 50


def test_orders_count_until_the_cap_and_the_next_is_refused_whole():
    now = ask(funded(), order(150), "a").now
    assert now.usage["airflow"] == Usage(1, D(7500))

    course = ask(now, order(51), "b")
    assert kinds(course) == ["CommandRefused"]
    no = the(course, CommandRefused).denial
    assert (no.code, no.subject, no.limit) == (Code.DAY_NOTIONAL, "airflow", "10000")
    assert course.now.usage["airflow"] == Usage(2, D(7500)), "what was refused is not spent"
    assert the(ask(course.now, order(50), "c"), OrderSubmitted)


def test_a_rebalance_is_done_whole_or_not_at_all():
    assert kinds(ask(funded(), Rebalance(), "a", op="rebalance")) == ["CommandRefused"]
    assert kinds(ask(funded(), Rebalance(), "a", op="rebalance", caps=Caps())) != ["CommandRefused"]


def test_commands_are_counted_each_for_who_asked():
    now = funded()
    for key in "abc":
        now = ask(now, MoveCash("deposit", D(1)), key, op="cash").now
    no = the(ask(now, MoveCash("deposit", D(1)), "d", op="cash"), CommandRefused).denial
    assert (no.code, no.value, no.limit) == (Code.DAY_OPERATIONS, "4", "3")
    other = ask(now, MoveCash("deposit", D(1)), "e", op="cash", who="ann")
    assert "CommandRefused" not in kinds(other)


def test_the_kill_switch_counts_for_nothing_and_is_never_refused():
    now = ask(funded(), order(100), "a").now
    course = ask(now, Halt("drill"), "b", op="halt", caps=Caps(0, D(0)))

    assert "CommandRefused" not in kinds(course)
    assert course.now.usage == now.usage


def test_a_new_day_begins_at_nothing():
    now = funded(bars(50, 100, day=1))
    used = ask(funded(), order(100), "a").now.usage

    assert used
    assert now.usage == {}
