"""The journal's tables, and the ladder that lifts an older file to them.

All amounts are integers of micros, all times integers of microseconds since 1970, UTC. `event` is
the truth; the other tables follow from it in the same transaction, except `command`, which holds
the replies. A step of the ladder is never edited once released: the next one is added.
"""

from typing import Final

APPLICATION_ID: Final = 0x544D4A31  # "TMJ1"

Step = tuple[str, ...]

FIRST: Final[Step] = (
    """CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        wall_us INTEGER NOT NULL,
        type TEXT NOT NULL,
        body BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE command (
        rid TEXT PRIMARY KEY NOT NULL,
        key TEXT NOT NULL,
        op TEXT NOT NULL,
        principal TEXT NOT NULL,
        digest TEXT NOT NULL,
        final INTEGER NOT NULL CHECK (final IN (0, 1)),
        wall_us INTEGER NOT NULL,
        reply BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX command_unfinished ON command (rid) WHERE final = 0",
    """CREATE TABLE intent (
        number INTEGER PRIMARY KEY,
        order_id TEXT NOT NULL UNIQUE,
        order_ref TEXT NOT NULL UNIQUE,
        rid TEXT NOT NULL,
        symbol TEXT NOT NULL,
        quantity_u INTEGER NOT NULL CHECK (quantity_u != 0),
        price_u INTEGER NOT NULL,
        limit_u INTEGER,
        source TEXT NOT NULL,
        session TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        status TEXT NOT NULL,
        filled_u INTEGER NOT NULL CHECK (filled_u >= 0),
        reported_u INTEGER NOT NULL CHECK (reported_u >= 0),
        value_u INTEGER NOT NULL,
        fees_u INTEGER NOT NULL,
        broker_oid INTEGER UNIQUE,
        broker_id TEXT,
        reason TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE fill (
        seq INTEGER PRIMARY KEY,
        execution_id TEXT NOT NULL UNIQUE,
        order_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        quantity_u INTEGER NOT NULL,
        price_u INTEGER NOT NULL,
        fee_u INTEGER NOT NULL,
        traded_us INTEGER NOT NULL,
        at_us INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE halt (
        scope TEXT PRIMARY KEY NOT NULL,
        since_seq INTEGER NOT NULL,
        code TEXT NOT NULL,
        actor TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE snapshot (
        seq INTEGER PRIMARY KEY,
        hash BLOB NOT NULL,
        body BLOB NOT NULL
    ) STRICT""",
    # What must never happen, refused by the file itself, whoever asks.
    """CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END""",
    """CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END""",
    """CREATE TRIGGER reply_is_final BEFORE UPDATE ON command
    WHEN OLD.final = 1 OR OLD.digest != NEW.digest
    BEGIN SELECT RAISE(ABORT, 'a final reply, or the arguments behind it, never change'); END""",
    """CREATE TRIGGER broker_oid_is_spent BEFORE UPDATE ON intent
    WHEN OLD.broker_oid IS NOT NULL AND NEW.broker_oid IS NOT OLD.broker_oid
    BEGIN SELECT RAISE(ABORT, 'an order is sent under one broker order id'); END""",
)

SECOND: Final[Step] = ("ALTER TABLE fill ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",)

# A final reply may lose its data, once, with age; the key it stands for is never forgotten.
THIRD: Final[Step] = (
    "ALTER TABLE command ADD COLUMN short INTEGER NOT NULL DEFAULT 0 CHECK (short IN (0, 1))",
    "CREATE INDEX command_long ON command (wall_us) WHERE final = 1 AND short = 0",
    "DROP TRIGGER reply_is_final",
    """CREATE TRIGGER reply_is_final BEFORE UPDATE ON command
    WHEN OLD.digest != NEW.digest OR (OLD.final = 1 AND (OLD.short = 1 OR NEW.short = 0))
    BEGIN SELECT RAISE(ABORT, 'a final reply, or the arguments behind it, never change'); END""",
    """CREATE TRIGGER key_is_never_forgotten BEFORE DELETE ON command
    BEGIN SELECT RAISE(ABORT, 'a key is never forgotten'); END""",
)

LADDER: Final[tuple[Step, ...]] = (FIRST, SECOND, THIRD)
VERSION: Final = len(LADDER)
