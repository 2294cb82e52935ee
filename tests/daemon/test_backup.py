"""A backup is whole, checked and its owner's alone, or there is none; and nothing waits for it."""

import asyncio
import os
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path

import pytest
from msgspec.structs import replace

from control.protocol import Backup, Exit
from daemon.backup import BackupRefused, backed_up
from daemon.store import open_store
from state.chain import load
from state.command import MoveCash
from state.event import BackedUp
from state.history import records
from state.integrity import verify
from state.journal import connect, reader
from state.record import Batch
from tests.chronicle import DRILL, LONG, WALL, long_journal, raw, same, write
from tests.desk import desk

MORNING = datetime(2026, 11, 20, 7, 30, 5, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path):
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "journal.db"
    long_journal(path)
    return path


@pytest.fixture
def kept(tmp_path):
    """Where backups go."""
    return tmp_path / "kept"


def backup(journal, name, free=lambda folder: 1 << 40):
    with closing(reader(journal)) as db:
        return backed_up(db, journal, str(name), MORNING, "token", free)


def damaged(journal, seq):
    """Change a byte of one record, past every safeguard."""
    with closing(raw(journal)) as db:
        db.execute("DROP TRIGGER event_is_never_changed")
        db.execute("UPDATE event SET body = x'7b7d' WHERE seq = ?", (seq,))


def refused(journal, name, **how):
    with pytest.raises(BackupRefused) as caught:
        backup(journal, name, **how)
    return caught.value


class TestTheFile:
    def test_holds_all_that_the_journal_knows(self, journal, kept):
        made = backup(journal, kept / "b.db")

        assert (made.file, made.head.seq) == (str(kept / "b.db"), len(LONG))
        assert made.bytes == Path(made.file).stat().st_size
        with closing(reader(made.file)) as copy, closing(reader(journal)) as original:
            (theirs, their_head), (ours, our_head) = load(copy), load(original)
            assert list(records(copy, 0)) == list(records(original, 0))
            assert verify(copy).ok
        assert their_head == our_head == made.head
        assert same(theirs, ours)

    def test_is_its_owners_alone_and_nothing_is_left_beside_it(self, journal, kept):
        before = os.umask(0)
        try:
            made = backup(journal, kept / "b.db")
        finally:
            os.umask(before)

        assert stat.S_IMODE(Path(made.file).stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
        assert os.listdir(kept) == ["b.db"]

    def test_may_be_named_for_the_day_and_the_head_it_ends_with(self, journal, kept):
        made = backup(journal, kept / "{date}T{time}-{seq}-{head}.db")

        name = f"2026-11-20T073005Z-{len(LONG)}-{made.head.hash.hex()[:16]}.db"
        assert made.file == str(kept / name)

    def test_holds_the_moment_it_began_while_commits_go_on(self, journal, kept):
        with closing(reader(journal)) as db, closing(connect(journal)) as writer:
            made = backed_up(db, journal, str(kept / "b.db"), MORNING, "t", lambda folder: 1 << 40)
            _, head = load(writer)
            write(writer, head, load(writer)[0], [DRILL])
            again = backed_up(db, journal, str(kept / "c.db"), MORNING, "t", lambda f: 1 << 40)

        assert (made.head.seq, again.head.seq) == (len(LONG), len(LONG) + 1)

    def test_replaces_an_earlier_backup_of_the_same_journal(self, journal, kept):
        backup(journal, kept / "b.db")
        with closing(connect(journal)) as writer:
            now, head = load(writer)
            write(writer, head, now, [DRILL])

        assert backup(journal, kept / "b.db").head.seq == len(LONG) + 1


class TestIsRefused:
    def test_over_anything_that_is_no_backup_of_this_journal(self, journal, kept, tmp_path):
        kept.mkdir()
        (kept / "notes").write_text("dear diary")
        long_journal(kept / "other.db")
        damaged(kept / "other.db", 1)
        before = {file.name: file.read_bytes() for file in kept.iterdir()}
        for name in before:
            no = refused(journal, kept / name)
            assert (no.exit, no.fault.code) == (Exit.INVALID, "BACKUP_NAME")
        assert {name: (kept / name).read_bytes() for name in before} == before

    @pytest.mark.parametrize("name", ["journal.db", "paper.db", "new.db"])
    def test_beside_the_journal_itself(self, journal, name):
        before = journal.read_bytes()
        assert refused(journal, journal.parent / name).fault.code == "BACKUP_NAME"
        assert journal.read_bytes() == before
        assert not (journal.parent / name).exists() or name == "journal.db"

    @pytest.mark.parametrize("name", ["b.db", "/{date}/b.db", "/tmp/{day}.db", "/"])
    def test_under_a_name_that_is_none(self, journal, name):
        assert refused(journal, name).fault.code == "BACKUP_NAME"

    def test_where_there_is_no_room_for_it_and_the_journal(self, journal, kept):
        no = refused(journal, kept / "b.db", free=lambda folder: journal.stat().st_size)
        assert (no.exit, no.fault.code) == (Exit.NOT_READY, "NO_SPACE")
        assert os.listdir(kept) == []

    def test_where_nothing_can_be_written(self, journal, tmp_path):
        (tmp_path / "file").touch()
        no = refused(journal, tmp_path / "file" / "b.db")
        assert (no.exit, no.fault.code) == (Exit.INVALID, "BACKUP_FAILED")

    def test_of_a_journal_that_is_damaged(self, journal, kept):
        damaged(journal, 7)
        no = refused(journal, kept / "b.db")
        assert (no.exit, no.fault.code) == (Exit.FINDINGS, "BACKUP_UNSOUND")
        assert os.listdir(kept) == []


class TestByTheDaemon:
    async def test_it_is_journaled_and_the_same_key_is_one_backup(self, tmp_path):
        async with desk(tmp_path) as it:
            ask = Backup(str(tmp_path / "kept" / "{seq}.db"))
            made = await it.say(ask, key="k")
            (noted,) = it.events(BackedUp)
            again = await it.say(ask, key="k")
            other = await it.say(Backup(str(tmp_path / "kept" / "x.db")), key="k")

        assert made.ok, made
        assert made.data == {
            "file": noted.file,
            "bytes": noted.bytes,
            "seq": noted.seq,
            "hash": noted.hash,
        }
        assert again == replace(made, replayed=True)
        assert other.exit is Exit.CONFLICT
        assert os.listdir(tmp_path / "kept") == [f"{noted.seq}.db"]

    async def test_asked_twice_at_once_under_one_key_it_is_made_once(self, tmp_path):
        async with desk(tmp_path) as it:
            ask = Backup(str(tmp_path / "kept" / "{seq}.db"))
            both = await asyncio.gather(it.say(ask, key="k"), it.say(ask, key="k"))
            assert len(it.events(BackedUp)) == 1
        assert both[1] == replace(both[0], replayed=True)

    async def test_a_refusal_is_not_written_down_and_the_key_stays_unused(self, tmp_path):
        async with desk(tmp_path) as it:
            no = await it.say(Backup("b.db"), key="k")
            assert (no.exit, no.error.code) == (Exit.INVALID, "BACKUP_NAME")
            assert (await it.say(Backup(str(tmp_path / "kept" / "b.db")), key="k")).ok

    async def test_a_key_is_needed(self, tmp_path):
        async with desk(tmp_path) as it:
            assert (await it.say(Backup("/b.db"))).exit is Exit.INVALID

    async def test_the_writer_writes_while_it_is_made(self, tmp_path):
        """Work aside has a thread and a connection of its own."""
        begun, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        store, _, _ = await open_store(tmp_path / "journal.db")

        def work(db, journal, word):
            loop.call_soon_threadsafe(begun.set)
            assert go_on.wait(10)
            return word, journal

        aside = asyncio.create_task(store.aside(work, "done"))
        await begun.wait()
        head = await store.append(Batch([DRILL], WALL))
        assert len(await store.read(lambda db: list(records(db, 0)))) == head.seq == 1
        go_on.set()
        assert await aside == ("done", tmp_path / "journal.db")
        await store.aclose()


async def test_money_keeps_coming_in_while_backups_are_made(tmp_path):
    """Every one of them holds a whole beginning of what the journal says in the end."""
    async with desk(tmp_path) as it:
        for n in range(5):
            assert (await it.say(MoveCash("deposit", D(1)), key=f"m{n}")).ok
            assert (await it.say(Backup(str(tmp_path / "kept" / f"{n}.db")), key=f"b{n}")).ok
        whole = {r.seq: r.hash for r in await it.store.read(lambda db: list(records(db, 0)))}
    for n in range(5):
        with closing(reader(tmp_path / "kept" / f"{n}.db")) as copy:
            assert whole.items() >= {r.seq: r.hash for r in records(copy, 0)}.items()
            assert verify(copy).ok
