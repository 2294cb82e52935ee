"""The roles file: strict, and never more than it says."""

from contextlib import suppress
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.authority import Grant, Role
from state.command import Caps
from state.given import ConfigurationInvalid
from state.roles import builtin_roles, decode_roles

FILE = """
[[principal]]
name = "ann"
uid = 1000
role = "admin"

[[principal]]
name = "desk"
gid = 2000
role = "operator"

[[principal]]
name = "airflow"
token_file = "/run/secrets/airflow"
role = "operator"
operations = ["rebalance", "status"]
operations_a_day = 20
notional_a_day = "250000"

[[principal]]
name = "grafana"
certificate = "grafana.example"
role = "viewer"
"""
ROLES = decode_roles(FILE, "roles.toml", Role.NONE)


def test_a_uid_goes_before_a_group_and_a_stranger_gets_what_the_configuration_says():
    assert ROLES.local(1000, (2000,), "ann").role is Role.ADMIN
    assert ROLES.local(1001, (100, 2000), "bob") == Grant("desk:bob", Role.OPERATOR, "roles: desk")
    assert ROLES.local(0, (0,), "root").role is Role.NONE, "the file alone counts"
    assert decode_roles(FILE, "f", Role.VIEWER).local(7, (), "eve").role is Role.VIEWER


def test_a_token_and_a_certificate_have_their_principal():
    airflow = next(entry.grant for entry in ROLES.entries if entry.token_file)

    assert airflow.operations == {"rebalance", "status"}
    assert airflow.caps == Caps(20, D(250_000))
    assert ROLES.certified(("other", "grafana.example")).role is Role.VIEWER
    assert ROLES.certified(()) is None
    assert ROLES.certified(("ann",)) is None


def test_without_a_file_root_and_the_daemons_own_user_are_admins():
    roles = builtin_roles({0: "root", 10001: "tm"}, Role.VIEWER)

    assert roles.local(0, (), "root").role is Role.ADMIN
    assert roles.local(10001, (), "tm") == Grant("tm", Role.ADMIN, "roles: tm")
    assert roles.local(1000, (), "ann") == Grant("ann", Role.VIEWER, "control.unknown_uid = viewer")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names nobody"),
        ("x = 1", "unknown key x"),
        ("[[principal]]\nname = 'a'\nrole = 'root'\nuid = 1", "Invalid enum value 'root'"),
        ("[[principal]]\nname = 'a'\nrole = 'viewer'", "exactly one of uid, gid"),
        ("[[principal]]\nname = 'a'\nrole = 'viewer'\nuid = 1\ngid = 1", "exactly one of"),
        ("[[principal]]\nname = 'a b'\nrole = 'viewer'\nuid = 1", "a name is 1 to 64"),
        ("[[principal]]\nname = 'a'\nrole = 'viewer'\nuid = -1", ">= 0"),
        ("[[principal]]\nname = 'a'\nrole = 'viewer'\nuid = true", "got `bool`"),
        ("[[principal]]\nname = 'a'\nrole = 'viewer'\nuid = 1\nshell = 'x'", "unknown field"),
        ("[[principal]]\nname = 'a'\nrole = 'viewer'\ntoken_file = 'x'", "absolute path"),
        (
            "[[principal]]\nname = 'a'\nrole = 'viewer'\nuid = 1\noperations = ['dance']",
            "dance is no operation",
        ),
        (
            "[[principal]]\nname = 'a'\nrole = 'viewer'\nuid = 1\nnotional_a_day = '-1'",
            "must be at least 0",
        ),
        (
            "[[principal]]\nname = 'a'\nrole = 'viewer'\nuid = 1\nnotional_a_day = 'NaN'",
            "finite",
        ),
        (
            "[[principal]]\nname='a'\nrole='viewer'\nuid=1\n"
            "[[principal]]\nname='b'\nrole='admin'\nuid=1",
            "uid 1 stands there more than once",
        ),
        ("[[principal", "not TOML"),
    ],
)
def test_what_it_may_not_hold_is_named(text, said):
    with pytest.raises(ConfigurationInvalid, match=r"roles\.toml") as refused:
        decode_roles(text, "roles.toml", Role.VIEWER)
    assert said in str(refused.value)


@given(st.text(max_size=200))
def test_any_text_is_roles_or_refused(text):
    with suppress(ConfigurationInvalid):
        decode_roles(text, "f", Role.VIEWER)
