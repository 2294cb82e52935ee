"""Questions to the journal. Lists come oldest first; a limit keeps the newest."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

import msgspec

from state.canonical import event_in, from_micros, instant, microseconds
from state.event import OrderFilled
from state.journal import Database
from state.order import OPEN, Order, OrderId, Rid, Status, request_id
from state.record import Recorded, StoredCommand

EVENTS: Final = (
    "SELECT seq, wall_us, body, hash FROM event"
    " WHERE seq > ?1 AND (?2 IS NULL OR type IN (SELECT value FROM json_each(?2))) ORDER BY seq"
)
ORDERS: Final = (
    "SELECT order_id, rid, symbol, quantity_u, status, created_us, session, price_u, limit_u,"
    " source, filled_u, reported_u, value_u, fees_u, broker_oid, broker_id, reason FROM intent"
)
SINCE: Final = (
    " WHERE created_us >= ?1 AND (?2 IS NULL OR status IN (SELECT value FROM json_each(?2)))"
    " ORDER BY number DESC LIMIT ?3"
)
ORDER_BY_ID: Final = ORDERS + " WHERE order_id = ?"
ORDERS_OF: Final = ORDERS + " WHERE order_id >= ? AND order_id < ? ORDER BY number"
FILLS_SINCE: Final = (
    "SELECT execution_id, order_id, symbol, quantity_u, price_u, fee_u, traded_us, at_us FROM fill"
    " WHERE at_us >= ? ORDER BY seq DESC LIMIT ?"
)
COMMANDS: Final = "SELECT rid, key, op, principal, digest, reply, final, wall_us FROM command"
AMONG: Final = " WHERE rid IN (SELECT value FROM json_each(?))"
UNFINISHED: Final = " WHERE final = 0 ORDER BY rowid"


def recorded(
    db: Database, after: int = 0, limit: int | None = 200, kinds: Sequence[str] = ()
) -> list[Recorded]:
    """Return the first `limit` records (None: all) after `after`, of some kinds (tags) or all."""
    return list(islice(records(db, after, kinds), limit))


def records(db: Database, after: int = 0, kinds: Sequence[str] = ()) -> Iterator[Recorded]:
    """Yield the records after `after`, of some kinds (tags) or of all, reading as it goes."""
    rows = db.execute(EVENTS, (after, listed(kinds) if kinds else None))
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
    rows = db.execute(ORDERS + SINCE, (earliest(since), statuses, limit)).fetchall()
    return [order_in(row) for row in reversed(rows)]


def order_by_id(db: Database, order_id: OrderId) -> Order | None:
    """Return one order as it stands, None when there is none of that id."""
    row = db.execute(ORDER_BY_ID, (order_id,)).fetchone()
    return order_in(row) if row else None


def orders_of(db: Database, rid: Rid) -> list[Order]:
    """Return the orders of one command, by their ids: a range, since "/" follows "." in ASCII."""
    return [order_in(row) for row in db.execute(ORDERS_OF, (f"{rid}.", f"{rid}/"))]


def fills(db: Database, since: datetime | None = None, limit: int = 500) -> list[OrderFilled]:
    """Return the newest `limit` executions, those booked at or after `since`."""
    rows = db.execute(FILLS_SINCE, (earliest(since), limit)).fetchall()
    return [fill_in(row) for row in reversed(rows)]


def find_commands(db: Database, rids: Sequence[Rid]) -> Mapping[Rid, StoredCommand]:
    """Return the stored commands among `rids`."""
    return {row[0]: command_in(row) for row in db.execute(COMMANDS + AMONG, (listed(rids),))}


def command_by_id(db: Database, id_or_key: str) -> StoredCommand | None:
    """Return a stored command by its id, or by the idempotency key that its id is made of."""
    found = find_commands(db, (id_or_key, request_id(id_or_key)))
    return next(iter(found.values()), None)


def unfinished(db: Database) -> list[StoredCommand]:
    """Return the commands whose reply may still change: their orders were open at the end."""
    return [command_in(row) for row in db.execute(COMMANDS + UNFINISHED)]


def listed(values: Sequence[str]) -> str:
    """Return strings as the JSON array that `json_each` takes apart."""
    return msgspec.json.encode(values).decode()


def earliest(since: datetime | None) -> int:
    """Return the bound in microseconds; before everything for None."""
    return -(1 << 63) if since is None else microseconds(since)


def order_in(row: tuple[Any, ...]) -> Order:
    """Return the order in a row of `ORDERS`."""
    return Order(
        order_id=row[0],
        rid=row[1],
        symbol=row[2],
        quantity=from_micros(row[3]),
        status=Status(row[4]),
        created_at=instant(row[5]),
        session=date.fromisoformat(row[6]),
        price=from_micros(row[7]),
        limit_price=None if row[8] is None else from_micros(row[8]),
        source=row[9],
        filled=from_micros(row[10]),
        reported=from_micros(row[11]),
        value=from_micros(row[12]),
        fees=from_micros(row[13]),
        broker_oid=row[14],
        broker_id=row[15],
        reason=row[16],
    )


def fill_in(row: tuple[Any, ...]) -> OrderFilled:
    """Return the execution in a row of `FILLS_SINCE`."""
    execution_id, order_id, symbol, quantity, price, fee, traded, at = row
    return OrderFilled(
        execution_id=execution_id,
        order_id=order_id,
        symbol=symbol,
        quantity=from_micros(quantity),
        price=from_micros(price),
        fee=from_micros(fee),
        traded_at=instant(traded),
        at=instant(at),
    )


def command_in(row: tuple[Any, ...]) -> StoredCommand:
    """Return the command in a row of `COMMANDS`."""
    rid, key, op, principal, digest, reply, final, wall_us = row
    return StoredCommand(rid, key, op, principal, digest, reply, bool(final), instant(wall_us))
