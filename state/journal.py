"""The journal: an SQLite file that remembers every event, chained by hash.

Synchronous functions of a connection. The daemon is the only writer; it calls them in one thread,
one call a batch, and alone checkpoints. Here is the file: what to refuse, how to open it, what an
error means. What is written into it and read back is `state.chain`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from state.record import Head
from state.schema import APPLICATION_ID, LADDER, Step

Database = sqlite3.Connection  # the types, for those who may not import sqlite3
DatabaseError = sqlite3.Error

GENESIS: Final = Head(0, bytes(32))
RESTORING: Final = ".restoring"  # ends the name of a journal that is not in its place yet


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
        if beside(file, RESTORING).exists():
            raise CorruptJournal(str(file), "is gone: a restore was cut short; do it again")
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
    copy_into(db, new)
    return new.replace(copy)


def copy_into(db: sqlite3.Connection, new: Path) -> None:
    """Copy all that a connection sees, as of this moment, into an empty file, and synchronise it.

    VACUUM itself leaves that to the operating system. Writers go on meanwhile.
    """
    (guarded,) = db.execute("PRAGMA query_only").fetchone()
    db.execute("PRAGMA query_only = OFF").close()  # it forbids this too; mode=ro still protects
    try:
        db.execute("VACUUM INTO ?", (str(new),)).close()
    finally:
        db.execute(f"PRAGMA query_only = {guarded}").close()
    copied = sqlite3.connect(f"{new.as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        copied.execute("PRAGMA synchronous = FULL").close()
        (version,) = copied.execute("PRAGMA user_version").fetchone()
        copied.execute(f"PRAGMA user_version = {version}").close()  # a commit syncs all of a file
    finally:
        copied.close()


def beside(file: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to `file`."""
    return file.with_name(file.name + suffix)


def code(error: sqlite3.Error) -> int:
    """Return the primary SQLite result code of an error; 0 when it carries none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def full(error: BaseException) -> bool:
    """Return whether an error says that there was no room."""
    return isinstance(error, sqlite3.Error) and code(error) == sqlite3.SQLITE_FULL


def undo(db: sqlite3.Connection) -> None:
    """Roll back what is open; SQLite may have done so already."""
    if db.in_transaction:
        try:
            db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise CommitInDoubt(f"a failed transaction could not be undone: {error}") from error


def name_of(db: sqlite3.Connection) -> str:
    """Return the path of the journal behind a connection, for messages."""
    try:
        row = db.execute("PRAGMA database_list").fetchone()
    except sqlite3.Error:
        return "the journal"
    return str(row[2]) if row and row[2] else "the journal"
