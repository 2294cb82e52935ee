"""The simulation has teeth: each bug put in on purpose is caught, or the seeds prove nothing."""

import re
from datetime import UTC, datetime

import pytest

from tests.simulation.chance import Chance
from tests.simulation.mutations import MUTATIONS, ROOT, DoesNotApply, patched
from tests.simulation.teeth import MOST, caught, pins
from tests.simulation.world import run

TODAY = datetime.now(UTC).toordinal()
TABLE = (ROOT / "docs/simulation.md").read_text().partition("## What it found")[2].partition("## ")
FOUND = {  # by bug that the simulation found: what brings it back
    row.split("|")[2].strip(): re.search(r"mutation \"([^\"]+)\"", row)
    for row in TABLE[0].splitlines()
    if row.startswith("| ") and not row.startswith(("| seed", "| ---"))
}
ITSELF = [int(seed) for seed in re.findall(r"seed (\d+) itself is run", TABLE[0])]
AGAIN = [named[1] for named in FOUND.values() if named]
OTHERS = [name for name in MUTATIONS if name not in AGAIN]


def turn(names, day):
    """Three of the names, others every day."""
    return [names[(3 * day + n) % len(names)] for n in range(3)]


def test_each_is_a_patch_that_applies_and_compiles():
    assert len(MUTATIONS) >= 12
    for name in MUTATIONS:
        for module, source in patched(name).items():
            compile(source, module, "exec")


def test_a_patch_that_does_not_apply_says_so(monkeypatch):
    monkeypatch.setitem(MUTATIONS, "gone", [("daemon/sender.py", "nobody wrote this", "")])

    with pytest.raises(DoesNotApply, match="nobody wrote this"):
        patched("gone")


def test_each_has_a_seed_of_its_own_and_no_other_has():
    assert pins().keys() == MUTATIONS.keys()


def test_each_bug_that_was_found_has_a_patch_that_brings_it_back_or_its_seed_is_run():
    assert len(FOUND) >= 9
    assert len([bug for bug, named in FOUND.items() if not named]) == len(ITSELF)
    assert set(AGAIN) <= MUTATIONS.keys()


@pytest.mark.parametrize("seed", ITSELF)
def test_at_the_very_seed_that_a_bug_was_found_with_nothing_is_wrong_any_more(seed):
    assert run(Chance(seed)).wrong == []


@pytest.mark.parametrize("name", AGAIN)
def test_at_the_seed_of_a_bug_that_was_found_nothing_is_wrong_any_more(name):
    assert run(Chance(pins()[name])).wrong == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", AGAIN)
def test_a_bug_that_was_found_is_found_again_from_its_seed_on(name):
    seed, seen = caught(name)

    assert seed is not None, seen


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", turn(OTHERS, TODAY))
def test_three_are_caught(name):
    seed, seen = caught(name)

    assert seed is not None, seen


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", MUTATIONS)
def test_all_are_caught_by_one_of_the_first_seeds(name):
    seed, seen = caught(name, start=0)

    assert seed is not None, seen
    assert seed < MOST


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MUTATIONS)
def test_each_pinned_seed_alone_catches_its_own(name):
    seed, seen = caught(name, most=1)

    assert seed == pins()[name], f"renew it with `python -m tests.simulation.teeth --repin`: {seen}"
