"""Whatever the disk kept when the power went: what was acknowledged is there, and nothing is bent.

A real process writes a real journal under strace. From what it wrote and synced, the disks that a
power loss may leave behind are made, and each is opened as a start would open it.
"""

import tempfile
from pathlib import Path
from random import Random

import pytest

from state.chain import load
from state.integrity import verify
from state.journal import GENESIS, UnfitJournal, connect
from tests.kills.strace import Did, after_power_loss, traced

BATCHES = 60


def history(
    tmp_path: Path, synchronous: str, under: tuple[str, ...] = ()
) -> tuple[dict[str, bytes], list[Did]]:
    """Return the files before, and all that was done to them; `under` is who runs the writer."""
    path = tmp_path / "journal.db"
    connect(path).close()
    before = {path.name: path.read_bytes()}
    program = ["-m", "tests.kills.journal_writer", path, BATCHES, synchronous]
    return before, traced(tmp_path / "trace", program, under)


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    return history(tmp_path_factory.mktemp("synced"), "full")


class Found:
    """What was found on the disks that power losses left."""

    def __init__(self):
        self.lost, self.bent, self.ghosts = [], [], 0


def found_on(before, done, heads: dict[int, str], images: int, seed: int) -> Found:
    """Open so many disks, each of a power loss at a random moment."""
    chance, found = Random(seed), Found()
    for _ in range(images):
        moment = chance.randrange(len(done) + 1)
        files, acked = after_power_loss(before, done[:moment], chance)
        last = int(acked[-1].split()[1]) if acked else 0
        with tempfile.TemporaryDirectory(dir="/dev/shm") as disk:
            for name, data in files.items():
                (Path(disk) / name).write_bytes(data)
            try:
                db = connect(Path(disk) / "journal.db")
            except UnfitJournal as error:
                found.bent.append((moment, str(error)))
                continue
            try:
                snapshot, head = load(db)
                checked = verify(db)
            except UnfitJournal as error:
                found.bent.append((moment, str(error)))
                continue
            finally:
                db.close()
        if head.seq < last:
            found.lost.append((moment, last, head.seq))
        if heads[head.seq] != head.hash.hex() or snapshot.seq != head.seq or not checked.ok:
            found.bent.append((moment, checked.message))
        found.ghosts += head.seq > last
    return found


def heads_of(done: list[Did]) -> dict[int, str]:
    """Return the hash that was acknowledged for each end the journal had."""
    heads = {0: GENESIS.hash.hex()}
    for did in done:
        if did.what == "ack":
            _, seq, hash_ = did.data.split()
            heads[int(seq)] = hash_.decode()
    return heads


def test_the_trace_saw_it_all(synced):
    before, done = synced
    whats = [did.what for did in done]

    assert whats.count("ack") == BATCHES
    assert whats.count("sync") >= BATCHES  # one for each commit, and those of the checkpoints
    assert {did.file for did in done if did.what == "write"} == {"journal.db", "journal.db-wal"}
    everything, _ = after_power_loss(before, [*done, Did("sync", "journal.db")], Random(0))
    assert everything.keys() == {"journal.db"}  # closed: the log is gone, all is in the database


def test_nothing_acknowledged_is_lost_to_a_power_failure(synced):
    before, done = synced
    found = found_on(before, done, heads_of(done), images=200, seed=1)

    assert found.lost == []
    assert found.bent == []
    assert found.ghosts > 0  # some were durable before they were acknowledged: allowed, and seen


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost_to_many_power_failures(synced):
    before, done = synced
    found = found_on(before, done, heads_of(done), images=20_000, seed=2)

    assert (found.lost, found.bent) == ([], [])


@pytest.mark.parametrize(
    ("synchronous", "under"),
    [
        pytest.param("off", (), id="SQLite told not to"),
        pytest.param("full", ("eatmydata",), id="eatmydata swallows it"),
    ],
)
def test_without_synchronisation_it_would_be(tmp_path, synchronous, under):
    """The harness has teeth: the same journal that never syncs loses what it acknowledged."""
    before, done = history(tmp_path, synchronous, under)
    assert [did for did in done if did.what == "ack"]
    found = found_on(before, done, heads_of(done), images=60, seed=3)

    assert found.lost
