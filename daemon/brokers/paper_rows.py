"""The rows of the paper broker's file, in and out.

Money and quantities are integer micros, times microseconds since 1970, sessions ISO dates.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from sqlite3 import Connection
from typing import Any, Final

from msgspec import json

from daemon.brokers.paper_account import Execution, Known, PaperOrder, Step
from daemon.seams import BrokerOrder
from state.command import RecordFill
from state.instrument import EXACT, LARGEST, AmountOutOfRange

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
LONGEST_WAIT: Final = timedelta(days=14)  # from an order's session to the next session's prices
ORDER_COLUMNS: Final = (
    "broker_oid, order_ref, order_id, symbol, quantity_u, limit_u, session, created_us, touched_us,"
    " status, filled_u, value_u, fees_u, executions, reason"
)
WRITE_ORDER: Final = """
INSERT INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (broker_oid) DO UPDATE SET touched_us = excluded.touched_us, status = excluded.status,
    filled_u = excluded.filled_u, value_u = excluded.value_u, fees_u = excluded.fees_u,
    executions = excluded.executions, reason = excluded.reason
"""
INSERT: Final = {
    "executions": "INSERT INTO executions VALUES (?,?,?,?,?,?,?,?,?)",
    "cash_moves": "INSERT INTO cash_moves VALUES (?,?,?)",
    "refusals": "INSERT INTO refusals (order_ref, broker_oid, reason, wall_us) VALUES (?,?,?,?)",
}


def micros(value: Decimal) -> int:
    """Return money or a quantity as integer micros; raises AmountOutOfRange, never rounds."""
    scaled = EXACT.scaleb(value, 6)
    whole = int(scaled)
    if whole != scaled or abs(value) > LARGEST:
        raise AmountOutOfRange(value)
    return whole


def exact(value_u: int) -> Decimal:
    """Return the exact decimal of integer micros."""
    return EXACT.scaleb(Decimal(value_u), -6)


def microseconds(at: datetime) -> int:
    """Return a UTC time as microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def moment(at_us: int) -> datetime:
    """Return the UTC time of microseconds since 1970."""
    return EPOCH + at_us * MICROSECOND


def written(connection: Connection, step: Step, wall: datetime) -> None:
    """Write the rows of a step."""
    wall_us = microseconds(wall)
    connection.executemany(WRITE_ORDER, map(order_row, step.orders))
    for table, rows in (
        ("executions", map(execution_row, step.executions)),
        ("cash_moves", ((move.ref, micros(move.signed), wall_us) for move in step.moves)),
        ("refusals", ((r.order_ref, r.broker_oid, r.reason, wall_us) for r in step.refusals)),
    ):
        connection.executemany(INSERT[table], rows)


def order_row(order: PaperOrder) -> tuple[Any, ...]:
    """Return an order as a row of `ORDER_COLUMNS`."""
    return (
        order.broker_oid,
        order.order_ref,
        order.order_id,
        order.symbol,
        micros(order.quantity),
        None if order.limit_price is None else micros(order.limit_price),
        order.session.isoformat(),
        microseconds(order.created_at),
        microseconds(order.touched),
        order.status,
        micros(order.filled),
        micros(order.value),
        micros(order.fees),
        order.executions,
        order.reason,
    )


def execution_row(execution: Execution) -> tuple[Any, ...]:
    """Return an execution as a row of its table."""
    fill = execution.fill
    return (
        execution.broker_oid,
        execution.n,
        fill.symbol,
        micros(fill.quantity),
        micros(fill.price),
        micros(execution.amount),
        micros(fill.fee),
        microseconds(fill.at),
        microseconds(execution.booked_at),
    )


def orders(
    connection: Connection, where: str, parameters: Sequence[object] = ()
) -> list[PaperOrder]:
    """Return the orders of a condition, oldest first."""
    rows = connection.execute(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE {where} ORDER BY broker_oid",  # noqa: S608
        parameters,
    )
    return [
        PaperOrder(
            oid,
            ref,
            order_id,
            symbol,
            exact(quantity),
            None if limit is None else exact(limit),
            date.fromisoformat(session),
            moment(created),
            moment(touched),
            status,
            exact(filled),
            exact(value),
            exact(fees),
            executions,
            reason,
        )
        for (
            oid,
            ref,
            order_id,
            symbol,
            quantity,
            limit,
            session,
            created,
            touched,
            status,
            filled,
            value,
            fees,
            executions,
            reason,
        ) in rows
    ]


def known(connection: Connection, refs: Sequence[str], moves: Sequence[str]) -> Known:
    """Return what the file remembers of order references and of cash movements."""
    named, moved = (json.encode(names).decode() for names in (refs, moves))
    completed = orders(connection, "order_ref IN (SELECT value FROM json_each(?))", (named,))
    done = connection.execute(
        "SELECT ref FROM cash_moves WHERE ref IN (SELECT value FROM json_each(?))", (moved,)
    )
    return Known({o.order_ref: o for o in completed}, frozenset(ref for (ref,) in done))


def history(
    connection: Connection, since: datetime | None
) -> tuple[tuple[BrokerOrder, ...], tuple[RecordFill, ...]]:
    """Return each order that is open or may have changed since (None: ever), and executions since.

    Rather an order too many than one too few: an order can outlast its session until prices of a
    later one arrive, and be cancelled before the broker has seen any price.
    """
    since_us, session = -(2**63), ""
    if since is not None:
        since_us, session = microseconds(since), (since - LONGEST_WAIT).date().isoformat()
    found = orders(
        connection, "status = 'open' OR session >= ? OR touched_us >= ?", (session, since_us)
    )
    rows = connection.execute(
        "SELECT execution_id, order_id, e.symbol, e.quantity_u, price_u, fee_u, traded_us"
        " FROM executions e JOIN orders USING (broker_oid) WHERE booked_us >= ?"
        " ORDER BY booked_us, broker_oid, n",
        (since_us,),
    )
    return (
        tuple(
            BrokerOrder(
                o.order_ref,
                o.broker_oid,
                o.broker_id,
                o.symbol,
                o.quantity,
                o.filled,
                o.status,
                o.reason,
            )
            for o in found
        ),
        tuple(
            RecordFill(
                execution, order_id, symbol, exact(quantity), exact(price), exact(fee), moment(at)
            )
            for execution, order_id, symbol, quantity, price, fee, at in rows
        ),
    )
