"""Questions to the journal. Lists come oldest first; a limit keeps the newest."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

import msgspec

from state.canonical import event_in, instant, microseconds
from state.event import (
    STATED,
    Booked,
    CashMoved,
    OrderFilled,
    Reconciled,
    SplitBooked,
    Started,
)
from state.instrument import Symbol
from state.journal import Database
from state.order import OPEN, Order, OrderId, Rid, Status, request_id
from state.record import Recorded, StoredCommand
from state.rows import (
    SELECT_COMMANDS,
    SELECT_FILLS,
    SELECT_ORDERS,
    booked_in,
    command_in,
    fill_in,
    order_in,
)

EVENTS: Final = (
    "SELECT seq, wall_us, body, hash FROM event"
    " WHERE seq > ? AND (? IS NULL OR type IN (SELECT value FROM json_each(?))) ORDER BY seq"
)
SINCE: Final = (
    " WHERE created_us >= ? AND (? IS NULL OR status IN (SELECT value FROM json_each(?)))"
    " ORDER BY number DESC LIMIT ?"
)
ORDER_BY_ID: Final = SELECT_ORDERS + " WHERE order_id = ?"
ORDERS_OF: Final = SELECT_ORDERS + " WHERE order_id >= ? AND order_id < ? ORDER BY number"
NOT_PLACED: Final = (
    "SELECT order_id FROM intent JOIN command USING (rid)"
    " WHERE instr(key, ?) = 1 AND status = ? ORDER BY number DESC LIMIT 1"
)
FILLS_SINCE: Final = SELECT_FILLS + " WHERE at_us >= ? ORDER BY seq DESC LIMIT ?"
EXECUTION_AMONG: Final = " WHERE execution_id IN (SELECT value FROM json_each(?))"
ORDER_AMONG: Final = " WHERE order_id IN (SELECT value FROM json_each(?))"
AMONG: Final = " WHERE rid IN (SELECT value FROM json_each(?))"
UNFINISHED: Final = " WHERE final = 0 ORDER BY rowid"


def recorded(
    db: Database, after: int = 0, limit: int | None = 200, kinds: Sequence[str] = ()
) -> list[Recorded]:
    """Return the first `limit` records (None: all) after `after`, of some kinds (tags) or all."""
    return list(islice(records(db, after, kinds), limit))


def records(db: Database, after: int = 0, kinds: Sequence[str] = ()) -> Iterator[Recorded]:
    """Yield the records after `after`, of some kinds (tags) or of all, reading as it goes."""
    some = listed(kinds) if kinds else None
    rows = db.execute(EVENTS, (after, some, some))
    try:
        for seq, wall_us, body, link in rows:
            yield Recorded(seq, instant(wall_us), event_in(body), link)
    finally:
        rows.close()  # a cursor left half-read would pin the log


def events_between(
    db: Database, start: datetime, end: datetime, kinds: Sequence[str] = ()
) -> Iterator[Recorded]:
    """Yield the records whose market time is in [start, end), in the order they were written."""
    return (record for record in records(db, 0, kinds) if start <= record.event.at < end)


def orders(
    db: Database, open_only: bool = False, since: datetime | None = None, limit: int = 500
) -> list[Order]:
    """Return the newest `limit` orders, those created at or after `since` on the market clock."""
    statuses = listed(sorted(OPEN)) if open_only else None
    rows = db.execute(
        SELECT_ORDERS + SINCE, (earliest(since), statuses, statuses, limit)
    ).fetchall()
    return [order_in(row) for row in reversed(rows)]


def order_by_id(db: Database, order_id: OrderId) -> Order | None:
    """Return one order as it stands, None when there is none of that id."""
    row = db.execute(ORDER_BY_ID, (order_id,)).fetchone()
    return order_in(row) if row else None


def orders_of(db: Database, rid: Rid) -> list[Order]:
    """Return the orders of one command, by their ids: a range, since "/" follows "." in ASCII."""
    return [order_in(row) for row in db.execute(ORDERS_OF, (f"{rid}.", f"{rid}/"))]


def last_not_placed(db: Database, keys: str) -> OrderId | None:
    """Return the newest order that never reached the broker, of commands whose keys begin so."""
    row = db.execute(NOT_PLACED, (keys, Status.NOT_PLACED.value)).fetchone()
    return str(row[0]) if row else None


def fills(db: Database, since: datetime | None = None, limit: int = 500) -> list[OrderFilled]:
    """Return the newest `limit` executions, those booked at or after `since`."""
    rows = db.execute(FILLS_SINCE, (earliest(since), limit)).fetchall()
    return [fill_in(row) for row in reversed(rows)]


def booked(db: Database, execution_ids: Sequence[str]) -> Mapping[str, Booked]:
    """Return what is booked of the executions among `execution_ids`."""
    rows = db.execute(SELECT_FILLS + EXECUTION_AMONG, (listed(execution_ids),))
    return {row[0]: booked_in(row) for row in rows}


def find_orders(db: Database, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Order]:
    """Return the orders among `order_ids`, as they stand."""
    return {
        row[0]: order_in(row)
        for row in db.execute(SELECT_ORDERS + ORDER_AMONG, (listed(order_ids),))
    }


def find_commands(db: Database, rids: Sequence[Rid]) -> Mapping[Rid, StoredCommand]:
    """Return the stored commands among `rids`."""
    return {row[0]: command_in(row) for row in db.execute(SELECT_COMMANDS + AMONG, (listed(rids),))}


def command_by_id(db: Database, id_or_key: str) -> StoredCommand | None:
    """Return a stored command by its id, or by the idempotency key that its id is made of."""
    found = find_commands(db, (id_or_key, request_id(id_or_key)))
    return next(iter(found.values()), None)


def unfinished(db: Database) -> list[StoredCommand]:
    """Return the commands whose reply may still change: their orders were open at the end."""
    return [command_in(row) for row in db.execute(SELECT_COMMANDS + UNFINISHED)]


def untold(db: Database) -> Mapping[str, Decimal]:
    """Return the cash movements that the paper broker may not have been told of, by reference.

    Those are all but what was on record before the start of a run that told them again, and then
    found the books to agree.
    """
    moves: dict[str, Decimal] = {}
    before = 0
    for record in records(db, 0, ("started", "cash_moved", "reconciled")):
        match record.event:
            case Started():
                before = len(moves)
            case CashMoved(amount=amount, ref=ref) if ref:
                moves[ref] = amount
            case Reconciled(differences=()):
                moves, before = dict(islice(moves.items(), before, None)), 0
    return moves


def funding(db: Database) -> tuple[datetime | None, frozenset[str]]:
    """Return since when there is a book, and the references of all cash that statements booked."""
    began: datetime | None = None
    refs = set()
    for record in records(db, 0, ("cash_moved",)):
        match record.event:
            case CashMoved(kind="initial", at=at):
                began = began or at
            case CashMoved(reason=reason) if reason.startswith(STATED):
                refs.add(reason.removeprefix(STATED).partition(":")[0])
    return began, frozenset(refs)


def splits_booked(db: Database) -> Mapping[Symbol, datetime]:
    """Return when the last split of each symbol was booked."""
    return {
        record.event.symbol: record.event.at
        for record in records(db, 0, ("split_booked",))
        if isinstance(record.event, SplitBooked)
    }


def listed(values: Sequence[str]) -> str:
    """Return strings as the JSON array that `json_each` takes apart."""
    return msgspec.json.encode(values).decode()


def earliest(since: datetime | None) -> int:
    """Return the bound in microseconds; before everything for None."""
    return -(1 << 63) if since is None else microseconds(since)
