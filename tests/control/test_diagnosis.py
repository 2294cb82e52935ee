"""What the doctor says of each thing it finds, and what to do about it."""

from pathlib import Path

import pytest

from control import diagnosis
from control.diagnosis import LITTLE, MIB, Finding
from state import checks
from state.settings import Alerts


@pytest.mark.parametrize(
    ("finding", "grade", "says"),
    [
        (diagnosis.of_configuration(None, []), "ok", "defaults"),
        (diagnosis.of_configuration("/etc/c.toml", []), "ok", "/etc/c.toml"),
        (diagnosis.of_configuration("/etc/c.toml", ["line 3"]), "bad", "line 3"),
        (diagnosis.of_state("/s", False, True, None), "warn", "does not exist"),
        (diagnosis.of_state("/s", True, False, 9_000 * MIB), "warn", "read by others"),
        (diagnosis.of_state("/s", True, True, 900 * MIB), "warn", "900 MiB"),
        (diagnosis.of_state("/s", True, True, 9 * MIB), "bad", "9 MiB"),
        (diagnosis.of_state("/s", True, True, 9_000 * MIB), "ok", "9,000 MiB"),
        (diagnosis.of_halt_file(None), "ok", "none"),
        (diagnosis.of_halt_file("/s/halt"), "warn", "no order is sent"),
        (diagnosis.of_daemon("", "1", None, "nobody there"), "bad", "nobody there"),
        (diagnosis.of_daemon("/s", "1", {"version": "2", "pid": 7}, ""), "warn", "version 2"),
        (diagnosis.of_daemon("/s", "1", {"version": "1", "pid": 7}, ""), "ok", "pid 7"),
        (diagnosis.of_health("healthy", ()), "ok", "healthy"),
        (diagnosis.of_health("not ready", ("no bar",)), "warn", "no bar"),
        (diagnosis.of_health("unhealthy", ("disk",)), "bad", "disk"),
    ],
)
def test_every_finding_that_is_not_good_has_a_remedy(finding, grade, says):
    assert finding.grade == grade
    assert says in finding.found
    assert bool(finding.remedy) == (grade != "ok")


@pytest.mark.parametrize(
    ("severity", "grade"), [("ok", "ok"), ("warn", "warn"), ("breach", "bad"), ("new", "bad")]
)
def test_an_audits_severity_is_a_grade_and_an_unknown_one_is_bad(severity, grade):
    check = {"name": "disk", "severity": severity, "message": "little room"}

    assert diagnosis.of_audit(check).grade == grade


def test_a_check_nobody_thought_of_has_a_remedy_too():
    check = {"name": "max_gross", "severity": "breach", "message": "broken"}

    assert diagnosis.of_audit(check).remedy == diagnosis.SEE


def test_every_remedy_is_of_a_check_there_is():
    said = "".join(file.read_text() for file in Path(checks.__path__[0]).glob("*.py"))

    assert [name for name in diagnosis.AUDIT if f'"{name}' not in said] == []


@pytest.mark.parametrize(
    ("grades", "worst"), [((), "ok"), (("ok", "warn"), "warn"), (("warn", "bad", "ok"), "bad")]
)
def test_the_verdict_is_the_worst(grades, worst):
    assert diagnosis.worst([Finding("x", grade, "") for grade in grades]) == worst


def test_little_room_is_what_the_alert_calls_little_unless_configured():
    assert Alerts().disk_free * MIB == LITTLE
