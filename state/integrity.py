"""Whether a journal still says what was written: its structure, its chain, its tables."""

from collections.abc import Iterable
from typing import Any

import msgspec

from state.canonical import event_in
from state.chain import chain, check_ends, known
from state.event import Halted, OrderFilled, Resumed
from state.journal import (
    GENESIS,
    CorruptJournal,
    Database,
    DatabaseError,
    UnfitJournal,
    name_of,
)
from state.rows import fill_row


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
    events = "SELECT seq, body FROM event WHERE type IN ('order_filled', 'halted', 'resumed')"
    for seq, body in db.execute(events + " ORDER BY seq"):
        match known(name, seq, event_in, body):
            case OrderFilled() as fill:
                fills[seq] = fill_row(seq, fill)
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


def compare(name: str, what: str, expected: dict[Any, Any], rows: Iterable[Any]) -> None:
    """Raise CorruptJournal where the rows of a table differ from what the records make of it."""
    found = {row[0]: row for row in rows}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise CorruptJournal(
                name, f"{what} {key} is {found.get(key)}, the records say {expected.get(key)}"
            )


def verify(db: Database) -> Verified:
    """Check structure, chain and tables, and say what was found; raises nothing of its own."""
    head = GENESIS
    try:
        quick_check(db)
        for head in chain(db):  # noqa: B007
            pass
        check_ends(db, head)
        check_tables(db)
    except UnfitJournal as error:
        return Verified(False, head.seq, head.hash, getattr(error, "seq", None), str(error))
    except DatabaseError as error:
        return Verified(False, head.seq, head.hash, None, f"{name_of(db)}: {error}")
    return Verified(True, head.seq, head.hash, None, f"{head.seq} records, unbroken")
