"""Whether a journal still says what was written: its structure, its chain, its tables."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from state.canonical import event_in
from state.chain import chain, check_ends, known
from state.event import ExecutionCorrected, Halted, OrderFilled, Resumed
from state.journal import (
    GENESIS,
    CorruptJournal,
    Database,
    DatabaseError,
    UnfitJournal,
    name_of,
)
from state.rows import fill_row

KINDS: Final = "'order_filled', 'execution_corrected', 'halted', 'resumed'"
TOLD_EVERY: Final = 10_000  # records
DIGITS: Final = 8  # of a hash, at least, that somebody noted

Told = Callable[[int, int], None]


class Verified(msgspec.Struct, frozen=True):
    """What a check found: `seq` and `hash` are of the last good record."""

    ok: bool
    seq: int
    hash: bytes
    first_bad: int | None
    message: str


def quick_check(db: Database) -> None:
    """Raise CorruptJournal when SQLite finds the file's structure damaged."""
    try:
        found = [row[0] for row in db.execute("PRAGMA quick_check(10)")]
    except DatabaseError as error:
        raise CorruptJournal(name_of(db), f"can't be read: {error}") from error
    if found != ["ok"]:
        raise CorruptJournal(name_of(db), f"is damaged: {'; '.join(map(str, found))}")


def check_tables(db: Database) -> None:
    """Raise CorruptJournal when executions or halts are not what the records say they are."""
    name = name_of(db)
    fills: dict[int, tuple[int | str, ...]] = {}
    halts: dict[str, tuple[int | str, ...]] = {}
    first: dict[str, tuple[int, OrderFilled]] = {}
    rows = db.execute(f"SELECT seq, body FROM event WHERE type IN ({KINDS}) ORDER BY seq")  # noqa: S608
    for seq, body in rows:
        match known(name, seq, event_in, body):
            case OrderFilled() as fill:
                first[fill.execution_id] = seq, fill
                fills[seq] = fill_row(seq, fill)
            case ExecutionCorrected(execution_id) as told if execution_id in first:
                at, fill = first[execution_id]
                fills[at] = fill_row(at, as_corrected(fill, told))
            case Halted(scope, reason, denial, actor):
                halts[scope] = (scope, seq, denial, actor, reason)
            case Resumed(scope):
                halts.pop(scope, None)
    compare(name, "execution", fills, db.execute("SELECT * FROM fill"))
    compare(name, "halt", halts, db.execute("SELECT * FROM halt"))
    wrong = db.execute(
        "SELECT order_id, filled_u, executed FROM (SELECT intent.order_id, filled_u,"
        " coalesce(sum(abs(fill.quantity_u)), 0) AS executed"
        " FROM intent LEFT JOIN fill USING (order_id) GROUP BY intent.order_id)"
        " WHERE filled_u > executed"
    ).fetchone()
    if wrong:
        raise CorruptJournal(
            name, f"order {wrong[0]} says {wrong[1]} micros filled, its executions {wrong[2]}"
        )


def as_corrected(fill: OrderFilled, told: ExecutionCorrected) -> OrderFilled:
    """Return an execution as its row stands after a correction."""
    return replace(
        fill,
        order_id=told.order_id,
        symbol=told.symbol,
        quantity=told.quantity,
        price=told.price,
        fee=told.fee,
        traded_at=told.traded_at,
        revision=told.revision,
    )


def compare(name: str, what: str, expected: dict[Any, Any], rows: Iterable[Any]) -> None:
    """Raise CorruptJournal where the rows of a table differ from what the records make of it."""
    found = {row[0]: row for row in rows}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise CorruptJournal(
                name, f"{what} {key} is {found.get(key)}, the records say {expected.get(key)}"
            )


def check_head(db: Database, noted: str) -> None:
    """Raise CorruptJournal when the record noted as "SEQ:HASH" elsewhere is not in the chain."""
    seq, _, hash_ = noted.partition(":")
    name = name_of(db)
    if not (seq.isascii() and seq.isdecimal() and len(seq) < 19 and len(hash_) >= DIGITS):
        raise CorruptJournal(name, f"{noted!r} is no SEQ:HASH of at least {DIGITS} digits")
    row = db.execute("SELECT hash FROM event WHERE seq = ?", (int(seq),)).fetchone()
    if row is None or not row[0].hex().startswith(hash_.lower()):
        what = "is not there" if row is None else f"has the hash {row[0].hex()[: len(hash_)]}"
        why = f"record {seq}, noted with the hash {hash_}, {what}: it was cut off or written anew"
        raise CorruptJournal(name, why, int(seq))


def verify(db: Database, noted: str = "", told: Told | None = None) -> Verified:
    """Check structure, chain and tables, and say what was found; raises nothing of its own.

    `noted` is a head that was kept elsewhere, "SEQ:HASH", which must be part of the chain. `told`
    hears now and then how many records were checked, and how many there are.
    """
    head = GENESIS
    try:
        quick_check(db)
        ((records,),) = db.execute("SELECT coalesce(max(seq), 0) FROM event")
        for head in chain(db):
            if told is not None and (head.seq % TOLD_EVERY == 0 or head.seq == records):
                told(head.seq, records)
        check_ends(db, head)
        check_tables(db)
        if noted:
            check_head(db, noted)
    except UnfitJournal as error:
        return Verified(False, head.seq, head.hash, getattr(error, "seq", None), str(error))
    except DatabaseError as error:
        return Verified(False, head.seq, head.hash, None, f"{name_of(db)}: {error}")
    return Verified(True, head.seq, head.hash, None, f"{head.seq} records, unbroken")
