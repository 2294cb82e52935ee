"""Many worlds, and nothing that was promised is broken in any of them."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.simulation.chance import Chance
from tests.simulation.world import run

ROOT = Path(__file__).parents[2]


def simulated(*arguments):
    """Run the simulation as anybody would; its summary, once it ended well."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_a_clean_stop_may_come_when_everything_has_come_to_rest():
    assert run(Chance(10_017_066)).wrong == []


@pytest.mark.timeout(900)
def test_a_thousand_seeds_and_as_many_more_as_there_is_time_for():
    said = simulated("--least", 1000, "--seconds", 120, "--workers", 2)

    assert int(said.split()[0]) >= 1000


@pytest.mark.nightly
@pytest.mark.timeout(4 * 3600)
def test_seeds_that_nobody_has_run_before():
    start = datetime.now(UTC).toordinal() * 1_000_000
    simulated("--seeds", 20_000, "--start", start, "--workers", 2)
