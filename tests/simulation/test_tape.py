"""Hypothesis owns what is left to chance: it looks for a world that breaks, and shrinks it."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation.chance import Tape
from tests.simulation.world import run

TAPES = st.binary(max_size=400)
SHRUNK = """
import sys
from tests.simulation.mutations import loaded
loaded("replies are not stored")
from hypothesis import HealthCheck, find, settings, strategies as st
from tests.simulation.chance import Tape
from tests.simulation.world import run
tape = find(
    st.binary(max_size=400),
    lambda tape: bool(run(Tape(tape), real=False, clients=2).wrong),
    settings=settings(
        max_examples=300, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    ),
)
print(len(tape), run(Tape(tape), real=False, clients=2).wrong[0])
"""


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(TAPES)
def test_no_tape_breaks_a_promise(tape):
    assert run(Tape(tape), real=False, clients=2).wrong == []


def test_where_the_tape_ends_nothing_goes_wrong_any_more():
    came = run(Tape(b""), real=False)

    assert came.wrong == []
    assert not came.faults
    assert came.restarts == 1
    assert came.trace == run(Tape(b""), real=False).trace


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_failing_world_shrinks_to_a_few_bytes():
    done = subprocess.run(
        [sys.executable, "-c", SHRUNK], capture_output=True, text=True, check=True
    )

    size, _, what = done.stdout.partition(" ")
    assert int(size) <= 40, done.stdout
    assert "I2" in what or "I3" in what
