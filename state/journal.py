"""The journal: an SQLite file that remembers every event, chained by hash.

Synchronous functions of a connection. The daemon is the only writer; it calls them in one thread,
one call a batch, and alone checkpoints. The module is long because it alone may know SQLite: what
to refuse, how to write, what an error means and how to read back are one argument.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import error as StructError  # noqa: N812
from typing import Any, Final, Literal, TypeVar

import msgspec

from state.apply import replay
from state.canonical import Undecodable, body_of, event_in, kind_of, microseconds, snapshot_in
from state.event import Halted, OrderFilled, Resumed
from state.record import Batch, Head
from state.rows import (
    DELETE_HALT,
    INSERT_EVENT,
    INSERT_FILL,
    INSERT_HALT,
    INSERT_SNAPSHOT,
    PRUNE_SNAPSHOTS,
    UPSERT_COMMAND,
    UPSERT_ORDER,
    command_row,
    fill_row,
    link,
    order_row,
    saved_row,
    seal,
)
from state.schema import APPLICATION_ID, LADDER, Step
from state.snapshot import Snapshot

Database = sqlite3.Connection  # the types, for those who may not import sqlite3
DatabaseError = sqlite3.Error

T = TypeVar("T")

GENESIS: Final = Head(0, bytes(32))
SNAPSHOTS_KEPT: Final = 2

SNAPSHOTS: Final = "SELECT seq, hash, body FROM snapshot"
LAST_KNOWN: Final = (
    "SELECT max((SELECT coalesce(max(seq), 0) FROM snapshot),"
    " (SELECT coalesce(max(seq), 0) FROM fill),"
    " (SELECT coalesce(max(since_seq), 0) FROM halt))"
)
CHAIN: Final = "SELECT seq, wall_us, type, body, hash FROM event WHERE seq > ? ORDER BY seq"


class UnfitJournal(Exception):
    """The file must not be written to: a human has to look."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


class ForeignJournal(UnfitJournal):
    """The file is something else's."""


class NewerJournal(UnfitJournal):
    """The file was written by a newer version."""


class CorruptJournal(UnfitJournal):
    """The file does not say what was written; `seq` is the first record that is wrong, if known."""

    def __init__(self, path: str, why: str, seq: int | None = None) -> None:
        super().__init__(path, why)
        self.seq = seq


class JournalFull(Exception):
    """There is no room for the batch: nothing of it was written, and the journal is as before."""


class CommitInDoubt(Exception):
    """A COMMIT raised: the batch may or may not be durable. Only a restart can tell."""


class Checkpoint(msgspec.Struct, frozen=True):
    """What a checkpoint did: `frames` are in the log, `moved` of them are in the database too."""

    busy: bool
    frames: int
    moved: int


def connect(
    path: str | Path,
    *,
    ladder: Sequence[Step] = LADDER,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """Open the journal to write, made or lifted to this version as needed; mode 0600.

    Raises ForeignJournal, NewerJournal or CorruptJournal before anything is touched.
    """
    file = Path(path).absolute()
    version = version_of(file, len(ladder))
    if version is None:
        create(file, ladder)
    db = sqlite3.connect(
        f"{file.as_uri()}?mode=rw", uri=True, timeout=2.0, isolation_level=None, factory=factory
    )
    try:
        with sound(file):
            settle(db)
            if version is not None and version < len(ladder):
                keep_copy(db, file, version)
                climb(db, ladder)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def sound(file: Path) -> Iterator[None]:
    """Raise CorruptJournal where SQLite meets what no SQLite file can be."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if code(error) not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        raise CorruptJournal(str(file), f"can't be read: {error}") from error


def in_memory(factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """Return a new journal that is gone with its connection, for simulations."""
    db = sqlite3.connect(":memory:", isolation_level=None, factory=factory)
    settle(db)
    climb(db, LADDER)
    return db


def settle(db: sqlite3.Connection) -> None:
    """Set what a writer must have; raise OperationalError when the log mode is not to be had."""
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode not in {"wal", "memory"}:
        raise sqlite3.OperationalError(
            f"the journal needs write-ahead logging and got {mode!r}: use a local file system"
        )
    for pragma in (
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "journal_size_limit = 67108864",
        "temp_store = MEMORY",
        "secure_delete = OFF",
        "mmap_size = 0",
    ):
        db.execute(f"PRAGMA {pragma}").close()


def reader(path: str | Path) -> sqlite3.Connection:
    """Open the journal to read only; works beside the daemon and without it.

    Raises FileNotFoundError, ForeignJournal or NewerJournal.
    """
    file = Path(path).absolute()
    if version_of(file, len(LADDER)) is None:
        raise FileNotFoundError(f"{file}: there is no journal here")
    return open_to_read(file)


def open_to_read(file: Path) -> sqlite3.Connection:
    """Open a file read-only; as an immutable one where even the log's index can't be made."""
    db = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=2.0, isolation_level=None)
    try:
        with sound(file):
            db.execute("SELECT 1 FROM sqlite_master").close()
    except sqlite3.OperationalError as error:
        db.close()
        if code(error) != sqlite3.SQLITE_CANTOPEN or beside(file, "-wal").exists():
            raise
        db = sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True, isolation_level=None)
    except BaseException:
        db.close()
        raise
    db.execute("PRAGMA query_only = ON").close()
    db.execute("PRAGMA cell_size_check = ON").close()
    return db


def version_of(file: Path, newest: int) -> int | None:
    """Return the file's schema version, None when there is no journal yet; touches nothing."""
    if not file.exists() or not file.stat().st_size:
        if beside(file, "-wal").exists() and beside(file, "-wal").stat().st_size:
            raise CorruptJournal(str(file), "is gone or empty, but its log remains; restore it")
        return None
    application, version = marks_of(file)
    if application != APPLICATION_ID:
        raise ForeignJournal(
            str(file),
            f"is not a journal: its application_id is {application:#x}, not {APPLICATION_ID:#x}",
        )
    if version > newest:
        raise NewerJournal(
            str(file),
            f"has schema version {version}, this program knows {newest}: run the newer program",
        )
    return version


def marks_of(file: Path) -> tuple[int, int]:
    """Return (application_id, user_version) of an SQLite file without leaving a trace.

    They are read from the file's header, or, where a log may know better, through it.
    """
    with file.open("rb") as start:
        header = start.read(100)
    if header[:16] != b"SQLite format 3\0" or len(header) < 100:
        raise ForeignJournal(str(file), "is not an SQLite file")
    if not beside(file, "-wal").exists():
        return int.from_bytes(header[68:72]), int.from_bytes(header[60:64])
    db = open_to_read(file)
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
    finally:
        db.close()
    return application, version


def create(file: Path, ladder: Sequence[Step]) -> None:
    """Make a new journal under another name, whole, and only then give it its own."""
    new = beside(file, ".new")
    for leftover in (new, beside(new, "-journal")):
        leftover.unlink(missing_ok=True)
    new.touch(mode=0o600)
    db = sqlite3.connect(new, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL").close()
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}").close()
        climb(db, ladder)
    finally:
        db.close()
    new.replace(file)


def climb(db: sqlite3.Connection, ladder: Sequence[Step]) -> None:
    """Lift the schema to the top of `ladder`, one transaction a step.

    Killed anywhere, it goes on from the last whole step when called again.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    for number, step in enumerate(ladder[version:], version + 1):
        db.execute("BEGIN EXCLUSIVE").close()
        try:
            take(db, step, number)
        except BaseException:
            undo(db)
            raise


def take(db: sqlite3.Connection, step: Step, number: int) -> None:
    """Do one step of the ladder, to schema version `number`, and commit it."""
    for statement in step:
        db.execute(statement).close()
    if dangling := db.execute("PRAGMA foreign_key_check").fetchone():
        raise sqlite3.IntegrityError(f"step {number} leaves a dangling row: {dangling}")
    db.execute(f"PRAGMA user_version = {number}").close()
    db.execute("COMMIT").close()


def keep_copy(db: sqlite3.Connection, file: Path, version: int) -> Path:
    """Keep the journal as it was before a migration, beside it, and return where."""
    copy, new = beside(file, f".v{version}"), beside(file, f".v{version}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    db.execute("VACUUM INTO ?", (str(new),)).close()
    return new.replace(copy)


def beside(file: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to `file`."""
    return file.with_name(file.name + suffix)


def code(error: sqlite3.Error) -> int:
    """Return the primary SQLite result code of an error; 0 when it carries none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


# Writing


def append(db: sqlite3.Connection, batch: Batch, head: Head) -> Head:
    """Make a batch durable after `head`, all or none, and return the new head.

    Raises JournalFull when there was no room and nothing was written; CommitInDoubt when the
    COMMIT itself raised, after which the connection must not be used. Any other error leaves the
    journal as it was.
    """
    wall_us = microseconds(batch.wall)
    seq, chained = head.seq, head.hash
    rows: list[tuple[int, int, str, bytes, bytes]] = []
    fills: list[tuple[int | str, ...]] = []
    halts: list[tuple[str, tuple[int | str, ...]]] = []
    for event in batch.events:
        seq += 1
        kind, body = kind_of(event), body_of(event)
        chained = link(chained, seq, wall_us, kind, body)
        rows.append((seq, wall_us, kind, body, chained))
        match event:
            case OrderFilled():
                fills.append(fill_row(seq, event))
            case Halted(scope, reason, denial, actor):
                halts.append((INSERT_HALT, (scope, seq, denial, actor, reason)))
            case Resumed(scope):
                halts.append((DELETE_HALT, (scope,)))
    orders = [order_row(order) for order in batch.orders]
    commands = [command_row(command) for command in batch.commands]
    saved = saved_row(batch.snapshot, Head(seq, chained))
    if not (rows or orders or commands):
        return head
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(INSERT_EVENT, rows)
        if fills:
            db.executemany(INSERT_FILL, fills)
        for statement, parameters in halts:
            db.execute(statement, parameters)
        if orders:
            db.executemany(UPSERT_ORDER, orders)
        if commands:
            db.executemany(UPSERT_COMMAND, commands)
        if saved:
            db.execute(INSERT_SNAPSHOT, saved)
            db.execute(PRUNE_SNAPSHOTS, (SNAPSHOTS_KEPT,))
    except BaseException as error:
        undo(db)
        if isinstance(error, sqlite3.Error) and code(error) == sqlite3.SQLITE_FULL:
            raise JournalFull(f"no room for records {head.seq + 1} to {seq}: {error}") from error
        raise
    try:
        db.execute("COMMIT")
    except BaseException as error:
        raise CommitInDoubt(
            f"nobody can say whether records {head.seq + 1} to {seq} are durable: {error}"
        ) from error
    return Head(seq, chained)


def undo(db: sqlite3.Connection) -> None:
    """Roll back what is open; SQLite may have done so already."""
    if db.in_transaction:
        try:
            db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise CommitInDoubt(f"a failed transaction could not be undone: {error}") from error


# Reading back


def load(db: sqlite3.Connection) -> tuple[Snapshot, Head]:
    """Return all that is known, and where the journal ends.

    The chain is checked over every record; then the newest snapshot that is bound to it is taken,
    and the records after it applied. Raises CorruptJournal naming the first bad record.
    """
    name = name_of(db)
    saved = saved_snapshots(db)
    heads: dict[int, bytes] = {}
    head = GENESIS
    for head in chain(db):
        if head.seq in saved:
            heads[head.seq] = head.hash
    check_ends(db, head)
    snapshot = Snapshot()
    for seq in sorted(heads, reverse=True):
        seal_there, body = saved[seq]
        if seal(heads[seq], body) == seal_there:
            snapshot = known(name, seq, snapshot_in, body)
            break
    rows = db.execute("SELECT seq, body FROM event WHERE seq > ? ORDER BY seq", (snapshot.seq,))
    return replay(snapshot, (known(name, seq, event_in, body) for seq, body in rows)), head


def known(name: str, seq: int, read: Callable[[bytes], T], body: bytes) -> T:
    """Return `read(body)`; a whole record that this version can't read was written by a newer."""
    try:
        return read(body)
    except Undecodable as error:
        raise NewerJournal(
            name, f"record {seq} is whole, but of a newer program: {error}"
        ) from error


def chain(db: sqlite3.Connection) -> Iterator[Head]:
    """Yield the head after each record; raise CorruptJournal at the first that is not its own."""
    name, seq, chained = name_of(db), 0, GENESIS.hash
    try:
        for found, wall_us, kind, body, stored in db.execute(CHAIN, (seq,)):
            if found != seq + 1:
                raise CorruptJournal(name, f"record {seq + 1} is missing", seq + 1)
            chained = link(chained, found, wall_us, kind, body)
            if chained != stored:
                raise CorruptJournal(
                    name, f"record {found} is not what was written, or follows another", found
                )
            seq = found
            yield Head(seq, chained)
    except (sqlite3.Error, StructError, TypeError, AttributeError, UnicodeError) as error:
        raise CorruptJournal(name, f"record {seq + 1} can't be read: {error}", seq + 1) from error


def saved_snapshots(db: sqlite3.Connection) -> dict[int, tuple[bytes, bytes]]:
    """Return the stored snapshots, seal and body by seq, unchecked."""
    return {seq: (sealed, body) for seq, sealed, body in rows_of(db, SNAPSHOTS)}


def check_ends(db: sqlite3.Connection, head: Head) -> None:
    """Raise CorruptJournal when another table knows of records after the last one."""
    ((last,),) = rows_of(db, LAST_KNOWN)
    if last > head.seq:
        raise CorruptJournal(
            name_of(db), f"records {head.seq + 1} to {last} are gone from the end", head.seq + 1
        )


def rows_of(db: sqlite3.Connection, question: str) -> list[tuple[Any, ...]]:
    """Return all rows of a query that only a damaged journal fails; raise CorruptJournal then."""
    try:
        return db.execute(question).fetchall()
    except sqlite3.Error as error:
        raise CorruptJournal(name_of(db), f"can't be read: {error}") from error


def name_of(db: sqlite3.Connection) -> str:
    """Return the path of the journal behind a connection, for messages."""
    try:
        row = db.execute("PRAGMA database_list").fetchone()
    except sqlite3.Error:
        return "the journal"
    return str(row[2]) if row and row[2] else "the journal"


def checkpoint(db: sqlite3.Connection, mode: Literal["PASSIVE", "TRUNCATE"]) -> Checkpoint:
    """Move the log into the database; TRUNCATE also empties it. Never waits for a reader."""
    (patience,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute("PRAGMA busy_timeout = 0").close()
    try:
        busy, frames, moved = db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout = {patience}").close()
    return Checkpoint(bool(busy), frames, moved)
