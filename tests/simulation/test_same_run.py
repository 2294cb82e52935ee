"""The same seed is the same run: in this process, in another, whatever the hashes are."""

import os
import subprocess
import sys

from tests.simulation.chance import Chance
from tests.simulation.world import run

SEEDS = range(40, 46)
TRACES = f"""
from tests.simulation.chance import Chance
from tests.simulation.world import run
for seed in {SEEDS!r}:
    came = run(Chance(seed))
    print(seed, came.trace, came.steps, came.seconds, came.orders)
"""


def traces(hash_seed):
    done = subprocess.run(
        [sys.executable, "-c", TRACES],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_seed_runs_the_same_in_every_process_whatever_its_hash_seed():
    first = traces("0")

    assert len(set(first.splitlines())) == len(SEEDS)
    assert first == traces("1") == traces("random")


def test_a_seed_runs_the_same_twice_in_one_process():
    first, second = run(Chance(3)), run(Chance(3))

    assert (first.trace, first.steps, first.faults) == (second.trace, second.steps, second.faults)


def test_two_seeds_are_two_runs():
    assert run(Chance(4)).trace != run(Chance(5)).trace
