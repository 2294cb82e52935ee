"""What docs/interactive-brokers.md says is what there is."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from msgspec.structs import fields

from daemon.brokers.ib.keeper import ALARM
from daemon.brokers.ib.wire_errors import TABLE
from state.settings import InteractiveBrokers

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


def test_it_says_after_how_long_a_person_is_told():
    assert ALARM == 300.0
    assert "After five minutes" in " ".join(PAGE.split())
