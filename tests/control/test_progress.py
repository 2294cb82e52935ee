"""Long work seen at a terminal: a bar for a person, and nothing for programs."""

import asyncio
import os
import pty
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from state.chain import append
from state.event import Halted
from state.journal import GENESIS, connect
from state.record import Batch
from tests.control.samples import REPLIES, RUN
from tests.control.scripted import serving
from tests.control.terminal import tm

AT = datetime(2026, 11, 20, 21, tzinfo=UTC)
TM = [sys.executable, "-c", "import sys; from control.cli import main; sys.exit(main())"]


def watched(*arguments, told=lambda seen: None):
    """Return how a command ended, and what a person at its terminal saw; `told` hears it grow."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*TM, *arguments], stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65_536):
            seen += piece
            told(seen)
    except OSError:  # how a pty says that the other end is gone
        pass
    return process.wait(), seen


def breeding(stages):
    """A daemon whose run goes through some stages, a step at each question, and is over then."""
    left = list(stages)

    async def handle(request, principal):
        reply = REPLIES["evolution"]
        if not left or getattr(request.ask, "wait", False):
            return reply
        stage, generation = left.pop(0)
        running = {"status": "running", "stage": stage, "generation": generation, "generations": 9}
        return replace(reply, data=RUN | running)

    return handle


def test_a_person_who_waits_for_a_run_sees_how_far_it_is(tmp_path):
    stages = [("perception", 2), ("money", 0), ("money", 5)]
    with serving(tmp_path / "s", breeding(stages)) as daemon:
        code, seen = watched("evolve", "wait", "--socket", daemon.path)

    assert code == REPLIES["evolution"].exit
    for part in (b"perception, generation 2", b"money, generation 5", b"#", b"judged", b"run1"):
        assert part in seen


def test_a_program_sees_no_bar(tmp_path):
    with serving(tmp_path / "s", breeding([])) as daemon:
        ran = tm("evolve", "wait", "--json", "--socket", daemon.path)

    assert ran.merged.count("\n") == 1
    assert ran.envelope["data"]["run_id"] == "run1"


def test_a_person_sees_how_long_a_daemon_has_been_at_it_and_nothing_of_it_stays(tmp_path):
    looked = threading.Event()

    async def handle(request, principal):
        await asyncio.to_thread(looked.wait, 60)
        return REPLIES["backup"]

    def told(seen):
        if b"tm: backup, 1 s" in seen:
            looked.set()

    with serving(tmp_path / "s", handle) as daemon:
        code, seen = watched("backup", "/b/{date}.db", "--socket", daemon.path, told=told)

    assert code == REPLIES["backup"].exit
    assert looked.is_set()
    _, _, after = seen.rpartition(b" s")
    assert after.startswith(b"\r\x1b[K")


def test_what_is_soon_done_says_nothing(tmp_path):
    async def handle(request, principal):
        return REPLIES["backup"]

    with serving(tmp_path / "s", handle) as daemon:
        _, seen = watched("backup", "/b/{date}.db", "--socket", daemon.path)

    assert b"\x1b[K" not in seen


@pytest.mark.parametrize("command", ["verify", "restore"])
def test_a_person_sees_how_much_of_a_file_is_checked(tmp_path, command):
    file = tmp_path / "journal.db"
    with closing(connect(file)) as db:
        append(db, Batch([Halted("account", "asked", "", "ops", AT)], AT), GENESIS)
    arguments = {
        "verify": ("verify", "--journal", str(file)),
        "restore": ("restore", str(file), "--state", str(tmp_path / "state")),
    }[command]

    code, seen = watched(*arguments)

    assert code == 0
    assert b"records" in seen
    assert b"100%" in seen
    assert b"100%" not in subprocess.run([*TM, *arguments], capture_output=True).stderr
