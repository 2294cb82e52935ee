"""What age makes smaller: the replies to commands. No key is ever forgotten, and no event."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from state.canonical import microseconds
from state.journal import CommitInDoubt, Database, JournalFull, full, undo

LONG: Final = (
    "SELECT rid, reply FROM command WHERE final = 1 AND short = 0 AND wall_us < ?"
    " ORDER BY wall_us LIMIT ?"
)
SHORTEN: Final = "UPDATE command SET reply = ?, short = 1 WHERE rid = ?"


def shorten(db: Database, before: datetime, shortened: Callable[[bytes], bytes], limit: int) -> int:
    """Shorten at most `limit` final replies older than `before`, the oldest first; return how many.

    In one transaction. Raises JournalFull when there was no room, CommitInDoubt as `append` does.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        old = db.execute(LONG, (microseconds(before), limit)).fetchall()
        db.executemany(SHORTEN, [(shortened(reply), rid) for rid, reply in old])
    except BaseException as error:
        undo(db)
        if full(error):
            raise JournalFull(f"no room to shorten replies: {error}") from error
        raise
    try:
        db.execute("COMMIT")
    except BaseException as error:
        raise CommitInDoubt(f"nobody can say which replies were shortened: {error}") from error
    return len(old)
