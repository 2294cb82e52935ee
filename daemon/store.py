"""The journal behind the `Store` seam: in a thread of its own, or inline for simulations."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiosqlite

from daemon.space import DiskSpace, Endless, Space
from daemon.writer import Writer
from state.chain import SNAPSHOT_EVERY, load, renew
from state.integrity import quick_check
from state.journal import GENESIS, connect, in_memory, reader
from state.order import OrderId, Rid
from state.record import Batch, Head, Kept, StoredCommand
from state.snapshot import Snapshot

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class JournalStore:
    """The journal in aiosqlite's thread: one hop a batch, from BEGIN to COMMIT.

    Questions go to a second, read-only connection, and never wait for the writer. Keyed commands
    are looked up by the writer itself, between two batches: what was committed is always seen.
    """

    def __init__(
        self, writing: aiosqlite.Connection, reading: aiosqlite.Connection, writer: Writer
    ) -> None:
        self._writing, self._reading, self._writer = writing, reading, writer
        self._checkpoint: asyncio.Future[None] | None = None
        self._closed = False

    async def append(self, batch: Batch) -> Head:
        """Make a batch durable, all or none; once begun it runs to its end, cancelled or not.

        Raises JournalFull after a clean roll-back; CommitInDoubt when nobody can say, and from
        then on always.
        """
        self._writer.fit()
        work = asyncio.ensure_future(hop(self._writing, self._writer.append, batch))
        try:
            head = await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # seen: whoever asked is gone
            raise
        if self._writer.checkpoint_due:
            self._checkpoint = asyncio.ensure_future(hop(self._writing, self._writer.checkpoint))
        return head

    async def commands(self, rids: Sequence[Rid]) -> Mapping[Rid, StoredCommand]:
        """Return the stored commands among `rids`."""
        return await hop(self._writing, self._writer.commands, rids)

    async def kept(self, orders: Sequence[OrderId], executions: Sequence[str]) -> Kept:
        """Return what the journal keeps of orders and executions that memory let go."""
        return await hop(self._writing, self._writer.kept, orders, executions)

    async def read(self, question: Callable[..., T], *arguments: object) -> T:
        """Run `question(connection, *arguments)` over one state of the journal, read-only."""
        self._writer.fit()
        return await hop(self._reading, answer, self._reading._conn, question, arguments)

    async def shorten(
        self, before: datetime, shortened: Callable[[bytes], bytes], limit: int
    ) -> int:
        """Shorten at most `limit` final replies older than `before`; return how many."""
        return await hop(self._writing, self._writer.shorten, before, shortened, limit)

    async def aside(self, work: Callable[..., T], *arguments: object) -> T:
        """Run long `work(connection, journal, *arguments)` in a thread and connection of its own.

        Once begun it runs to its end, cancelled or not.
        """
        self._writer.fit()
        return await asyncio.shield(self._alone(work, arguments))

    async def _alone(self, work: Callable[..., T], arguments: Sequence[object]) -> T:
        path = self._writer.path
        own = await in_thread(partial(reader, path))
        try:
            return await hop(own, work, own._conn, path, *arguments)
        finally:
            await own.close()

    def release_ballast(self) -> bool:
        """Give up the space kept back for a full disk; False when that was done before."""
        return self._writer.space.release()

    async def restore_ballast(self) -> bool:
        """Return whether there is room again, by taking the space back."""
        return await hop(self._writing, self._writer.space.hold)

    async def aclose(self) -> None:
        """Finish what was begun, empty the log, and let go of the file; twice is once."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._reading.close()
            if self._checkpoint is not None:
                await asyncio.wait([self._checkpoint])
            await hop(self._writing, self._writer.checkpoint, last=True)
        finally:
            await self._writing.close()


class InlineStore:
    """The journal called inline: the same functions behind the same seam, for simulations."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def append(self, batch: Batch) -> Head:
        """Make a batch durable, all or none."""
        head = self._writer.append(batch)
        if self._writer.checkpoint_due:
            self._writer.checkpoint()
        return head

    async def commands(self, rids: Sequence[Rid]) -> Mapping[Rid, StoredCommand]:
        """Return the stored commands among `rids`."""
        return self._writer.commands(rids)

    async def kept(self, orders: Sequence[OrderId], executions: Sequence[str]) -> Kept:
        """Return what the journal keeps of orders and executions that memory let go."""
        return self._writer.kept(orders, executions)

    async def read(self, question: Callable[..., T], *arguments: object) -> T:
        """Run `question(connection, *arguments)`; one that writes fails, as it would in life."""
        self._writer.fit()
        self._writer.db.execute("PRAGMA query_only = ON").close()
        try:
            return answer(self._writer.db, question, arguments)
        finally:
            self._writer.db.execute("PRAGMA query_only = OFF").close()

    async def shorten(
        self, before: datetime, shortened: Callable[[bytes], bytes], limit: int
    ) -> int:
        """Shorten at most `limit` final replies older than `before`; return how many."""
        return self._writer.shorten(before, shortened, limit)

    async def aside(self, work: Callable[..., T], *arguments: object) -> T:
        """Run `work(connection, journal, *arguments)`; inline all is in everybody's way."""
        self._writer.fit()
        return work(self._writer.db, self._writer.path, *arguments)

    def release_ballast(self) -> bool:
        """Give up the space kept back for a full disk; False when that was done before."""
        return self._writer.space.release()

    async def restore_ballast(self) -> bool:
        """Return whether there is room again, by taking the space back."""
        return self._writer.space.hold()

    async def aclose(self) -> None:
        """Let go of the file."""
        self._writer.close()


async def open_store(
    path: Path,
    space: Space | None = None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> tuple[JournalStore, Snapshot, Head]:
    """Open the journal, checked through, and return its store and all that it knows.

    Raises UnfitJournal (foreign, newer, corrupt), before anything is touched.
    """
    space = space or DiskSpace(path.parent)
    writing = await in_thread(partial(connect, path, factory=factory))
    reading = None
    try:
        reading = await in_thread(partial(reader, path))
        structure = asyncio.ensure_future(hop(reading, quick_check, reading._conn))
        try:  # SQLite looks at the pages while we look at the chain: on two cores half the wait
            snapshot, head = await hop(writing, load, writing._conn)
        finally:
            await asyncio.wait([structure])
        structure.result()
        await hop(writing, sync_directory, path.parent)
        if not await hop(writing, space.hold):
            log.warning("disk_nearly_full", extra={"detail": space.tight()})
        if not space.tight() and await hop(
            writing, renew, writing._conn, snapshot, head, SNAPSHOT_EVERY
        ):
            log.info("snapshot_renewed", extra={"seq": head.seq})
    except BaseException:
        if reading is not None:
            await reading.close()
        await writing.close()
        raise
    return JournalStore(writing, reading, Writer(writing._conn, head, space, path)), snapshot, head


def open_inline(
    path: Path | None = None,
    space: Space | None = None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> tuple[InlineStore, Snapshot, Head]:
    """Open a journal to be called inline; in memory when there is no `path`."""
    if path is None:
        writer = Writer(in_memory(factory), GENESIS, space or Endless(), None)
        return InlineStore(writer), Snapshot(), GENESIS
    db = connect(path, factory=factory)
    try:
        snapshot, head = examined(db)
    except BaseException:
        db.close()
        raise
    return InlineStore(Writer(db, head, space or Endless(), path)), snapshot, head


def examined(db: sqlite3.Connection) -> tuple[Snapshot, Head]:
    """Check structure and chain, and return all that is known; raises CorruptJournal."""
    quick_check(db)
    return load(db)


def answer(db: sqlite3.Connection, question: Callable[..., T], arguments: Sequence[object]) -> T:
    """Run a question in one read transaction, so that all it reads is of the same moment."""
    db.execute("BEGIN").close()
    try:
        found = question(db, *arguments)
    finally:
        db.execute("ROLLBACK").close()
    if isinstance(found, Iterator):
        raise TypeError(f"{question} answers with a half-read cursor; it must read to the end")
    return found


async def in_thread(connector: Callable[[], sqlite3.Connection]) -> aiosqlite.Connection:
    """Return a connection in a thread that outlives neither the process nor a failed opening.

    aiosqlite's own would keep a daemon that failed from ending, whenever a close was missed.
    """
    connection = aiosqlite.Connection(connector, 64)
    thread: Any = getattr(connection, "_thread", connection)  # before 0.22 it was the thread
    thread.daemon = True
    try:
        return await connection
    except BaseException:
        thread.join()  # told to stop, it still has to say so to a loop that would soon be closed
        raise


async def hop(
    thread: aiosqlite.Connection, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a function in a connection's thread.

    aiosqlite has no public call for this, and its public ones hop once a statement, which lets
    others in between and costs five times as much.
    """
    execute: Callable[..., Awaitable[T]] = thread._execute
    return await execute(function, *args, **kwargs)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
