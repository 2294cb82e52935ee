"""What docs/interactive-brokers.md says is what there is."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from msgspec.structs import fields

from daemon.brokers.ib.keeper import ALARM, back_off
from daemon.brokers.ib.wire_errors import TABLE
from daemon.link import PATIENCE
from state.settings import InteractiveBrokers
from tests.ib.stated import READY_AGAIN, SAID, SERVERS_BACK

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs/interactive-brokers.md").read_text()
RULE = re.compile(r"^\| (\d+) \| .+ \| `(\w+\.py)::(\w+)` \|$", re.MULTILINE)
RULES = RULE.findall(PAGE)


def test_it_begins_with_never_having_run_against_a_real_gateway():
    first = PAGE.split("\n\n")[1]
    assert "never run against a real gateway" in " ".join(first.split())


def test_it_has_a_test_for_each_of_the_thirty_rules():
    assert [int(number) for number, _, _ in RULES] == list(range(1, 31))


@pytest.mark.parametrize(("file", "name"), sorted({row[1:] for row in RULES}))
def test_a_rule_is_shown_by_a_test_that_there_is(file, name):
    tree = ast.parse((HERE / file).read_text())
    tests = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert name in tests


def test_its_error_codes_are_those_of_the_one_table():
    by_action = defaultdict(list)
    for code, action in TABLE.items():
        by_action[str(action)].append(code)
    rows = re.findall(r"^\| ([a-z, ]+) \| ((?:\d+ ?)+) \|$", PAGE, re.MULTILINE)
    assert {action: [int(code) for code in codes.split()] for action, codes in rows} == by_action


def test_the_settings_it_names_are_settings():
    known = {field.name for field in fields(InteractiveBrokers)}
    assert set(re.findall(r"`ib\.([a-z_]+)`", PAGE)) <= known


def test_it_states_the_times_that_tests_hold_a_daemon_to_and_the_longest_waits_fit():
    stated = re.findall(r"\| (\d+) s(?: after [^|]+)? \| `(test_[a-z_0-9]+)` \|", PAGE)
    assert {float(seconds) for seconds, _ in stated} == {READY_AGAIN, SERVERS_BACK, SAID}
    tests = ast.parse((HERE / "test_daemon.py").read_text()).body
    assert {name for _, name in stated} <= {getattr(test, "name", "") for test in tests}
    ib = InteractiveBrokers()
    asked = PATIENCE[-1] + 2 * ib.settle
    assert back_off(99, 1.0) + asked <= READY_AGAIN
    assert asked <= SERVERS_BACK
    assert ib.patience < SAID


def test_it_says_after_how_long_a_person_is_told():
    assert ALARM == 300.0
    assert "After five minutes" in " ".join(PAGE.split())
