"""Stories that could have happened, told in events, and journals that remember them."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

from hypothesis import strategies as st

from state.apply import apply, replay
from state.canonical import body_of
from state.chain import append
from state.checkpoint import checkpoint
from state.event import (
    BarsClosed,
    CashMoved,
    CommandFinished,
    Event,
    Halted,
    OrderAccepted,
    OrderCancelled,
    OrderClaimed,
    OrderFilled,
    OrderSubmitted,
    Resumed,
)
from state.journal import GENESIS, Database, connect
from state.order import Order, Status, order_id, request_id
from state.quote import Bar
from state.record import Batch, Head, StoredCommand
from state.snapshot import Snapshot

MONDAY = date(2025, 3, 3)
CLOSE = datetime(2025, 3, 3, 21, tzinfo=UTC)
WALL = datetime(2026, 1, 5, 12, tzinfo=UTC)

DRILL = Halted("account", "drill", "MANUAL", "ann", CLOSE)


def deposited(now: Snapshot, n: int) -> Event | None:
    return CashMoved("deposit", D(n + 1), "pay day", CLOSE)


def closed(now: Snapshot, n: int) -> Event | None:
    bars = (Bar("KO", D(n + 40)), Bar("PG", D(n + 90)))
    marked = {bar.symbol: bar.close for bar in bars}
    equity = now.ledger.cash + sum(
        held.quantity * marked[symbol] for symbol, held in now.ledger.positions.items()
    )
    day = timedelta(days=now.bars)
    weights = {"PG": n / 100, "KO": 0.5} if n % 2 else None
    return BarsClosed(
        CLOSE + day, MONDAY + day, bars, equity, now.ledger.cash, n / 10, 0.0, weights
    )


def submitted(now: Snapshot, n: int) -> Event | None:
    rid = request_id(f"key {now.seq}")
    quantity = D(n + 1) if n % 3 else -D(n + 1)
    symbol = "KO" if n % 2 else "PG"
    return OrderSubmitted(
        order_id(rid, 0), rid, symbol, quantity, D(50), None, "manual", MONDAY, CLOSE
    )


def first(now: Snapshot, *statuses: Status) -> Order | None:
    return next((o for o in now.orders.values() if o.status in statuses), None)


def claimed(now: Snapshot, n: int) -> Event | None:
    order = first(now, Status.PENDING)
    return order and OrderClaimed(order.order_id, now.next_oid, CLOSE)


def accepted(now: Snapshot, n: int) -> Event | None:
    order = first(now, Status.SENDING)
    return order and OrderAccepted(order.order_id, f"B{n}", D(0), CLOSE)


def filled(now: Snapshot, n: int) -> Event | None:
    order = first(now, Status.LIVE, Status.SENDING)
    if order is None:
        return None
    most = abs(order.quantity) - order.filled
    size = min(most, D(n + 1) / 2).copy_sign(order.quantity)
    return OrderFilled(
        f"x{now.seq}", order.order_id, order.symbol, size, D(n + 40), D("0.01"), CLOSE, CLOSE
    )


def cancelled(now: Snapshot, n: int) -> Event | None:
    order = first(now, Status.LIVE, Status.SENDING)
    return order and OrderCancelled(order.order_id, order.filled, "day over", CLOSE)


def finished(now: Snapshot, n: int) -> Event | None:
    for rid, ids in now.commands.items():
        orders = tuple(now.orders[one] for one in ids)
        if not any(order.working or order.open for order in orders):
            return CommandFinished(rid, orders, CLOSE)
    return None


def halted(now: Snapshot, n: int) -> Event | None:
    scope = "account" if n % 2 else "symbol:KO"
    return Halted(scope, "drill", "MANUAL", "ann", CLOSE) if scope not in now.halts else None


def resumed(now: Snapshot, n: int) -> Event | None:
    scope = next(iter(now.halts), None)
    return scope and Resumed(scope, "drill over", "ann", CLOSE)


TURNS = (
    deposited,
    closed,
    submitted,
    claimed,
    accepted,
    filled,
    cancelled,
    finished,
    halted,
    resumed,
)
turns = st.lists(st.tuples(st.sampled_from(TURNS), st.integers(0, 50)), max_size=40)


def told(steps: Iterable[tuple], now: Snapshot | None = None) -> list[Event]:
    """Return the events of a story, leaving out the turns that could not happen then."""
    now = now or Snapshot()
    events = []
    for turn, n in steps:
        if event := turn(now, n):
            events.append(event)
            now = apply(now, event)
    return events


stories = turns.map(told)

# One of each turn and more, in an order in which every one can happen.
LONG = told(
    [
        (closed, 10),
        (deposited, 50),
        *[(turn, n) for n in range(12) for turn in TURNS],
        (submitted, 7),
        (halted, 1),
    ]
)


def touched(now: Snapshot, events: Iterable[Event]) -> list[Order]:
    """Return the orders that `events` changed, as they stand at `now`."""
    found = {}
    for event in events:
        if isinstance(event, CommandFinished):
            found.update({order.order_id: order for order in event.orders})
        elif order := now.orders.get(getattr(event, "order_id", "")):
            found[order.order_id] = order
    return list(found.values())


def write(
    db: Database,
    head: Head,
    now: Snapshot,
    events: Sequence[Event],
    *,
    save: bool = False,
    commands: Sequence[StoredCommand] = (),
) -> tuple[Head, Snapshot]:
    """Journal `events` as one batch, with what follows from them, as the engine does."""
    now = replay(now, events)
    batch = Batch(events, WALL, touched(now, events), commands, now if save else None)
    return append(db, batch, head), now


def long_journal(path: Path) -> tuple[Snapshot, Head]:
    """Write the long story to a file in batches of three, with two snapshots; return its end."""
    db = connect(path)
    head, now = GENESIS, Snapshot()
    for at in range(0, len(LONG), 3):
        head, now = write(db, head, now, LONG[at : at + 3], save=at in {30, 60})
    checkpoint(db, "TRUNCATE")
    db.close()
    return now, head


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots are equal, the order of their mappings included."""
    return one == other and body_of(one) == body_of(other)


def command(key: str = "key", *, final: bool = True, reply: bytes = b"{}", digest: str = "d"):
    """Return a stored command."""
    return StoredCommand(request_id(key), key, "order", "ann", digest, reply, final, WALL)


ORDER = OrderSubmitted("R.0", "R", "KO", D(10), D(50), None, "manual", MONDAY, CLOSE)
CLAIM = OrderClaimed("R.0", 1, CLOSE)
FILL = OrderFilled("x1", "R.0", "KO", D(10), D(50), D("0.01"), CLOSE, CLOSE)


def raw(path) -> sqlite3.Connection:
    """A connection that may do anything, as an intruder's or a careless operator's."""
    return sqlite3.connect(path, isolation_level=None)
