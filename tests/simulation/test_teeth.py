"""The simulation has teeth: each bug put in on purpose is caught, or the seeds prove nothing."""

from datetime import UTC, datetime

import pytest

from tests.simulation.mutations import MUTATIONS, DoesNotApply, patched
from tests.simulation.teeth import MOST, caught

TODAY = datetime.now(UTC).toordinal()
SLOW = {  # to catch: hundreds of seeds
    "a plan is executed after it expired",
    "cash that the broker may not know of is not told again",
}
QUICK = [name for name in MUTATIONS if name not in SLOW]


def turn(names, day):
    """Three of the names, others every day."""
    return [names[(3 * day + n) % len(names)] for n in range(3)]


def test_each_is_a_patch_that_applies_and_compiles():
    assert len(MUTATIONS) >= 12
    assert MUTATIONS.keys() > SLOW
    for name in MUTATIONS:
        for module, source in patched(name).items():
            compile(source, module, "exec")


def test_a_patch_that_does_not_apply_says_so(monkeypatch):
    monkeypatch.setitem(MUTATIONS, "gone", [("daemon/sender.py", "nobody wrote this", "")])

    with pytest.raises(DoesNotApply, match="nobody wrote this"):
        patched("gone")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", turn(QUICK, TODAY))
def test_three_are_caught(name):
    seeds, seen = caught(name)

    assert seeds is not None, seen
    assert seeds <= MOST


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", MUTATIONS)
def test_all_are_caught(name):
    seeds, seen = caught(name)

    assert seeds is not None, seen
    assert seeds <= MOST
