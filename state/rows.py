"""How events, orders, executions and replies lie in their tables, and the chain they form."""

from datetime import date
from hashlib import blake2b
from struct import Struct
from typing import Any, Final

from state.canonical import SHAPE, body_of, from_micros, instant, micros, microseconds
from state.event import Booked, ExecutionCorrected, OrderFilled
from state.order import Order, Status
from state.record import Head, StoredCommand
from state.snapshot import Snapshot

PLACE: Final = Struct(">qq")

INSERT_EVENT: Final = "INSERT INTO event (seq, wall_us, type, body, hash) VALUES (?, ?, ?, ?, ?)"
INSERT_FILL: Final = (
    "INSERT INTO fill (seq, execution_id, order_id, symbol, quantity_u, price_u, fee_u,"
    " traded_us, at_us, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
CORRECT_FILL: Final = (
    "UPDATE fill SET order_id = ?, symbol = ?, quantity_u = ?, price_u = ?, fee_u = ?,"
    " traded_us = ?, revision = ? WHERE execution_id = ?"
)
INSERT_HALT: Final = (
    "INSERT OR REPLACE INTO halt (scope, since_seq, code, actor, reason) VALUES (?, ?, ?, ?, ?)"
)
DELETE_HALT: Final = "DELETE FROM halt WHERE scope = ?"
UPSERT_ORDER: Final = (
    "INSERT INTO intent (order_id, order_ref, rid, symbol, quantity_u, price_u, limit_u, source,"
    " session, created_us, status, filled_u, reported_u, value_u, fees_u, broker_oid, broker_id,"
    " reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, filled_u = excluded.filled_u,"
    " reported_u = excluded.reported_u, value_u = excluded.value_u, fees_u = excluded.fees_u,"
    " broker_oid = excluded.broker_oid, broker_id = excluded.broker_id, reason = excluded.reason"
)
UPSERT_COMMAND: Final = (
    "INSERT INTO command (rid, key, op, principal, digest, final, wall_us, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rid) DO UPDATE SET"
    " digest = excluded.digest, reply = excluded.reply, final = excluded.final"
)
INSERT_SNAPSHOT: Final = "INSERT OR REPLACE INTO snapshot (seq, hash, body) VALUES (?, ?, ?)"
PRUNE_SNAPSHOTS: Final = (
    "DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT ?)"
)
SELECT_ORDERS: Final = (
    "SELECT order_id, rid, symbol, quantity_u, status, created_us, session, price_u, limit_u,"
    " source, filled_u, reported_u, value_u, fees_u, broker_oid, broker_id, reason FROM intent"
)
SELECT_FILLS: Final = (
    "SELECT execution_id, order_id, symbol, quantity_u, price_u, fee_u, traded_us, at_us, revision"
    " FROM fill"
)
SELECT_COMMANDS: Final = (
    "SELECT rid, key, op, principal, digest, reply, final, wall_us FROM command"
)


def link(before: bytes, seq: int, wall_us: int, kind: str, body: bytes) -> bytes:
    """Return the chain hash of a record: of the one before it, its place, its time, its body."""
    return blake2b(
        b"".join((before, PLACE.pack(seq, wall_us), kind.encode(), body)), digest_size=32
    ).digest()


def seal(head: bytes, body: bytes) -> bytes:
    """Return the hash that binds a snapshot to the chain it is a fold of, and to how it folds."""
    return blake2b(b"".join((head, SHAPE, body)), digest_size=32).digest()


def fill_row(seq: int, fill: OrderFilled) -> tuple[int | str, ...]:
    """Return the row of one execution, recorded as event `seq`."""
    return (
        seq,
        fill.execution_id,
        fill.order_id,
        fill.symbol,
        micros(fill.quantity),
        micros(fill.price),
        micros(fill.fee),
        microseconds(fill.traded_at),
        microseconds(fill.at),
        fill.revision,
    )


def correction_row(told: ExecutionCorrected) -> tuple[int | str, ...]:
    """Return what a correction changes in an execution's row, and the execution it is about."""
    return (
        told.order_id,
        told.symbol,
        micros(told.quantity),
        micros(told.price),
        micros(told.fee),
        microseconds(told.traded_at),
        told.revision,
        told.execution_id,
    )


def order_row(order: Order) -> tuple[int | str | None, ...]:
    """Return the row of an order as it stands."""
    return (
        order.order_id,
        order.order_ref,
        order.rid,
        order.symbol,
        micros(order.quantity),
        micros(order.price),
        None if order.limit_price is None else micros(order.limit_price),
        order.source,
        order.session.isoformat(),
        microseconds(order.created_at),
        order.status.value,
        micros(order.filled) if order.filled else 0,  # as most are, most of the time
        micros(order.reported) if order.reported else 0,
        micros(order.value) if order.value else 0,
        micros(order.fees) if order.fees else 0,
        order.broker_oid,
        order.broker_id,
        order.reason,
    )


def command_row(command: StoredCommand) -> tuple[int | str | bytes, ...]:
    """Return the row of a command and its reply."""
    return (
        command.rid,
        command.key,
        command.op,
        command.principal,
        command.digest,
        int(command.final),
        microseconds(command.wall),
        command.reply,
    )


def saved_row(snapshot: Snapshot | None, head: Head) -> tuple[int, bytes, bytes] | None:
    """Return the row of a snapshot taken at `head`; raise ValueError when it is of elsewhere."""
    if snapshot is None:
        return None
    if snapshot.seq != head.seq:
        raise ValueError(f"a snapshot of record {snapshot.seq} can't be saved at {head.seq}")
    body = body_of(snapshot)
    return head.seq, seal(head.hash, body), body


def order_in(row: tuple[Any, ...]) -> Order:
    """Return the order in a row of `SELECT_ORDERS`."""
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
    """Return the execution in a row of `SELECT_FILLS`."""
    execution_id, order_id, symbol, quantity, price, fee, traded, at, revision = row
    return OrderFilled(
        execution_id=execution_id,
        order_id=order_id,
        symbol=symbol,
        quantity=from_micros(quantity),
        price=from_micros(price),
        fee=from_micros(fee),
        traded_at=instant(traded),
        at=instant(at),
        revision=revision,
    )


def booked_in(row: tuple[Any, ...]) -> Booked:
    """Return what a row of `SELECT_FILLS` books."""
    fill = fill_in(row)
    return Booked(
        fill.at.date(),
        fill.order_id,
        fill.symbol,
        fill.quantity,
        fill.price,
        fill.fee,
        fill.traded_at,
        fill.revision,
    )


def command_in(row: tuple[Any, ...]) -> StoredCommand:
    """Return the command in a row of `SELECT_COMMANDS`."""
    rid, key, op, principal, digest, reply, final, wall_us = row
    return StoredCommand(rid, key, op, principal, digest, reply, bool(final), instant(wall_us))
