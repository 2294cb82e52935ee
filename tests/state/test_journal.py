"""The file: made whole, refused when it is not ours, lifted step by step, and strict."""

import os
import shutil
import sqlite3
import stat
from decimal import Decimal as D
from pathlib import Path

import pytest
from msgspec.structs import replace

from state.apply import replay
from state.chain import append, load
from state.checkpoint import checkpoint
from state.event import CashMoved
from state.history import find_commands
from state.journal import (
    GENESIS,
    CorruptJournal,
    ForeignJournal,
    NewerJournal,
    connect,
    reader,
)
from state.record import Batch
from state.schema import APPLICATION_ID, LADDER, VERSION
from state.snapshot import Snapshot
from tests.chronicle import (
    CLAIM,
    CLOSE,
    DRILL,
    FILL,
    LONG,
    ORDER,
    WALL,
    command,
    raw,
    same,
    write,
)
from tests.tmpfs import read_only, tmpfs


def contents(directory) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


# The file


def test_a_new_journal_is_its_owners_alone(db, path):
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("application_id", APPLICATION_ID),
        ("user_version", VERSION),
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("busy_timeout", 2000),
        ("wal_autocheckpoint", 0),
        ("journal_size_limit", 67108864),
        ("temp_store", 2),
        ("mmap_size", 0),
    ],
)
def test_a_writer_has_its_safeguards(db, pragma, value):
    assert db.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_every_table_is_strict(db):
    tables = [
        (row[1], row[5])
        for row in db.execute("PRAGMA table_list")
        if not row[1].startswith("sqlite_")
    ]
    assert sorted(tables) == [
        (name, 1) for name in ("command", "event", "fill", "halt", "intent", "snapshot")
    ]


def test_the_log_is_never_moved_by_itself(db, path):
    head, now = GENESIS, Snapshot()
    size = path.stat().st_size
    for _ in range(1100):  # SQLite itself would have done so after 1000 pages
        head, now = write(db, head, now, [DRILL])
    assert path.stat().st_size == size

    done = checkpoint(db, "PASSIVE")

    assert (done.busy, done.moved) == (False, done.frames)
    assert path.stat().st_size > size
    assert checkpoint(db, "TRUNCATE").frames == 0
    assert path.with_name("journal.db-wal").stat().st_size == 0
    assert load(db)[1] == head


def test_a_reader_does_not_hold_up_a_checkpoint(db, path):
    head, _ = write(db, GENESIS, Snapshot(), LONG)
    looking = reader(path)
    looking.execute("BEGIN")
    looking.execute("SELECT count(*) FROM event").fetchone()
    write(db, head, replay(Snapshot(), LONG), [DRILL])

    assert checkpoint(db, "TRUNCATE").busy
    assert db.execute("PRAGMA busy_timeout").fetchone() == (2000,)
    looking.close()
    assert not checkpoint(db, "TRUNCATE").busy


def test_a_reader_cannot_write(db, path):
    looking = reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        looking.execute("DELETE FROM snapshot")
    looking.close()


def test_a_reader_needs_no_daemon(filled):
    path, now, head = filled
    db = reader(path)
    snapshot, end = load(db)
    db.close()

    assert same(snapshot, now)
    assert end == head


def test_a_reader_needs_no_writable_disk(filled, tmp_path):
    path, now, head = filled
    with tmpfs(tmp_path / "disk", 8 << 20) as disk:
        copy = Path(shutil.copy(path, disk))
        read_only(disk)
        db = reader(copy)
        snapshot, end = load(db)
        db.close()

    assert same(snapshot, now)
    assert end == head


def test_there_is_nothing_to_read_where_no_journal_is(path):
    with pytest.raises(FileNotFoundError, match="no journal"):
        reader(path)
    assert not path.exists()


def not_sqlite(path):
    path.write_bytes(b"ledger,2025\n" * 1000)


def anothers(path):
    db = raw(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA application_id = 7")
    db.execute("CREATE TABLE t (x)")
    db.close()


def nobodys(path):
    db = raw(path)
    db.execute("CREATE TABLE t (x)")
    db.close()


def newer(path):
    connect(path, ladder=[*LADDER, ("CREATE TABLE belief (x INTEGER) STRICT",)]).close()


def newer_only_in_the_log(path):
    """Lifted by a newer program that was killed before any checkpoint."""
    connect(path).close()
    db = connect(path, ladder=[*LADDER, ("CREATE TABLE belief (x INTEGER) STRICT",)])
    crashed = path.with_name("crashed")
    crashed.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", crashed)
    db.close()
    for file in path.parent.glob("journal.db*"):
        file.unlink()
    for file in crashed.iterdir():
        file.rename(path.with_name(file.name))
    crashed.rmdir()


def beheaded(path):
    """The database is gone, and its log remains."""
    db = connect(path)
    write(db, GENESIS, Snapshot(), LONG)
    log = path.with_name("journal.db-wal").read_bytes()
    db.close()
    path.unlink()
    path.with_name("journal.db-wal").write_bytes(log)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(not_sqlite, ForeignJournal, id="not SQLite"),
        pytest.param(anothers, ForeignJournal, id="another program's"),
        pytest.param(nobodys, ForeignJournal, id="nobody's in particular"),
        pytest.param(newer, NewerJournal, id="newer"),
        pytest.param(newer_only_in_the_log, NewerJournal, id="newer, in the log alone"),
        pytest.param(beheaded, CorruptJournal, id="a log without its database"),
    ],
)
def test_a_file_that_is_not_ours_to_write_is_refused_and_left_alone(path, made, why):
    made(path)
    before = contents(path.parent)

    for opened in (connect, reader):
        with pytest.raises(why, match=r"journal\.db: "):
            opened(path)

    after = contents(path.parent)
    after.pop("journal.db-shm", None)  # an index of the log, made by whoever reads it
    before.pop("journal.db-shm", None)
    assert after == before


def test_a_half_made_journal_is_made_again(path):
    for name in ("journal.db.new", "journal.db.new-journal"):
        path.with_name(name).write_bytes(b"half")
    path.touch()

    connect(path).close()

    assert contents(path.parent).keys() == {"journal.db"}


def test_without_a_log_there_is_no_writing(path, tmp_path_factory):
    class NoLog(sqlite3.Connection):
        def execute(self, sql, *args):
            return super().execute(
                sql.replace("journal_mode = WAL", "journal_mode = DELETE"), *args
            )

    with pytest.raises(sqlite3.OperationalError, match="local file system"):
        connect(path, factory=NoLog)


# What the file itself refuses


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = x'7b7d' WHERE seq = 1",
        "DELETE FROM event WHERE seq = 1",
        "INSERT OR REPLACE INTO event VALUES (1, 0, 'halted', x'7b7d', x'00')",
    ],
)
def test_a_record_is_never_changed(db, statement):
    write(db, GENESIS, Snapshot(), LONG)
    db.execute("PRAGMA recursive_triggers = ON")

    with pytest.raises(sqlite3.IntegrityError, match="never"):
        db.execute(statement)


def test_a_reply_is_final_once(db):
    head = append(db, Batch([DRILL], WALL, commands=[command(final=False)]), GENESIS)
    head = append(db, Batch([DRILL], WALL, commands=[command(reply=b"done")]), head)

    with pytest.raises(sqlite3.IntegrityError, match="never change"):
        append(db, Batch([DRILL], WALL, commands=[command(reply=b"other")]), head)

    assert find_commands(db, [command().rid])[command().rid] == command(reply=b"done")
    assert load(db)[1] == head


def test_a_key_stands_for_one_set_of_arguments(db):
    head = append(db, Batch([DRILL], WALL, commands=[command(final=False)]), GENESIS)

    with pytest.raises(sqlite3.IntegrityError, match="never change"):
        append(db, Batch([DRILL], WALL, commands=[command(digest="other")]), head)


def test_an_order_is_sent_under_one_broker_id(db):
    head, now = write(db, GENESIS, Snapshot(), [ORDER, CLAIM])
    (order,) = now.orders.values()

    with pytest.raises(sqlite3.IntegrityError, match="one broker order id"):
        append(db, Batch([DRILL], WALL, orders=[replace(order, broker_oid=2)]), head)


def test_a_broker_id_belongs_to_one_order(db):
    head, now = write(db, GENESIS, Snapshot(), [ORDER, CLAIM])
    (order,) = now.orders.values()

    with pytest.raises(sqlite3.IntegrityError, match="broker_oid"):
        append(db, Batch([DRILL], WALL, orders=[replace(order, order_id="S.0")]), head)


def test_an_execution_is_booked_once_and_a_refused_batch_leaves_nothing(db):
    head, now = write(db, GENESIS, Snapshot(), [ORDER, CLAIM, FILL])

    with pytest.raises(sqlite3.IntegrityError, match="execution_id"):
        append(db, Batch([DRILL, FILL], WALL, commands=[command()]), head)

    assert load(db) == (now, head)
    assert find_commands(db, [command().rid]) == {}


def test_an_amount_that_does_not_fit_writes_nothing(db):
    bad = CashMoved("deposit", D("0.0000001"), "", CLOSE)

    with pytest.raises(ValueError, match="millionths"):
        append(db, Batch([DRILL, bad], WALL), GENESIS)

    assert not db.in_transaction
    assert load(db) == (Snapshot(), GENESIS)


# Migration


class Killed(BaseException):
    """The process is gone: nothing runs after this."""


def dying(after: int) -> type[sqlite3.Connection]:
    """A connection whose process is killed at its statement number `after`."""

    class Dying(sqlite3.Connection):
        left = after

        def execute(self, sql, *args):
            type(self).left -= 1
            if type(self).left < 0:
                raise Killed
            return super().execute(sql, *args)

    return Dying


TALLER = (
    *LADDER,
    ("CREATE TABLE belief (x INTEGER) STRICT", "INSERT INTO belief VALUES (1)"),
    ("ALTER TABLE belief ADD COLUMN y INTEGER", "UPDATE belief SET y = x + 1"),
)


def test_an_older_journal_is_lifted_with_all_it_knows(filled):
    path, now, head = filled

    db = connect(path, ladder=TALLER)

    assert db.execute("PRAGMA user_version").fetchone() == (len(TALLER),)
    assert db.execute("SELECT * FROM belief").fetchall() == [(1, 2)]
    assert load(db) == (now, head)
    db.close()


def test_the_journal_as_it_was_is_kept_beside_it(filled):
    path, now, head = filled
    connect(path, ladder=TALLER).close()
    kept = path.with_name(f"journal.db.v{VERSION}")

    db = connect(kept)

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert load(db) == (now, head)
    db.close()


def test_a_new_journal_needs_no_copy(path):
    connect(path, ladder=TALLER).close()

    assert contents(path.parent).keys() == {"journal.db"}


def test_a_lifting_killed_anywhere_goes_on_from_there(filled):
    path, now, head = filled
    image = path.read_bytes()
    killed = 0
    while True:
        for file in path.parent.glob("journal.db*"):
            file.unlink()
        path.write_bytes(image)
        try:
            connect(path, ladder=TALLER, factory=dying(killed)).close()
        except Killed:
            killed += 1
        else:
            break
        db = connect(path, ladder=TALLER)
        assert db.execute("PRAGMA user_version").fetchone() == (len(TALLER),)
        assert db.execute("SELECT * FROM belief").fetchall() == [(1, 2)]
        assert load(db) == (now, head)
        db.close()
    assert killed > 20


def test_a_step_that_fails_leaves_the_journal_where_it_was(filled):
    path, now, head = filled
    broken = (*LADDER, ("CREATE TABLE belief (x INTEGER) STRICT", "INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        connect(path, ladder=broken)

    db = connect(path)
    assert load(db) == (now, head)
    db.close()


def test_a_step_that_leaves_a_dangling_row_fails(filled):
    path, _, _ = filled
    step = (
        "CREATE TABLE belief (x INTEGER REFERENCES event (seq)) STRICT",
        "PRAGMA defer_foreign_keys = ON",
        "INSERT INTO belief VALUES (-1)",
    )
    with pytest.raises(sqlite3.IntegrityError, match="dangling"):
        connect(path, ladder=(*LADDER, step))


def test_a_process_umask_does_not_open_the_journal_to_others(path):
    before = os.umask(0)
    try:
        db = connect(path)
        write(db, GENESIS, Snapshot(), LONG)
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        db.close()
    finally:
        os.umask(before)
    assert modes == {0o600}
