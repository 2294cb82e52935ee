"""state/alerts.py: told once, told again when it is worse, told when it is over."""

import re
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from state.alert import AlertKind, Ill, noted, subject_of
from state.alerts import Pace, World, ills, remembered, step
from state.apply import apply
from state.event import Difference, Reconciled
from state.snapshot import Snapshot
from tests.given import CLOSE, WALL

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook"
PACE = Pace(patience=timedelta(minutes=1), escalate=timedelta(minutes=30))
DOWN = Ill(AlertKind.BROKER_DOWN, "broker", "the paper broker is not connected")
HALT = Ill(AlertKind.HALTED, "account", "account halted by ann: drill")


def told(*looks):
    """Return the turns that are told over looks of (minute, ills)."""
    standing, alerts = {}, []
    for minute, found in looks:
        standing, new = step(standing, found, WALL + timedelta(minutes=minute), PACE)
        alerts += [(alert.turn, alert.level) for alert in new]
    return alerts


def test_what_stands_is_told_once():
    assert told((0, [HALT]), (1, [HALT]), (2, [HALT])) == [("raised", "warning")]


def test_what_stands_long_is_told_again_and_graver():
    assert told((0, [HALT]), (30, [HALT]), (60, [HALT])) == [
        ("raised", "warning"),
        ("escalated", "critical"),
    ]


def test_what_is_over_is_told_once():
    assert told((0, [HALT]), (1, []), (2, [])) == [("raised", "warning"), ("cleared", "warning")]


def test_a_link_that_comes_back_at_once_wakes_nobody():
    assert told((0, [DOWN]), (0.5, [DOWN]), (0.9, [])) == []


def test_a_link_that_stays_down_is_told_after_its_patience():
    assert told((0, [DOWN]), (0.9, [DOWN]), (1, [DOWN])) == [("raised", "warning")]


def test_what_flaps_is_raised_once_and_over_when_it_was_fine_for_a_while():
    flaps = [(2 + n / 2, [DOWN] if n % 2 else []) for n in range(60)]
    assert told((0, [DOWN]), (1, [DOWN]), *flaps) == [
        ("raised", "warning"),
        ("escalated", "critical"),
    ]
    assert told((0, [DOWN]), (1, [DOWN]), (2, []), (2.9, []), (3, []), (4, [])) == [
        ("raised", "warning"),
        ("cleared", "warning"),
    ]


def test_what_somebody_ended_is_over_at_once():
    assert told((0, [HALT]), (0.01, [])) == [("raised", "warning"), ("cleared", "warning")]


def test_two_of_a_kind_are_told_apart():
    other = Ill(AlertKind.HALTED, "symbol:KO", "symbol:KO halted by ann: drill")
    assert told((0, [HALT, other]), (1, [other])) == [
        ("raised", "warning"),
        ("raised", "warning"),
        ("cleared", "warning"),
    ]


@given(st.lists(st.booleans(), max_size=40))
def test_raised_and_cleared_take_turns(there):
    turns = [t for t, _ in told(*((n, [HALT] if is_so else []) for n, is_so in enumerate(there)))]
    ends = [turn for turn in turns if turn != "escalated"]
    assert ends[::2] == ["raised"] * len(ends[::2])
    assert ends[1::2] == ["cleared"] * len(ends[1::2])
    assert (len(ends) % 2 == 1) == bool(there and there[-1])


def test_a_well_account_has_no_ills():
    assert ills(Snapshot(), World(), CLOSE) == ()


def test_what_the_shell_says_is_an_ill_in_its_words():
    world = World(feed="no close", broker="down", gateway="asks for a login", disk="1 MiB left")
    assert {(ill.kind.value, ill.message) for ill in ills(Snapshot(), world, CLOSE)} == {
        ("FEED_STALE", "no close"),
        ("BROKER_DOWN", "down"),
        ("GATEWAY_LOGIN", "asks for a login"),
        ("DISK_LOW", "1 MiB left"),
    }


def test_books_that_differ_are_critical_at_once():
    now = apply(Snapshot(), Reconciled((Difference("KO", D(1), D(2)),), CLOSE))
    found = ills(now, World(), CLOSE)
    assert [ill.kind for ill in found] == [AlertKind.BOOKS_DIFFER]
    assert [alert.level for alert in step({}, found, WALL, PACE)[1]] == ["critical"]


BROKER = frozenset({AlertKind.BROKER_DOWN})


def nightly(*looks):
    """Return the turns told over looks of (minute, ills, whether its absence is announced)."""
    standing, alerts = {}, []
    for minute, found, announced in looks:
        at, excused = WALL + timedelta(minutes=minute), BROKER if announced else frozenset()
        standing, new = step(standing, found, at, PACE, excused)
        alerts += [(alert.turn, alert.level) for alert in new]
    return alerts


def test_an_outage_that_began_before_an_announced_absence_is_not_told_as_over():
    assert nightly(
        *((n, [DOWN], False) for n in range(10)),
        *((n, [], True) for n in range(10, 22)),
        *((n, [DOWN], False) for n in range(22, 40)),
    ) == [("raised", "warning"), ("escalated", "critical")]


def test_an_outage_is_escalated_although_an_absence_is_announced():
    looks = [(0, [DOWN], False), (1, [DOWN], False), *((n, [], True) for n in range(20, 40))]
    assert nightly(*looks) == [("raised", "warning"), ("escalated", "critical")]


def test_an_absence_that_was_announced_wakes_nobody():
    assert nightly((0, [], False), (1, [], True), (60, [], True), (61, [], False)) == []


def test_what_came_back_in_an_announced_absence_is_told_as_over():
    looks = [(0, [DOWN], False), (1, [DOWN], False), (2, [], True), (3, [], False), (4, [], False)]
    assert nightly(*looks) == [("raised", "warning"), ("cleared", "warning")]


def test_what_was_over_before_an_announced_absence_is_told_as_over():
    looks = [(0, [DOWN], False), (1, [DOWN], False), (2, [], False), (2.5, [], True), (3, [], True)]
    assert nightly(*looks) == [("raised", "warning"), ("cleared", "warning")]


def test_what_is_not_excused_is_told_as_over_as_ever():
    assert nightly((0, [HALT], False), (1, [], True)) == [
        ("raised", "warning"),
        ("cleared", "warning"),
    ]


def test_every_kind_has_a_page_and_every_page_a_kind_or_a_rule():
    pages = {file.name for file in RUNBOOK.glob("*.md")}
    assert pages == {kind.page for kind in AlertKind} | {"daemon-down.md", "alerts-undelivered.md"}


def test_what_stands_is_remembered_over_a_restart():
    _, raised = step({}, [HALT], WALL, PACE)
    kept = noted({}, raised[0])
    later = WALL + timedelta(minutes=1)
    standing, again = step(remembered(kept), [HALT], later, PACE)
    assert again == ()
    _, cleared = step(standing, [], later, PACE)
    assert [alert.turn for alert in cleared] == ["cleared"]
    assert kept.keys() == {subject_of(HALT)}
    assert noted(kept, cleared[0]) == {}


def test_every_page_says_what_it_means_what_to_look_at_what_to_do_and_when_it_clears():
    for kind in AlertKind:
        text = (RUNBOOK / kind.page).read_text(encoding="utf-8")
        assert text.startswith(f"# {kind.value}\n")
        for part in ("## What it means", "## Look at", "## Do", "## It clears"):
            assert part in text, f"{kind.page} has no {part!r}"
        assert "`tm " in text or "    tm " in text


def test_every_command_on_a_page_is_one():
    commands = (RUNBOOK.parent / "commands.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^## (tm [a-z]+)$", commands, re.MULTILINE))
    for kind in AlertKind:
        text = (RUNBOOK / kind.page).read_text(encoding="utf-8")
        assert set(re.findall(r"\btm [a-z]+", text)) <= known
