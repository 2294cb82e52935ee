"""A backup knows whose books it holds: on another account its daemon doesn't start."""

import json
import subprocess

import pytest

from control.protocol import Backup
from daemon.brokers.ib.arming import BELONGS
from state.command import Rebalance
from tests.ib.desk import ACCOUNT, Desk, gateway
from tests.tmd import TMD, Tmd

OTHER = "DU7654321"


@pytest.fixture(scope="module")
def made():
    with gateway(accounts=(ACCOUNT, OTHER)) as one:
        yield one


@pytest.fixture(scope="module")
def backup(tmp_path_factory, made):
    """A backup of an account that was traded; nobody trades it after that."""
    folder = tmp_path_factory.mktemp("traded")
    with Desk(folder / "first", made.port) as desk:
        assert desk.trading().ask(Rebalance(), key="k").ok
        desk.until(lambda: desk.agrees_with(made))
        told = desk.ask(Backup(str(folder / "kept" / "{seq}.db")), key="b")
        assert told.ok, told
        assert desk.stop() == 0
    return told.data["file"]


def restored(tmd, backup):
    """Put a backup in the place of a daemon's journal, as the installed client does."""
    tmd.prepare()
    words = [TMD.with_name("tm"), "restore", backup, "--json"]
    env = tmd.environment | {"TM_STATE": str(tmd.state)}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["ok"]
    return tmd


def test_on_its_own_account_it_starts_halted_and_agrees(tmp_path, made, backup):
    with Desk(tmp_path / "again", made.port) as desk:
        restored(desk, backup).start()
        halted = desk.until(lambda: desk.data()["halted"])
        assert "restored from" in halted["reason"]
        desk.until(lambda: desk.agrees_with(made))


def test_on_another_account_it_is_refused_before_a_word_to_the_broker(tmp_path, made, backup):
    with Desk(tmp_path / "other", made.port) as desk:
        desk.file.write_text(desk.file.read_text().replace(ACCOUNT, OTHER))
        count = len(made.journal)
        assert restored(desk, backup).start().ended() == 7
        assert f"the books of {ACCOUNT} at Interactive Brokers" in desk.said()
        assert f"{OTHER} at Interactive Brokers is configured" in desk.said()
        assert len(made.journal) == count
        assert not (desk.state / BELONGS).exists()

        desk.file.write_text(desk.file.read_text().replace(OTHER, ACCOUNT))
        desk.start().until(lambda: desk.data()["halted"])


def test_with_the_paper_broker_it_is_refused(tmp_path, backup):
    with Tmd(tmp_path / "paper") as tmd:
        assert restored(tmd, backup).start().ended() == 7
        assert "and the embedded paper broker is configured" in tmd.said()
        assert not (tmd.state / "paper.db").exists()


def test_the_books_of_the_paper_broker_are_refused_to_an_account(tmp_path, made):
    with Tmd(tmp_path / "paper") as tmd:
        tmd.start().ready()
        told = tmd.ask(Backup(str(tmp_path / "kept" / "paper.db")), key="b")
        assert tmd.stop() == 0
    with Desk(tmp_path / "desk", made.port) as desk:
        assert restored(desk, told.data["file"]).start().ended() == 7
        assert "holds the books of the embedded paper broker" in desk.said()
