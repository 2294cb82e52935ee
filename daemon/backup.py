"""A backup: one file that holds the journal as of one moment, checked before it has its name."""

import os
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from control.durably import placed, synced
from control.protocol import Exit, Fault
from daemon.space import RESERVE
from state.integrity import verify
from state.journal import Database, DatabaseError, UnfitJournal, copy_into, full, reader
from state.record import Head

HASH: Final = "SELECT hash FROM event WHERE seq = ?"
FIELDS: Final = "{date}, {time}, {seq}, {head}"
HEAD_DIGITS: Final = 16


class Backup(msgspec.Struct, frozen=True):
    """A backup that was made: `head` is its last record, `bytes` its size."""

    file: str
    head: Head
    bytes: int


class BackupRefused(Exception):
    """There is no backup; the exit code and fault say why, and what to do."""

    def __init__(self, exit_: Exit, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.exit, self.fault = exit_, Fault(code, message, hint)


def free_bytes(folder: Path) -> int:
    """Return the bytes that may still be written to the disk a folder is on."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def backed_up(
    db: Database,
    journal: Path,
    name: str,
    wall: datetime,
    token: str,
    free: Callable[[Path], int] = free_bytes,
) -> Backup:
    """Copy the journal behind a reader's own connection; return what was made and checked.

    `name` is a path that may hold {date}, {time}, {seq} and {head}; `token` names the file while it
    is in the making. Commits go on meanwhile: the copy is of the moment it began. An earlier backup
    of the same journal is replaced; nothing else ever is. Raises BackupRefused.
    """
    folder = folder_for(Path(name), journal)
    part = folder / f".{token}.part"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        part.unlink(missing_ok=True)
        needed = journal.stat().st_size + RESERVE  # what is copied, and what the journal keeps free
        if (room := free(folder)) < needed:
            raise no_room(folder, f"{room:,} bytes are free, and {needed:,} are needed")
        try:
            return finished(db, part, Path(name), wall)
        finally:
            part.unlink(missing_ok=True)
    except OSError as e:
        raise BackupRefused(
            *(Exit.INVALID, "BACKUP_FAILED", f"{name}: {e.strerror or e}"),
            "name a file in a directory that the daemon may write to",
        ) from e


def folder_for(file: Path, journal: Path) -> Path:
    """Return the directory of a backup to be; raise BackupRefused for a bad one."""
    if not file.is_absolute() or not file.name:
        raise bad_name(f"{file} is no absolute path of a file")
    if "{" in str(file.parent):
        raise bad_name(f"{file.parent}: {FIELDS} may stand in a file's name, not in a directory's")
    if file.parent.resolve() == journal.parent.resolve():
        raise bad_name(f"{file.parent} is the journal's own: use a directory inside it, or another")
    return file.parent


def finished(db: Database, part: Path, name: Path, wall: datetime) -> Backup:
    """Make the copy, check it, and give it its name."""
    part.touch(mode=0o600)
    try:
        copy_into(db, part)
    except DatabaseError as e:
        if full(e):
            raise no_room(part.parent, str(e)) from e
        raise
    with closing(reader(part)) as copy:
        found = verify(copy)
    head = Head(found.seq, found.hash)
    if not found.ok or not ours(db, head):
        why = found.message if not found.ok else f"record {head.seq} is another in the journal"
        raise BackupRefused(
            *(Exit.FINDINGS, "BACKUP_UNSOUND", f"the copy of the journal is not sound: {why}"),
            "`tm verify` checks the journal itself; keep the last good backup",
        )
    target = part.with_name(named(name.name, head, wall))
    if target.exists() and not earlier(db, target):
        raise bad_name(f"{target} exists, and is no earlier backup of this journal")
    placed(part, target)
    synced(target.parent.parent)  # the directory itself may be new
    return Backup(str(target), head, target.stat().st_size)


def named(name: str, head: Head, wall: datetime) -> str:
    """Return a file's name with its fields filled in; raise BackupRefused for an unknown one."""
    fields = {
        "{date}": f"{wall:%Y-%m-%d}",
        "{time}": f"{wall:%H%M%SZ}",
        "{seq}": str(head.seq),
        "{head}": head.hash.hex()[:HEAD_DIGITS],
    }
    for field, value in fields.items():
        name = name.replace(field, value)
    if "{" in name or "}" in name:
        raise bad_name(f"{name}: the fields of a backup's name are {FIELDS}")
    return name


def earlier(db: Database, file: Path) -> bool:
    """Return whether a file is a backup of the journal behind `db`."""
    try:
        with closing(reader(file)) as old:
            found = verify(old)
    except (OSError, UnfitJournal, DatabaseError):
        return False
    return found.ok and ours(db, Head(found.seq, found.hash))


def ours(db: Database, head: Head) -> bool:
    """Return whether a head is one that the journal behind `db` had."""
    row = db.execute(HASH, (head.seq,)).fetchone()
    return row is not None and bytes(row[0]) == head.hash


def bad_name(message: str) -> BackupRefused:
    """Return the refusal of a file's name."""
    hint = "say `tm backup /absolute/path/{date}-{head}.db`"
    return BackupRefused(Exit.INVALID, "BACKUP_NAME", message, hint)


def no_room(folder: Path, why: str) -> BackupRefused:
    """Return the refusal for want of space: trading must not stop for a backup."""
    message = f"{folder} has no room for a backup: {why}"
    return BackupRefused(Exit.NOT_READY, "NO_SPACE", message, "make room, or name another disk")
