"""The journal behind its seam: in a thread in life, inline in a simulation, the same in both."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
import threading

import pytest
from msgspec.structs import replace

from daemon.space import DiskSpace, Endless
from daemon.store import InlineStore, JournalStore, open_inline, open_store
from daemon.writer import CHECKPOINT_EVERY, Writer
from state.chain import load
from state.event import Halted
from state.history import recorded, records, unfinished
from state.integrity import verify
from state.journal import (
    GENESIS,
    CommitInDoubt,
    CorruptJournal,
    ForeignJournal,
    JournalFull,
    connect,
    reader,
)
from state.record import Batch
from state.snapshot import Snapshot
from tests.chronicle import CLOSE, LONG, WALL, command
from tests.tmpfs import tmpfs

KIB = 1 << 10
DRILL = Halted("account", "drill", "MANUAL", "ann", CLOSE)
ONE = Batch([DRILL], WALL)
LARGE = Batch([replace(DRILL, reason="x" * 20_000)], WALL)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture(params=["in a thread", "inline", "in memory"])
async def store(request, path):
    """An empty journal's store, of each kind."""
    if request.param == "in a thread":
        store, _, _ = await open_store(path)
    else:
        store, _, _ = open_inline(path if request.param == "inline" else None)
    yield store
    await store.aclose()


@pytest.fixture
async def threaded(path):
    store, _, _ = await open_store(path)
    yield store
    await store.aclose()


async def test_what_is_appended_can_be_read(store):
    head = await store.append(Batch(LONG, WALL))

    assert head.seq == len(LONG)
    assert [record.event for record in await store.read(recorded, 0, None)] == LONG
    assert (await store.read(verify)).seq == len(LONG)


async def test_each_batch_follows_the_one_before(store):
    heads = [await store.append(ONE) for _ in range(3)]

    assert [head.seq for head in heads] == [1, 2, 3]
    assert (await store.read(load))[1] == heads[-1]


async def test_a_stored_command_is_found_as_soon_as_it_is_committed(store):
    await store.append(Batch([DRILL], WALL, commands=[command("a"), command("b", final=False)]))

    assert await store.commands([command("a").rid, "nobody"]) == {command("a").rid: command("a")}
    assert await store.read(unfinished) == [command("b", final=False)]


async def test_a_question_cannot_write(store):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.read(lambda db: db.execute("DELETE FROM snapshot"))
    await store.append(ONE)


async def test_a_question_must_read_to_the_end(store):
    await store.append(ONE)
    with pytest.raises(TypeError, match="half-read"):
        await store.read(records)
    assert len(await store.read(lambda db: list(records(db)))) == 1


async def test_a_question_that_fails_leaves_the_next_one_alone(store):
    with pytest.raises(ZeroDivisionError):
        await store.read(lambda db: 1 / 0)
    assert await store.read(recorded) == []


async def test_a_batch_that_is_refused_leaves_the_store_in_use(store):
    with pytest.raises(ValueError, match="can't be saved"):
        await store.append(replace(ONE, snapshot=Snapshot(seq=9)))
    assert (await store.append(ONE)).seq == 1


async def test_a_restart_knows_everything(path):
    store, snapshot, head = await open_store(path)
    assert (snapshot, head) == (Snapshot(), GENESIS)
    head = await store.append(Batch(LONG, WALL))
    await store.aclose()

    store, snapshot, end = await open_store(path)
    await store.aclose()

    assert (snapshot.seq, end) == (len(LONG), head)


async def test_closing_leaves_one_whole_file(path):
    store, _, _ = await open_store(path, Endless())
    await store.append(ONE)
    await store.aclose()

    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]


async def test_closing_twice_is_closing_once(path):
    store, _, _ = await open_store(path)
    await store.aclose()
    await store.aclose()


# Opening


def ended(before: set[threading.Thread]) -> bool:
    """Whether every thread started since is over, or about to be."""
    since = set(threading.enumerate()) - before
    for thread in since:
        thread.join(10)
    return not any(thread.is_alive() for thread in since)


async def test_a_foreign_file_is_refused_and_no_thread_is_left(path):
    path.write_bytes(b"not a journal")
    before = set(threading.enumerate())

    with pytest.raises(ForeignJournal):
        await open_store(path)
    with pytest.raises(ForeignJournal):
        open_inline(path)

    assert ended(before)


async def test_a_journal_that_cannot_be_opened_leaves_no_thread_behind(tmp_path):
    (tmp_path / "journal.db").write_bytes(b"a diary, 1987" * 500)
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(ForeignJournal):
            await open_store(tmp_path / "journal.db", Endless())
        assert threading.active_count() == before


@pytest.mark.parametrize("inline", [False, True])
async def test_a_corrupt_journal_is_not_opened(path, inline):
    store, _, _ = open_inline(path)
    await store.append(Batch(LONG, WALL))
    await store.aclose()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("DROP TRIGGER event_is_never_changed")
    db.execute("UPDATE event SET wall_us = 0 WHERE seq = 5")
    db.close()
    before = set(threading.enumerate())

    with pytest.raises(CorruptJournal) as found:
        open_inline(path) if inline else await open_store(path)

    assert found.value.seq == 5
    assert ended(before)


# The thread


async def test_a_commit_does_not_hold_up_the_loop(path):
    """The transaction runs elsewhere: while it waits for another's lock, this loop goes on."""
    store, _, _ = await open_store(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    appending = asyncio.ensure_future(store.append(ONE))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not appending.done()
    assert await store.read(recorded) == []  # nor are readers held up
    other.execute("ROLLBACK")
    other.close()

    assert (await appending).seq == 1
    await store.aclose()


async def test_a_batch_once_begun_is_committed_though_nobody_waits_for_it(threaded):
    appending = asyncio.ensure_future(threaded.append(ONE))
    await asyncio.sleep(0)
    appending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await appending

    assert len(await threaded.read(recorded)) == 1  # known to be durable once that was raised
    assert (await threaded.append(ONE)).seq == 2


async def test_a_batch_that_fails_when_nobody_waits_for_it_is_not_news(threaded, caplog):
    appending = asyncio.ensure_future(threaded.append(replace(ONE, snapshot=Snapshot(seq=9))))
    await asyncio.sleep(0)
    appending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await appending

    assert (await threaded.append(ONE)).seq == 1
    assert not caplog.records


async def test_batches_sent_at_once_are_committed_in_turn(threaded):
    heads = await asyncio.gather(*(threaded.append(ONE) for _ in range(20)))

    assert sorted(head.seq for head in heads) == list(range(1, 21))
    assert (await threaded.read(verify)).ok


FORGETFUL = """
import asyncio, pathlib, sys
from daemon.store import open_store
async def main():
    store, _, _ = await open_store(pathlib.Path(sys.argv[1]))
    print("open", flush=True)
    raise SystemExit(14)
asyncio.run(main())
"""


def test_a_daemon_that_fails_without_closing_ends_all_the_same(path):
    ended = subprocess.run([sys.executable, "-c", FORGETFUL, path], capture_output=True, timeout=60)

    assert (ended.stdout, ended.returncode) == (b"open\n", 14)


# Poison


@pytest.fixture
def haunted():
    """A kind of connection, and a switch: from then on its COMMITs raise, after they were done."""
    on = threading.Event()

    class Haunted(sqlite3.Connection):
        def execute(self, sql, *args):
            done = super().execute(sql, *args)
            if sql == "COMMIT" and on.is_set():
                raise sqlite3.OperationalError("disk I/O error")
            return done

    return Haunted, on


@pytest.mark.parametrize("inline", [False, True])
async def test_after_a_commit_in_doubt_nothing_is_done_any_more(path, haunted, inline):
    kind, on = haunted
    opened = open_inline(path, factory=kind) if inline else await open_store(path, factory=kind)
    store = opened[0]
    await store.append(ONE)
    on.set()
    with pytest.raises(CommitInDoubt, match="records 2 to 2"):
        await store.append(ONE)
    on.clear()

    for call in (store.append(ONE), store.commands([]), store.read(recorded)):
        with pytest.raises(CommitInDoubt, match="read afresh"):
            await call
    await store.aclose()

    store, _, head = open_inline(path)
    assert head.seq == 2  # this ghost was real, and only the restart could tell
    await store.aclose()


# The log


async def test_the_log_is_emptied_when_it_is_too_long(path):
    writer = Writer(connect(path), GENESIS, Endless(), path, log_limit=256 * KIB)
    store = InlineStore(writer)
    longest = 0
    for _ in range(300):
        await store.append(LARGE)
        longest = max(longest, writer.log_bytes())
    assert writer.log_bytes() < longest
    await store.aclose()

    assert 256 * KIB < longest < 2 * 64 * 30 * KIB  # looked at every 64 batches
    assert path.stat().st_size > 300 * 20_000


async def test_a_checkpoint_is_made_every_so_many_commits(path):
    store, _, _ = await open_store(path, Endless())
    before = path.stat().st_size
    for _ in range(CHECKPOINT_EVERY):
        assert path.stat().st_size == before
        await store.append(ONE)
    for _ in range(2):  # the second waits behind the checkpoint, in the same thread
        await store.commands([])
    assert path.stat().st_size > before
    await store.aclose()


@pytest.fixture
def writer(path):
    """A writer of three records, with no patience for a long log."""
    writer = Writer(connect(path), GENESIS, Endless(), path, log_limit=0)
    for _ in range(3):
        writer.append(ONE)
    yield writer
    writer.close()


def test_a_reader_that_stays_is_reported_when_the_log_grows(path, writer, caplog):
    other = reader(path)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM event").fetchone()
    writer.append(ONE)
    with caplog.at_level(logging.WARNING):
        writer.checkpoint()
    other.close()

    assert [record.getMessage() for record in caplog.records] == ["log_held_by_reader"]


def test_a_checkpoint_that_fails_costs_nothing(writer, caplog):
    writer.db.execute("BEGIN IMMEDIATE")  # no checkpoint inside a transaction
    with caplog.at_level(logging.WARNING):
        writer.checkpoint()
    writer.db.execute("ROLLBACK")

    assert [record.getMessage() for record in caplog.records] == ["checkpoint_failed"]
    assert writer.append(ONE).seq == 4


# A full disk


async def filled_up(store: JournalStore) -> int:
    """Append until there is no room; return how many batches were durable."""
    for n in range(1000):
        try:
            await store.append(LARGE)
        except JournalFull:
            return n
    raise AssertionError("the disk never filled up")


async def test_a_full_disk_refuses_records_the_halt_and_recovers_by_itself(tmp_path):
    with tmpfs(tmp_path / "disk", 2048 * KIB) as disk:
        (disk / "other").write_bytes(bytes(700 * KIB))
        space = DiskSpace(disk, ballast=384 * KIB, reserve=128 * KIB)
        store, _, _ = await open_store(disk / "journal.db", space)

        written = await filled_up(store)
        with pytest.raises(JournalFull, match="bytes are free"):
            await store.append(ONE)
        assert len(await store.read(recorded, 0, None)) == written  # reads go on
        assert not await store.restore_ballast()

        assert store.release_ballast()
        assert (await store.append(ONE)).seq == written + 1  # the halt is on record
        assert not store.release_ballast()
        assert not await store.restore_ballast()
        await filled_up(store)

        (disk / "other").unlink()
        assert await store.restore_ballast()
        head = await store.append(ONE)
        assert (await store.read(verify)).ok
        await store.aclose()

        store, _, end = await open_store(disk / "journal.db", space)
        await store.aclose()
        assert end == head


async def test_a_daemon_starts_on_a_full_disk_and_says_so(tmp_path, caplog):
    with tmpfs(tmp_path / "disk", 1024 * KIB) as disk:
        store, _, _ = await open_store(disk / "journal.db", Endless())
        head = await store.append(ONE)
        await store.aclose()
        (disk / "other").write_bytes(bytes(800 * KIB))

        with caplog.at_level(logging.WARNING, "daemon.store"):
            store, _, end = await open_store(
                disk / "journal.db", DiskSpace(disk, ballast=512 * KIB, reserve=256 * KIB)
            )
        with pytest.raises(JournalFull):
            await store.append(ONE)
        await store.aclose()

    assert end == head
    assert [record.getMessage() for record in caplog.records] == ["disk_nearly_full"]


async def test_a_disk_that_fills_in_the_middle_of_a_commit_is_a_commit_in_doubt(tmp_path):
    """Something else took the room after we looked. Nothing acknowledged is lost all the same."""
    with tmpfs(tmp_path / "disk", 1024 * KIB) as disk:
        store, _, head = await open_store(disk / "journal.db", Endless())
        doubt = None
        while doubt is None:
            try:
                head = await store.append(LARGE)
            except CommitInDoubt as error:
                doubt = error
        await store.aclose()

        db = connect(disk / "journal.db")
        _, end = load(db)
        db.close()

    assert "full" in str(doubt)
    assert head.seq > 5
    assert end == head
