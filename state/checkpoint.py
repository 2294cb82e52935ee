"""Moving the write-ahead log into the database, which only the writer ever does."""

from typing import Literal

import msgspec

from state.journal import Database


class Checkpoint(msgspec.Struct, frozen=True):
    """What a checkpoint did: `frames` are in the log, `moved` of them are in the database too."""

    busy: bool
    frames: int
    moved: int


def checkpoint(db: Database, mode: Literal["PASSIVE", "TRUNCATE"]) -> Checkpoint:
    """Move the log into the database; TRUNCATE also empties it. Never waits for a reader."""
    (patience,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute("PRAGMA busy_timeout = 0").close()
    try:
        busy, frames, moved = db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout = {patience}").close()
    return Checkpoint(bool(busy), frames, moved)
