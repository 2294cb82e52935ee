"""A disk that fails, or a process killed, at any write or sync: what was acknowledged is there."""

import re
from pathlib import Path

import pytest

from state.chain import load
from state.history import records
from state.integrity import verify
from state.journal import connect
from tests.kills.strace import strace

SYNC, WRITE = "fdatasync,fsync", "pwrite64"


def struck(tmp_path: Path, calls: str, fault: str, when: int) -> tuple[int, int, int, str]:
    """Run the writer with a fault at the `when`-th call; return what came of it.

    (its exit code, the last record it acknowledged, the last one a restart finds, its output)
    """
    path = tmp_path / "journal.db"
    connect(path).close()
    program = ["-m", "tests.kills.journal_writer", path, 30]
    inject = f"inject={calls}:{fault}:when={when}"
    ended = strace("-e", f"trace={calls}", "-e", inject, "-o", "/dev/null", program=program)
    acked = {int(seq): hash_ for seq, hash_ in re.findall(r"ack (\d+) (\w+)", ended.stdout)}

    db = connect(path)
    _, head = load(db)
    assert verify(db).ok
    stored = {record.seq: record.hash.hex() for record in records(db)}
    db.close()
    assert acked.items() <= stored.items()
    return ended.returncode, max(acked, default=0), head.seq, ended.stdout


NIGHT = pytest.mark.nightly  # `test_every_sync` strikes the whole daemon at each of them too


# the log's header, the first commit, a later one
@pytest.mark.parametrize("when", [pytest.param(1, marks=NIGHT), 3, pytest.param(8, marks=NIGHT)])
def test_a_sync_that_fails_ends_the_process_in_doubt(tmp_path, when):
    """The batch may be there or not; nobody was told either, and the restart decides."""
    code, acked, found, said = struck(tmp_path, SYNC, "error=EIO", when)

    assert code == 14
    assert acked <= found <= acked + 3
    assert "checkpoint failed" not in said


def test_a_disk_that_fills_in_a_commit_ends_the_process_in_doubt(tmp_path):
    code, acked, found, _ = struck(tmp_path, WRITE, "error=ENOSPC", 20)

    assert (code, found) == (14, acked)


@pytest.mark.parametrize(
    ("calls", "when"),
    [
        (SYNC, 4),
        pytest.param(WRITE, 1, marks=NIGHT),
        (WRITE, 7),
        pytest.param(WRITE, 30, marks=NIGHT),
    ],
)
def test_a_process_killed_at_a_write_or_sync_loses_nothing(tmp_path, calls, when):
    code, acked, found, _ = struck(tmp_path, calls, "signal=SIGKILL", when)

    assert code == -9
    assert acked <= found <= acked + 3


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("calls", [SYNC, WRITE])
@pytest.mark.parametrize("fault", ["error=EIO", "error=ENOSPC", "signal=SIGKILL"])
def test_at_every_write_and_every_sync(tmp_path_factory, calls, fault):
    """Where it went on, it was the directory's sync, a checkpoint's call, or past the last one."""
    in_doubt = 0
    for when in range(1, 61):
        code, acked, found, _ = struck(tmp_path_factory.mktemp("at"), calls, fault, when)

        assert code in {0, 14, -9}
        assert acked <= found <= acked + 3
        if code == 0:
            assert found == acked
        in_doubt += code != 0
    assert in_doubt >= 25
