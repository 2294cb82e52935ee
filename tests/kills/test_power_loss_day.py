"""A scripted day of the whole daemon, and the disks that a power loss at any moment may leave.

Journal and paper broker's book are struck together: what was answered is on record, what is on
record as executed the broker knows of, what the broker knows of is on record as sent; and a daemon
that is started there ends the day as if nothing had been.
"""

import os
import shutil
import signal
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path
from random import Random

import msgspec
import pytest

from control.protocol import Reply, decode_reply, encode
from daemon.brokers.paper_account import Movement
from daemon.brokers.paper_book import BookRefused, opened
from state.chain import load
from state.history import find_commands
from state.integrity import verify
from state.journal import UnfitJournal, connect
from tests.kills.books import ASKED_BACK, ORDERS, OURS, THEIRS, faults
from tests.kills.load import same
from tests.kills.strace import CALLS, SEEN, Did, after_power_loss, seen_in, strace
from tests.kills.test_every_sync import FINAL, STORY, tell
from tests.tmd import Tmd

pytestmark = pytest.mark.timeout(600)

FILES = ("journal.db", "paper.db")
SHARED = "/dev/shm"
NOWHERE = Movement("initial", D(0))
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def a_day(folder: Path, under: tuple[str, ...] = ()):
    """Return the files before a day, and all that was done to them and answered in it."""
    strace("-o", "/dev/null", program=["-c", ""], under=under)  # skips where there is none
    trace = folder / "trace"
    with Tmd(folder / "d", pace=20) as tmd:
        tmd.start().ready()
        assert tmd.stop() == 0
        before = {name: (tmd.state / name).read_bytes() for name in FILES}
        tracing = ("strace", "-f", "-qq", *SEEN, f"{CALLS},sendto", "-o", str(trace))
        tmd.start(under=(*tracing, *under))
        tell(tmd, {})
        tmd.until(lambda: tmd.rows("SELECT 1 FROM fill") and not tmd.rows(ASKED_BACK))
        os.kill(int((tmd.state / "journal.lock").read_text()), signal.SIGTERM)
        assert tmd.ended() == 0, tmd.said()
        assert faults(tmd) == []
    return before, seen_in(trace, FILES)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return a_day(tmp_path_factory.mktemp("day"))


def answers(acked: list[bytes]) -> dict[str, Reply]:
    """Return the last reply to each command that was answered."""
    said = {}
    for frame in acked:
        try:
            reply = decode_reply(frame[4:])
        except msgspec.DecodeError:
            continue  # a welcome
        if reply.key is not None and reply.exit in FINAL:
            said[reply.key] = reply
    return said


def wrong(state: Path, said: dict[str, Reply]) -> list[str]:
    """Return what is wrong with the two files of a disk, read as a start reads them."""
    found = []
    try:
        with closing(connect(state / "journal.db")) as journal:
            load(journal)
            checked = verify(journal)
            stored = find_commands(journal, [reply.command_id for reply in said.values()])
            filled, sent = set(journal.execute(OURS)), set(journal.execute(ORDERS + "intent"))
        opened(state / "paper.db", NOWHERE, LATER)[0].close()
    except (UnfitJournal, BookRefused, sqlite3.DatabaseError) as error:
        return [str(error)]
    if not checked.ok:
        found.append(checked.message)
    for key, reply in said.items():
        row = stored.get(reply.command_id)
        if row is None:
            found.append(f"{key} was answered, and is lost")
        elif reply.status != "accepted" and row.reply != encode(reply):
            found.append(f"{key} was answered {reply}, and {row.reply!r} is on record")
    with closing(sqlite3.connect(state / "paper.db")) as book:
        found += [f"the broker lost {row}" for row in filled - set(book.execute(THEIRS))]
        known = {row[:4] for row in sent}
        strange = [row for row in book.execute(ORDERS + "orders") if row[:4] not in known]
        found += [f"the broker has {row}, which is not on record" for row in strange]
        found += [row for (row,) in book.execute("PRAGMA integrity_check") if row != "ok"]
    return found


def struck(day, images: int, seed: int):
    """Yield so many disks of power losses at random moments: the folder, and what was answered."""
    before, done = day
    chance = Random(seed)
    for _ in range(images):
        files, acked = after_power_loss(before, done[: chance.randrange(len(done) + 1)], chance)
        with tempfile.TemporaryDirectory(dir=SHARED) as folder:
            for name, data in files.items():
                (Path(folder) / name).write_bytes(data)
            yield Path(folder), answers(acked)


def test_the_trace_saw_both_files_and_every_answer(day):
    before, done = day
    acked = answers([did.data for did in done if did.what == "ack"])

    assert acked.keys() == STORY.keys()
    written = {did.file for did in done if did.what == "write"}
    assert written == {f"{name}{log}" for name in FILES for log in ("", "-wal")}
    files, _ = after_power_loss(before, [*done, *(Did("sync", name) for name in FILES)], Random(0))
    assert files.keys() == set(FILES)  # closed: the logs are gone


def test_no_power_failure_loses_what_was_answered_or_parts_journal_and_book(day):
    assert [bad for disk in struck(day, 60, seed=1) if (bad := wrong(*disk))] == []


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_no_power_failure_of_many_does(day):
    assert [bad for disk in struck(day, 2000, seed=2) if (bad := wrong(*disk))] == []


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_daemon_started_there_ends_the_day_as_if_nothing_had_been(day, tmp_path):
    for n, (disk, said) in enumerate(struck(day, 25, seed=3)):
        with Tmd(tmp_path / str(n), pace=20) as tmd:
            shutil.copytree(disk, tmd.state)
            tmd.start().ready()
            for key, reply in said.items():
                again = tmd.ask(STORY[key], key=key)
                assert same(reply, again), (key, reply, again)
            tell(tmd, dict(said))
            tmd.until(lambda tmd=tmd: not tmd.rows(ASKED_BACK))
            assert tmd.stop() == 0, tmd.said()
            assert faults(tmd) == []


@pytest.mark.nightly
def test_without_synchronisation_it_would_be_lost(tmp_path):
    careless = a_day(tmp_path, ("eatmydata",))

    assert [bad for disk in struck(careless, 100, seed=4) if (bad := wrong(*disk))]
