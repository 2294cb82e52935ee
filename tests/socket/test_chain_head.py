"""The chain's head leaves the machine, and shows a journal that was cut off since.

A journal cut off between two records is whole in itself: an earlier backup is one.
"""

import json
import subprocess
from pathlib import Path

import pytest

from control.output import XCOM_LIMIT
from control.protocol import Exit
from state.command import Halt
from tests.tmd import CONFIGURATION, TMD, Tmd

pytestmark = pytest.mark.area("units")


@pytest.fixture(scope="module")
def tmd(tmp_path_factory):
    """A daemon whose market stands still, so that nothing is recorded that was not asked for."""
    folder = tmp_path_factory.mktemp("head") / "d"
    with Tmd(folder, CONFIGURATION.format(pace=0.001)) as one:
        yield one.start().ready()


@pytest.fixture(scope="module")
def cut(tmd, tmp_path_factory):
    """A journal that ends where the daemon's own went on."""
    code, made = tm(tmd, "backup", str(tmp_path_factory.mktemp("cut") / "cut.db"))
    assert code == 0, made
    assert tmd.ask(Halt("drill"), key="drill").ok
    return made["data"]["file"]


def tm(tmd, *words):
    """Run the client as a task of Airflow does; return its exit code and the task's result."""
    command = [TMD.with_name("tm"), *words, "--xcom"]
    done = subprocess.run(command, env=tmd.environment, capture_output=True, check=False)
    result = done.stdout.splitlines()[-1]
    assert len(result) <= XCOM_LIMIT
    return done.returncode, json.loads(result)


def assert_shown(tmd, cut, head):
    """A head is part of the daemon's chain, and of no journal that was cut off before it."""
    assert tm(tmd, "verify", "--head", head)[0] == 0
    assert tm(tmd, "verify", "--journal", cut)[0] == 0
    code, found = tm(tmd, "verify", "--journal", cut, "--head", head)
    assert (code, found["error"]["code"]) == (Exit.FINDINGS, "JOURNAL_DAMAGED")
    assert found["data"]["first_bad"] == int(head.partition(":")[0])


@pytest.mark.parametrize("task", ["audit", "report", "events"])
def test_the_head_in_a_tasks_result_shows_it(tmd, cut, task):
    _, result = tm(tmd, task)
    head = result["data"]["head"]
    assert head["seq"] == result["seq"]
    assert_shown(tmd, cut, f"{head['seq']}:{head['hash']}")


def test_the_head_in_the_result_of_a_verification_shows_it(tmd, cut):
    _, result = tm(tmd, "verify")
    assert_shown(tmd, cut, f"{result['data']['seq']}:{result['data']['hash']}")


def test_the_head_in_a_backups_name_shows_it(tmd, cut, tmp_path):
    _, made = tm(tmd, "backup", str(tmp_path / "{seq}-{head}.db"))
    seq, _, hash_ = Path(made["data"]["file"]).stem.partition("-")
    assert_shown(tmd, cut, f"{seq}:{hash_}")
