"""The one writer of the journal: what it may still do, and when its log is moved."""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from daemon.space import Space
from state.chain import append
from state.checkpoint import checkpoint
from state.history import booked, find_commands, find_orders
from state.journal import CommitInDoubt, JournalFull
from state.order import OrderId, Rid
from state.record import Batch, Head, Kept, StoredCommand
from state.retention import shorten

CHECKPOINT_EVERY: Final = 2000  # commits
LOOK_EVERY: Final = 64  # commits, at the size of the log
LOG_LIMIT: Final = 32 << 20  # bytes of the log, past which it is emptied

log = logging.getLogger(__name__)


class Writer:
    """The one writing connection and the head it wrote. Poisoned by a commit in doubt."""

    def __init__(
        self,
        db: sqlite3.Connection,
        head: Head,
        space: Space,
        path: Path | None,
        log_limit: int = LOG_LIMIT,
    ) -> None:
        self.db, self.head, self.space = db, head, space
        self.path = path or Path(":memory:")
        self._log_limit = log_limit
        self._doubt: CommitInDoubt | None = None
        self._log = path.with_name(path.name + "-wal") if path else None
        self._commits = 0  # since the last checkpoint

    def fit(self) -> None:
        """Raise CommitInDoubt once a commit was in doubt: only a restart can tell what is so."""
        if self._doubt is not None:
            raise CommitInDoubt(f"the journal must be read afresh: {self._doubt}") from self._doubt

    def append(self, batch: Batch) -> Head:
        """Make a batch durable; raises JournalFull, or CommitInDoubt and is poisoned."""
        self.fit()
        if why := self.space.tight():
            raise JournalFull(why)
        try:
            self.head = append(self.db, batch, self.head)
        except CommitInDoubt as error:
            self._doubt = error
            raise
        self._commits += 1
        return self.head

    def shorten(self, before: datetime, shortened: Callable[[bytes], bytes], limit: int) -> int:
        """Shorten old replies where there is room; return how many; poisoned as by `append`."""
        self.fit()
        if self.space.tight():
            return 0
        try:
            return shorten(self.db, before, shortened, limit)
        except CommitInDoubt as error:
            self._doubt = error
            raise
        except JournalFull as error:
            log.warning("replies_not_shortened", extra={"detail": str(error)})
            return 0

    def commands(self, rids: Sequence[Rid]) -> Mapping[Rid, StoredCommand]:
        """Return the stored commands among `rids`."""
        self.fit()
        return find_commands(self.db, rids)

    def kept(self, orders: Sequence[OrderId], executions: Sequence[str]) -> Kept:
        """Return what is kept of orders and executions."""
        self.fit()
        return Kept(find_orders(self.db, orders), booked(self.db, executions))

    @property
    def checkpoint_due(self) -> bool:
        """Return whether the log is long enough to be moved into the database."""
        if self._commits >= CHECKPOINT_EVERY:
            return True
        return self._commits % LOOK_EVERY == LOOK_EVERY - 1 and self.log_bytes() > self._log_limit

    def checkpoint(self, *, last: bool = False) -> None:
        """Move the log into the database; empty it when it is too long, and at the `last`.

        A failure costs nothing but room, and the next one tries again.
        """
        if self._doubt is not None:
            return
        self._commits = 0
        try:
            done = checkpoint(self.db, "TRUNCATE" if last else "PASSIVE")
            if not last and self.log_bytes() > self._log_limit:
                done = checkpoint(self.db, "TRUNCATE")
        except sqlite3.Error as error:
            log.warning("checkpoint_failed", extra={"detail": str(error)})
            return
        if done.busy and self.log_bytes() > self._log_limit:
            log.warning("log_held_by_reader", extra={"frames": done.frames, "moved": done.moved})

    def log_bytes(self) -> int:
        """Return the size of the write-ahead log's file."""
        try:
            return self._log.stat().st_size if self._log else 0
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Empty the log and let go of the file."""
        self.checkpoint(last=True)
        self.db.close()
