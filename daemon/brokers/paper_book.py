"""The paper broker's file: SQLite, facts only. Cash and positions are sums of them.

Synchronous functions of a connection, one transaction a call; `paper_file` takes them to a thread.
"""

import os
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from daemon.brokers import paper_rows as rows
from daemon.brokers.paper_account import Account, Movement, Step

APPLICATION_ID: Final = 0x544D5042  # "TMPB"
VERSION: Final = 1

SCHEMA: Final = """
CREATE TABLE orders (
    broker_oid INTEGER PRIMARY KEY,
    order_ref TEXT NOT NULL UNIQUE,
    order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    quantity_u INTEGER NOT NULL,
    limit_u INTEGER,
    session TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    touched_us INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'filled', 'cancelled', 'rejected')),
    filled_u INTEGER NOT NULL CHECK (filled_u BETWEEN 0 AND abs(quantity_u)),
    value_u INTEGER NOT NULL,
    fees_u INTEGER NOT NULL,
    executions INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX orders_open ON orders (broker_oid) WHERE status = 'open';
CREATE INDEX orders_session ON orders (session);
CREATE INDEX orders_touched ON orders (touched_us);
CREATE TABLE executions (
    broker_oid INTEGER NOT NULL REFERENCES orders,
    n INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    quantity_u INTEGER NOT NULL CHECK (quantity_u != 0),
    price_u INTEGER NOT NULL,
    amount_u INTEGER NOT NULL,
    fee_u INTEGER NOT NULL,
    traded_us INTEGER NOT NULL,
    booked_us INTEGER NOT NULL,
    execution_id TEXT GENERATED ALWAYS AS ('P' || broker_oid || '.' || n) VIRTUAL,
    PRIMARY KEY (broker_oid, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX executions_booked ON executions (booked_us);
CREATE TABLE cash_moves (
    ref TEXT PRIMARY KEY,
    amount_u INTEGER NOT NULL,
    wall_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE refusals (
    n INTEGER PRIMARY KEY,
    order_ref TEXT NOT NULL,
    broker_oid INTEGER,
    reason TEXT NOT NULL,
    wall_us INTEGER NOT NULL
) STRICT;
CREATE VIEW positions AS
    SELECT symbol, sum(quantity_u) AS quantity_u FROM executions GROUP BY symbol;
CREATE VIEW cash AS
    SELECT (SELECT coalesce(sum(amount_u), 0) FROM cash_moves)
         - (SELECT coalesce(sum(amount_u + fee_u), 0) FROM executions) AS cash_u;
"""
CONTRADICTION: Final = """
SELECT o.order_ref, o.filled_u, coalesce(sum(abs(e.quantity_u)), 0) AS traded_u
FROM orders o LEFT JOIN executions e USING (broker_oid)
GROUP BY o.broker_oid HAVING o.filled_u != traded_u OR o.executions != count(e.n)
LIMIT 1
"""


class BookRefused(Exception):
    """The file is not one this program may use: foreign, newer, or damaged. A human must look."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; keep the file and look at it before starting again")
        self.path, self.why = path, why


class BookFull(Exception):
    """The disk has no room; nothing of the step was written."""


class BookInDoubt(Exception):
    """The commit failed and nobody can say whether the step is on disk; a restart finds out."""


def opened(path: Path, initial: Movement, wall: datetime) -> tuple[sqlite3.Connection, Account]:
    """Open the file, or make it with `initial` cash; return it with the account it amounts to."""
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (
            "busy_timeout = 2000",
            "synchronous = FULL",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if empty(connection, path):
            make(connection, path, initial, wall)
        return connection, loaded(connection, path)
    except sqlite3.DatabaseError as e:
        connection.close()
        raise BookRefused(path, f"cannot be read as a paper book: {e}") from e
    except BaseException:
        connection.close()
        raise


def empty(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is still empty; refuse one that is not ours."""
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (identity, version, tables) == (0, 0, 0):
        return True
    if identity != APPLICATION_ID:
        raise BookRefused(path, f"not a paper book (application_id {identity:#x})")
    if version != VERSION:
        raise BookRefused(path, f"written by another version ({version}; this one knows {VERSION})")
    return False


def make(connection: sqlite3.Connection, path: Path, initial: Movement, wall: datetime) -> None:
    """Make the tables and book the first cash, all or none."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise BookRefused(path, f"this file system gives journal_mode={mode}, and it must be wal")

    def first(connection: sqlite3.Connection) -> Step:
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        return Step(Account(), moves=[initial])

    transact(connection, first, wall)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the file's name has to survive a power cut too
    finally:
        os.close(folder)


def loaded(connection: sqlite3.Connection, path: Path) -> Account:
    """Return the account the file's facts amount to; refuses a file that contradicts itself."""
    (health,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if health != "ok":
        raise BookRefused(path, f"damaged: {health}")
    for ref, filled, traded in connection.execute(CONTRADICTION):
        raise BookRefused(
            path,
            f"order {ref} says {rows.exact(filled)} filled, its executions {rows.exact(traded)}",
        )
    (cash,) = connection.execute("SELECT cash_u FROM cash").fetchone()
    (highest,) = connection.execute("SELECT coalesce(max(broker_oid), 0) FROM orders").fetchone()
    held = connection.execute("SELECT symbol, quantity_u FROM positions")
    return Account(
        cash=rows.exact(cash),
        positions={symbol: rows.exact(quantity) for symbol, quantity in held},
        open={o.order_ref: o for o in rows.orders(connection, "status = 'open'")},
        next_oid=highest + 1,
    )


def transact(
    connection: sqlite3.Connection, decide: Callable[[sqlite3.Connection], Step], wall: datetime
) -> Step:
    """Write what `decide` makes of the file, in one transaction, and return it.

    Raises BookFull after a clean roll-back, and BookInDoubt when the commit itself failed.
    """
    committing = False
    connection.execute("BEGIN IMMEDIATE")
    try:
        step = decide(connection)
        if not step.empty:
            rows.written(connection, step, wall)
        committing = True
        connection.execute("COMMIT")
    except BaseException as e:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(e, sqlite3.Error) and e.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise BookFull(str(e)) from e
        if committing:
            raise BookInDoubt(str(e)) from e
        raise
    return step
