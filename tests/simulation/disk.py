"""What outlives a process: the journal, the paper book, the halt file; and how disks fail.

The journal's SQL runs as shipped, on SQLite, in the thread's turn that a `Thread` stands for.
"""

import asyncio
import shutil
import sqlite3
from functools import cache, partial

from daemon.store import JournalStore, answer, examined
from daemon.writer import Writer
from state.journal import connect, in_memory, reader, settle
from tests.simulation.loop import Killed

WRITES = ("BEGIN IMMEDIATE", "INSERT", "DELETE", "PRAGMA wal_checkpoint")


class Faults:
    """What may go wrong with a disk now; probabilities per statement."""

    def __init__(self, world):
        self.world, self.chance = world, world.chance
        self.commit, self.statement, self.full = 0.0, 0.0, False
        self.room = 0  # commits that the ballast, given up, still makes room for
        self.ballast = True


class Tripping(sqlite3.Connection):
    """A connection on which writing may fail, in each of the ways that a disk has."""

    faults = None

    def execute(self, sql, *parameters):
        faults = self.faults
        if faults is not None:
            if sql == "COMMIT":
                self._commit(faults)
            elif faults.statement and sql.startswith(WRITES):
                self._trip(faults)
        return super().execute(sql, *parameters)

    def executemany(self, sql, rows):
        if self.faults is not None and self.faults.statement:
            self._trip(self.faults)
        return super().executemany(sql, rows)

    def _trip(self, faults):
        if faults.chance.fault(faults.statement):
            full = faults.chance.happens(0.3)
            faults.world.befell("statement full" if full else "statement error")
            raise broken("disk is full", 13) if full else broken("disk I/O error", 10)

    def _commit(self, faults):
        if not faults.chance.fault(faults.commit):
            return
        durable = faults.chance.happens(0.5)
        faults.world.befell("ghost commit" if durable else "lost commit")
        super().execute("COMMIT" if durable else "ROLLBACK")
        raise broken("disk I/O error", 10)


def broken(message, code):
    """Return the error that SQLite raises."""
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    error.injected = True
    return error


class Room:
    """Space on the journal's disk, as the store asks for it."""

    def __init__(self, faults):
        self._faults = faults

    def tight(self):
        faults = self._faults
        if not faults.full:
            return ""
        if not faults.ballast and faults.room > 0:
            faults.room -= 1
            return ""
        return "0 bytes are free"

    def hold(self):
        if not self._faults.full:
            self._faults.ballast = True
        return self._faults.ballast and not self._faults.full

    def release(self):
        had, self._faults.ballast = self._faults.ballast, False
        return had


class Thread:
    """A connection as aiosqlite has it: one thing at a time, in order, and later.

    Each piece of work is done whole or, when the process is killed before its turn, not at all.
    """

    def __init__(self, loop, chance, db, process, done):
        self._loop, self._chance, self._conn = loop, chance, db
        self._process, self._done = process, done
        self._free = 0.0

    async def _execute(self, function, *args, **names):
        self._process.alive()
        future = self._loop.create_future()
        began = max(self._free, self._loop.now) + self._chance.between(0.0001, 0.002)
        self._free = began + self._chance.between(0.0, 0.002)
        self._loop.call_at(began, self._work, future, partial(function, *args, **names))
        return await future

    def _work(self, future, work):
        try:
            found, error = work(), None
        except Exception as e:  # noqa: BLE001 it is whoever asked's
            found, error = None, e
        self._done(work, error)
        self._process.alive()
        self._loop.call_at(self._free, self._tell, future, found, error)

    @staticmethod
    def _tell(future, found, error):
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found)

    async def close(self):
        self._process.alive()


@cache
def template():
    """A new journal, as bytes."""
    db = in_memory()
    try:
        return db.serialize()
    finally:
        db.close()


class Disk:
    """The files of one daemon. `real` ones are on a disk; otherwise the journal is in memory."""

    def __init__(self, world, folder, *, real):
        self.world, self.folder, self.real = world, folder, real
        self.faults = Faults(world)
        self.orders, self.head = {}, None
        self._db = None
        if not real:
            self._db = sqlite3.connect(":memory:", isolation_level=None, factory=Tripping)
            self._db.deserialize(template())
            settle(self._db)

    @property
    def journal(self):
        return self.folder / "journal.db"

    async def open(self, process):
        """Open the journal as the daemon does, in a process, and return the shipped store."""
        world = self.world
        if self.real and self._db is not None:
            self._crashed()
        db = connect(self.journal, factory=Tripping) if self.real else self._db
        self._db = db
        db.faults = None
        if db.in_transaction:
            db.execute("ROLLBACK")
        snapshot, head = examined(db)
        self.orders = dict(snapshot.orders)
        self.head = head
        db.faults = self.faults
        writing = Thread(world.loop, world.chance, db, process, self._wrote)
        reads = reader(self.journal) if self.real else db
        reading = Thread(world.loop, world.chance, reads, process, lambda *_: None)
        path = self.journal if self.real else None
        await asyncio.sleep(world.chance.between(0.001, 0.05))
        store = JournalStore(writing, reading, Writer(db, head, Room(self.faults), path))
        return store, snapshot, head

    def ask(self, question, *arguments):
        """Ask the journal from outside of any process, without faults and at once."""
        db, faults = self._db, self._db.faults
        db.faults = None
        try:
            return answer(db, question, arguments)
        finally:
            db.faults = faults

    def close(self):
        if self._db is not None:
            self._db.faults = None
            self._db.close()

    def _crashed(self):
        """Go on with the files as a killed process leaves them: nobody closed the database."""
        self._db.faults = None
        image = self.folder / "image"
        image.mkdir()
        names = [f"journal.db{suffix}" for suffix in ("", "-wal")]
        for name in names:
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, image / name)
        self._db.close()
        for name in (*names, "journal.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        for name in names:
            if (image / name).exists():
                (image / name).replace(self.folder / name)
        image.rmdir()

    def _wrote(self, work, error):
        """Look at what the writer did; perhaps the machine fails right then."""
        if work.func.__name__ != "append":
            return
        (batch,) = work.args
        if error is None:
            self.world.committed(batch)
        if self.world.chance.fault(self.world.kill_at_commit):
            self.world.kill_daemon("kill at commit")
            raise Killed
