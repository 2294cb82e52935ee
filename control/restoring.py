"""Put a backup in the journal's place: nothing is thrown away, and nothing trades before a look."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from control.durably import placed, synced
from control.halt_file import who, write
from state.chain import append, load
from state.denial import Code
from state.event import Event, Halted, Restored
from state.history import find_commands, recorded
from state.integrity import Told, Verified, verify
from state.journal import (
    RESTORING,
    Database,
    DatabaseError,
    UnfitJournal,
    beside,
    connect,
    copy_into,
    reader,
)
from state.record import Batch, StoredCommand
from state.rows import SELECT_COMMANDS, command_in
from state.snapshot import Snapshot

JOURNAL: Final = "journal.db"
LOCK: Final = "journal.lock"
REPLACED: Final = "replaced-"
SPARED: Final = 1_000_000  # broker order ids left out when nobody can read which were used
LAST_OID: Final = "SELECT coalesce(max(broker_oid), 0) FROM intent"
HALTS: Final = "SELECT scope, reason, code, actor FROM halt WHERE scope != 'account'"


class StateHeld(Exception):
    """A daemon runs on the state directory."""


class BackupUnsound(Exception):
    """The file is a journal, but not what was written into it; `found` says where it goes wrong."""

    def __init__(self, found: Verified) -> None:
        super().__init__(found.message)
        self.found = found


class Left(msgspec.Struct, frozen=True):
    """What a journal knew that a backup must not forget.

    `next_oid` is above all broker order ids it used; `halts` are those of single symbols.
    """

    next_oid: int
    commands: Sequence[StoredCommand]
    halts: Sequence[tuple[str, str, str, str]]


class Restoration(msgspec.Struct, frozen=True):
    """What was restored: `seq` and `hash` end the backup; `replaced` is where the old journal is.

    `keys` counts the commands taken over from the old journal; None when it could not be read.
    """

    file: str
    seq: int
    hash: str
    next_oid: int
    keys: int | None
    replaced: str | None


def restore(backup: Path, state: Path, wall: datetime, told: Told | None = None) -> Restoration:
    """Make `backup` the journal of a state directory whose daemon is stopped.

    The halt is durable before anything is moved; the old journal is kept in a directory beside.
    Its keys, its halts and its broker order ids are taken over, as far as it can be read, so that
    nothing done since the backup is done again. `told` hears how much of it is checked. Killed
    anywhere, it can be run again; a daemon refuses to start in between. Raises StateHeld,
    BackupUnsound, UnfitJournal, OSError.
    """
    with closing(reader(backup)) as db:
        found = verify(db, told=told)
    if not found.ok:
        raise BackupUnsound(found)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(state):
        journal = state / JOURNAL
        old = last_journal(state)
        left = None if old is None else known_to(old)
        new = beside(journal, RESTORING)
        event = prepared(new, backup, found, left, wall)
        owned(new, state)
        reason = f"restored from {backup.name}, record {found.seq}"
        owned(Path(write(str(state), "account", reason, wall)), state)
        aside = put_aside(journal, state / f"{REPLACED}{wall:%Y%m%dT%H%M%SZ}")
        placed(new, journal)
    return Restoration(str(backup), found.seq, found.hash.hex(), event.next_oid, event.keys, aside)


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold a state directory as its daemon would; raise StateHeld when one does."""
    descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        owned(state / LOCK, state)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateHeld(str(state)) from None
        yield
    finally:
        os.close(descriptor)


def last_journal(state: Path) -> Path | None:
    """Return the journal to be replaced, or the one a restore that was cut short put aside."""
    there = [state / JOURNAL, *sorted(state.glob(f"{REPLACED}*/{JOURNAL}"), reverse=True)]
    return next((file for file in there if file.exists()), None)


def known_to(old: Path) -> Left | None:
    """Return what a journal knew, None when that can't be read to the end."""
    try:
        with closing(reader(old)) as db:
            (last,) = db.execute(LAST_OID).fetchone()
            floors = [one.event for one in recorded(db, 0, None, ("restored",))]
            commands = [command_in(row) for row in db.execute(SELECT_COMMANDS)]
            halts = [tuple(row) for row in db.execute(HALTS)]
    except (OSError, UnfitJournal, DatabaseError):
        return None
    spared = [event.next_oid for event in floors if isinstance(event, Restored)]
    return Left(max([int(last) + 1, *spared]), commands, halts)


def prepared(
    new: Path, backup: Path, found: Verified, left: Left | None, wall: datetime
) -> Restored:
    """Write the journal to be: the backup, lifted to this version, and what follows from that."""
    for leftover in (new, beside(new, "-wal"), beside(new, "-shm"), beside(new, "-journal")):
        leftover.unlink(missing_ok=True)
    new.touch(mode=0o600)
    with closing(reader(backup)) as db:
        copy_into(db, new)
    with closing(connect(new)) as db:
        now, head = load(db)
        commands = [] if left is None else unknown(db, left.commands)
        event = Restored(
            str(backup),
            found.seq,
            found.hash.hex(),
            max(now.next_oid, left.next_oid) if left else now.next_oid + SPARED,
            None if left is None else len(commands),
            who(),
            now.at or wall,
        )
        append(db, Batch([event, *halts(now, event, left)], wall, commands=commands), head)
    for copy in new.parent.glob(f"{new.name}.v*"):
        copy.unlink()  # of an older schema: the backup itself is that copy
    return event


def unknown(db: Database, commands: Sequence[StoredCommand]) -> list[StoredCommand]:
    """Return the commands a journal does not know, as what will never change again.

    Their orders are not in this journal, so that nothing here could ever finish them.
    """
    known = find_commands(db, [command.rid for command in commands])
    return [replace(one, final=True) for one in commands if one.rid not in known]


def halts(now: Snapshot, event: Restored, left: Left | None) -> list[Event]:
    """Return the halts of a restored journal: its own, those made since, and one until a look."""
    made: list[Event] = []
    if "account" not in now.halts or now.halts["account"].code == Code.DISK_FULL:
        reason = f"restored from {event.file}, record {event.seq}: compare the books, then resume"
        made.append(Halted("account", reason, Code.RECONCILE_PENDING, event.actor, event.at))
    for scope, reason, code, actor in left.halts if left else ():
        if scope not in now.halts:
            made.append(Halted(scope, reason, code, actor, event.at))
    return made


def put_aside(journal: Path, aside: Path) -> str | None:
    """Move a journal into a directory of its own, and return it; None when there was none.

    The database goes first: without it, a log that remains keeps a daemon from starting.
    """
    files = [file for end in ("", "-wal", "-shm") if (file := beside(journal, end)).exists()]
    if not files:
        return None
    aside.mkdir(mode=0o700)
    owned(aside, aside.parent)
    for file in files:
        file.rename(aside / file.name)
    synced(aside)
    return str(aside)


def owned(file: Path, state: Path) -> None:
    """Let a file belong to whoever the state directory does; only root can do that for others."""
    owner = state.stat()
    with suppress(PermissionError):
        os.chown(file, owner.st_uid, owner.st_gid)
