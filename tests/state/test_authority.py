"""The contract's matrix, and what narrows a role."""

from typing import get_args

import pytest

from control.protocol import Health, Question, Status
from state.authority import RIGHTS, Grant, Role, judged, op_of, right_of
from state.command import ChangeLimits, ClientCommand, Halt, Rebalance, Resume, Shutdown

VIEWER, OPERATOR, ADMIN = (
    Grant(role.word, role, "test") for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
)
NOBODY = Grant("mallory", Role.NONE, "control.unknown_uid = none")
HALT = Halt("drill")
FLATTEN = Halt("drill", flatten=True)
WIDER = ChangeLimits(("max_gross=2",), "why", "ann")
TIGHTER = ChangeLimits(("max_gross=0.5",), "why")


def test_every_request_that_crosses_the_wire_has_a_row():
    tags = {str(kind.__struct_config__.tag) for kind in get_args(Question | ClientCommand)}

    assert tags - {"limits_set"} <= RIGHTS.keys()
    assert RIGHTS.keys() - tags == {"flatten", "limits_tighten", "limits_loosen"}


@pytest.mark.parametrize(
    ("ask", "allowed"),
    [
        (Status(), "viewer operator admin"),
        (HALT, "viewer operator admin"),
        (FLATTEN, "operator admin"),
        (Rebalance(), "operator admin"),
        (TIGHTER, "operator admin"),
        (WIDER, "admin"),
        (Resume("over", "ann"), "admin"),
        (Shutdown(), "admin"),
    ],
    ids=lambda value: right_of(value) if not isinstance(value, str) else "",
)
def test_a_role_may_what_the_contract_says(ask, allowed):
    may = {g.name for g in (VIEWER, OPERATOR, ADMIN, NOBODY) if not judged(ask, g).why}

    assert may == set(allowed.split())


def test_a_request_without_a_row_wants_an_admin():
    class Dig(Health, frozen=True, tag="dig"):
        """A command that somebody forgot to put into the table."""

    assert op_of(Dig()) == "dig"
    assert judged(Dig(), OPERATOR).why
    assert not judged(Dig(), ADMIN).why


def test_a_list_of_operations_narrows_a_role_but_never_the_kill_switch():
    airflow = Grant("airflow", Role.OPERATOR, "test", frozenset({"rebalance", "status"}))

    assert not judged(Rebalance(), airflow).why
    assert not judged(HALT, airflow).why
    assert "may not flatten: its operations are rebalance, status" in judged(FLATTEN, airflow).why


def test_a_denial_says_who_what_and_which_rule():
    verdict = judged(Shutdown(), VIEWER)

    assert verdict.why == "shutdown wants the role admin, and viewer has viewer (test)"
    assert verdict.hint
