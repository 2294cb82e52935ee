"""One daemon per state directory."""

import logging
import os
import stat
import subprocess
import sys

import pytest

from daemon.lock import LOCK, StateHeld, UnsafeFileSystem, held, statfs_type
from tests.tmpfs import tmpfs

HOLDER = """
import sys
from pathlib import Path
from daemon.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the state, until it is told or killed."""
    state = tmp_path / "state"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, state], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield state, process
    process.kill()
    process.communicate()


def test_the_second_daemon_is_turned_away_at_once_and_told_who_has_it(holder):
    state, process = holder

    with pytest.raises(StateHeld, match=f"process {process.pid} holds") as refused, held(state):
        pass

    assert refused.value.pid == process.pid
    assert process.poll() is None
    assert (state / LOCK).read_text() == f"{process.pid}\n"


def test_a_state_is_free_again_when_its_daemon_is_killed(holder):
    state, process = holder
    process.kill()
    process.wait()

    with held(state):
        assert (state / LOCK).read_text() == f"{os.getpid()}\n"


def test_a_state_is_free_again_after_use(tmp_path):
    for _ in range(2):
        with held(tmp_path):
            pass


def test_a_holder_that_has_not_yet_said_who_it_is_holds_all_the_same(tmp_path):
    with held(tmp_path):
        os.truncate(tmp_path / LOCK, 0)
        with pytest.raises(StateHeld, match="another process holds") as refused, held(tmp_path):
            pass
    assert refused.value.pid is None


def test_no_child_keeps_the_lock(tmp_path):
    with held(tmp_path):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; print('here', flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert child.stdout.readline() == b"here\n"
    with held(tmp_path):
        assert child.poll() is None
    child.communicate()


def test_a_new_state_is_its_owners_alone(tmp_path):
    with held(tmp_path / "new" / "state"):
        assert stat.S_IMODE((tmp_path / "new" / "state").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "new" / "state" / LOCK).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFE534D42, "SMB"),
        (0xFF534D42, "CIFS"),
        (0x65735546, "FUSE"),
    ],
)
def test_a_network_disk_is_refused_before_anything_is_made_on_it(tmp_path, kind, name):
    with (
        pytest.raises(UnsafeFileSystem, match=f"is on {name}, .* local disk"),
        held(tmp_path, lambda _: kind),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_disk_that_forgets_is_warned_of(tmp_path, caplog):
    with tmpfs(tmp_path / "disk", 1 << 20) as disk, caplog.at_level(logging.WARNING), held(disk):
        pass
    (record,) = caplog.records
    assert (record.getMessage(), record.kind) == ("state_may_vanish", "tmpfs")


def test_an_ordinary_disk_needs_no_word(tmp_path, caplog):
    with held(tmp_path, lambda _: 0xEF53):
        pass
    assert not caplog.records


def test_the_kind_of_disk_is_the_systems_own_word_for_it(tmp_path):
    said = subprocess.run(["stat", "-f", "-c", "%t", tmp_path], capture_output=True, check=True)

    assert statfs_type(tmp_path) == int(said.stdout, 16)


def test_a_path_that_is_not_there_has_no_kind(tmp_path):
    with pytest.raises(FileNotFoundError):
        statfs_type(tmp_path / "nowhere")
