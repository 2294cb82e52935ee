"""Events appended in batches, chained by hash, and read back as all that is known."""

from collections.abc import Callable, Iterator
from struct import error as StructError  # noqa: N812
from typing import Any, Final, TypeVar

from state.apply import replay
from state.canonical import (
    EPOCH,
    Undecodable,
    body_of,
    event_in,
    kind_of,
    microseconds,
    snapshot_in,
)
from state.event import ExecutionCorrected, Halted, OrderFilled, Resumed
from state.journal import (
    GENESIS,
    CommitInDoubt,
    CorruptJournal,
    Database,
    DatabaseError,
    JournalFull,
    NewerJournal,
    full,
    name_of,
    undo,
)
from state.record import Batch, Head
from state.rows import (
    CORRECT_FILL,
    DELETE_HALT,
    INSERT_EVENT,
    INSERT_FILL,
    INSERT_HALT,
    INSERT_SNAPSHOT,
    PRUNE_SNAPSHOTS,
    UPSERT_COMMAND,
    UPSERT_ORDER,
    command_row,
    correction_row,
    fill_row,
    link,
    order_row,
    saved_row,
    seal,
)
from state.snapshot import Snapshot

T = TypeVar("T")

SNAPSHOTS_KEPT: Final = 2
SNAPSHOT_EVERY: Final = 10_000  # events

SNAPSHOTS: Final = "SELECT seq, hash, body FROM snapshot"
LAST_KNOWN: Final = (
    "SELECT max((SELECT coalesce(max(seq), 0) FROM snapshot),"
    " (SELECT coalesce(max(seq), 0) FROM fill),"
    " (SELECT coalesce(max(since_seq), 0) FROM halt))"
)
CHAIN: Final = "SELECT seq, wall_us, type, body, hash FROM event WHERE seq > ? ORDER BY seq"


def append(db: Database, batch: Batch, head: Head) -> Head:
    """Make a batch durable after `head`, all or none, and return the new head.

    Raises JournalFull when there was no room and nothing was written; CommitInDoubt when the
    COMMIT itself raised, after which the connection must not be used. Any other error leaves the
    journal as it was.
    """
    wall_us = microseconds(batch.wall)
    seq, chained = head.seq, head.hash
    rows: list[tuple[int, int, str, bytes, bytes]] = []
    fills: list[tuple[int | str, ...]] = []
    changes: list[tuple[str, tuple[int | str, ...]]] = []
    for event in batch.events:
        seq += 1
        kind, body = kind_of(event), body_of(event)
        chained = link(chained, seq, wall_us, kind, body)
        rows.append((seq, wall_us, kind, body, chained))
        match event:
            case OrderFilled():
                fills.append(fill_row(seq, event))
            case ExecutionCorrected():
                changes.append((CORRECT_FILL, correction_row(event)))
            case Halted(scope, reason, denial, actor):
                changes.append((INSERT_HALT, (scope, seq, denial, actor, reason)))
            case Resumed(scope):
                changes.append((DELETE_HALT, (scope,)))
    orders = [order_row(order) for order in batch.orders]
    commands = [command_row(command) for command in batch.commands]
    saved = saved_row(batch.snapshot, Head(seq, chained))
    if not (rows or orders or commands or saved):
        return head
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(INSERT_EVENT, rows)
        if fills:
            db.executemany(INSERT_FILL, fills)
        for statement, parameters in changes:
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
        if full(error):
            raise JournalFull(f"no room for records {head.seq + 1} to {seq}: {error}") from error
        raise
    try:
        db.execute("COMMIT")
    except BaseException as error:
        raise CommitInDoubt(
            f"nobody can say whether records {head.seq + 1} to {seq} are durable: {error}"
        ) from error
    return Head(seq, chained)


def load(db: Database) -> tuple[Snapshot, Head]:
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


def renew(db: Database, snapshot: Snapshot, head: Head, every: int) -> bool:
    """Save `snapshot` at `head` when no usable one is among the last `every` records; say whether.

    Another version's snapshots are of no use: without this each start after an upgrade would apply
    every record again, until as many new ones were written. Raises as `append` does.
    """
    if head.seq < every:
        return False
    for seq, (sealed, body) in saved_snapshots(db).items():
        ((there,),) = rows_of(db, f"SELECT hash FROM event WHERE seq = {int(seq)}")  # noqa: S608
        if head.seq - seq < every and seal(there, body) == sealed:
            return False
    append(db, Batch((), EPOCH, snapshot=snapshot), head)
    return True


def known(name: str, seq: int, read: Callable[[bytes], T], body: bytes) -> T:
    """Return `read(body)`; a whole record that this version can't read was written by a newer."""
    try:
        return read(body)
    except Undecodable as error:
        raise NewerJournal(
            name, f"record {seq} is whole, but of a newer program: {error}"
        ) from error


def chain(db: Database) -> Iterator[Head]:
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
    except (DatabaseError, StructError, TypeError, AttributeError, UnicodeError) as error:
        raise CorruptJournal(name, f"record {seq + 1} can't be read: {error}", seq + 1) from error


def saved_snapshots(db: Database) -> dict[int, tuple[bytes, bytes]]:
    """Return the stored snapshots, seal and body by seq, unchecked."""
    return {seq: (sealed, body) for seq, sealed, body in rows_of(db, SNAPSHOTS)}


def check_ends(db: Database, head: Head) -> None:
    """Raise CorruptJournal when another table knows of records after the last one."""
    ((last,),) = rows_of(db, LAST_KNOWN)
    if last > head.seq:
        raise CorruptJournal(
            name_of(db), f"records {head.seq + 1} to {last} are gone from the end", head.seq + 1
        )


def rows_of(db: Database, question: str) -> list[tuple[Any, ...]]:
    """Return all rows of a query that only a damaged journal fails; raise CorruptJournal then."""
    try:
        return db.execute(question).fetchall()
    except DatabaseError as error:
        raise CorruptJournal(name_of(db), f"can't be read: {error}") from error
