"""Start, reconnect and the every-minute check are one path: ask the broker, book, compare."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Final

from daemon.engine import Engine
from daemon.seams import Broker, BrokerBook, BrokerOrder, BrokerUnavailable, Clock, Store
from state.command import RecordReconciliation, RecordStatus, ReportKind
from state.event import Difference
from state.history import untold
from state.instrument import ZERO
from state.order import IN_DOUBT, Order, OrderId, Status
from state.snapshot import Snapshot

LOOK_BACK: Final = timedelta(days=10)
TRIES: Final = 10
DOUBTFUL: Final = frozenset({*IN_DOUBT, Status.PENDING_CANCEL})
KINDS: Final = {
    "open": ReportKind.ACCEPTED,
    "filled": ReportKind.ACCEPTED,
    "cancelled": ReportKind.CANCELLED,
    "rejected": ReportKind.REJECTED,
}

log = logging.getLogger(__name__)


async def tell_again(store: Store, broker: Broker) -> None:
    """Tell the broker of all cash it may not have heard of; before anybody compares the books."""
    for ref, signed in (await store.read(untold)).items():
        broker.move_cash(ref, signed)  # the same movement twice is once


async def recover(engine: Engine, broker: Broker, clock: Clock, settle: float) -> int:
    """Compare everything before anything is sent; return where fresh broker order ids begin.

    `settle` seconds must exceed the longest time a byte already written can take to arrive. Raises
    BrokerUnavailable when the broker does not answer: that is never read as "flat".
    """
    await engine.tell(RecordReconciliation(started=True))
    await resolve(engine, broker, clock, settle)
    for order in engine.snapshot.open_orders:
        if order.status is Status.PENDING_CANCEL:
            broker.cancel(order)  # the first time may have been lost with the run that asked
    await compare(engine, broker)
    return await broker.next_oid()


async def resolve(engine: Engine, broker: Broker, clock: Clock, settle: float) -> None:
    """Find out what became of every order in doubt; unseen at two looks, it was never placed."""
    doubtful = in_doubt(engine.snapshot)
    seen = known_orders(await look(engine, broker))
    unseen = [order for order in doubtful if order.order_ref not in seen]
    if not unseen:
        return
    await clock.sleep(settle)
    seen = known_orders(await look(engine, broker))
    for order in unseen:
        now = engine.snapshot.orders.get(order.order_id)
        if order.order_ref not in seen and now is not None and now.status in DOUBTFUL:
            report = RecordStatus(order.order_id, ReportKind.NOT_SEEN, reason="unseen at two looks")
            await engine.tell(report)


def in_doubt(now: Snapshot) -> tuple[Order, ...]:
    """Return the orders of which only the broker can say where they are."""
    return tuple(order for order in now.orders.values() if order.status in DOUBTFUL)


def known_orders(book: BrokerBook) -> frozenset[str]:
    """Return the references of all orders that the broker shows any trace of."""
    executed = {f"TM1.{fill.order_id}" for fill in book.executions}
    return frozenset({order.order_ref for order in book.orders} | executed)


async def look(engine: Engine, broker: Broker) -> BrokerBook:
    """Read the broker's whole book and let everything in it enter by the same door."""
    now = engine.snapshot
    since = now.closed_at or now.at
    book = await broker.book(since - LOOK_BACK if since else None)
    for fill in book.executions:
        booked = now.executions.get(fill.execution_id)
        if booked is None or booked.revision < fill.revision:
            engine.report(fill)
    for told in book.orders:
        order_id = told.order_ref.removeprefix("TM1.")
        if order_id in now.orders:
            engine.report(status_of(order_id, told))
        if told.status == "open" and not (
            is_open(now, order_id) or is_open(engine.snapshot, order_id)  # sent while we looked
        ):
            zombie(broker, order_id, told, now)
    await engine.tell(RecordReconciliation(looked=True))
    return book


def status_of(order_id: OrderId, told: BrokerOrder) -> RecordStatus:
    """Return what the broker's list says of one of our orders."""
    return RecordStatus(order_id, KINDS[told.status], told.broker_id, told.filled, told.reason)


def is_open(now: Snapshot, order_id: OrderId) -> bool:
    """Return whether an order is known, and not final."""
    order = now.orders.get(order_id)
    return order is not None and order.open


def zombie(broker: Broker, order_id: OrderId, told: BrokerOrder, now: Snapshot) -> None:
    """Ask back an order of ours that should not be at the broker at all."""
    log.critical("zombie_order", extra={"order_id": order_id, "broker_oid": told.broker_oid})
    if now.at is None:
        return
    broker.cancel(
        Order(
            order_id=order_id,
            rid=order_id.partition(".")[0],
            symbol=told.symbol,
            quantity=told.quantity,
            status=Status.LIVE,
            created_at=now.at,
            session=now.at.date(),
            price=ZERO,
            broker_oid=told.broker_oid,
            broker_id=told.broker_id,
        )
    )


async def compare(engine: Engine, broker: Broker) -> tuple[Difference, ...]:
    """Compare positions and cash, journal the outcome, and return the differences."""
    found, cash = await look_for_differences(engine, broker)
    await engine.tell(RecordReconciliation(found, broker_cash=cash))
    return found


async def look_for_differences(
    engine: Engine, broker: Broker
) -> tuple[tuple[Difference, ...], Decimal]:
    """Return where the books disagree, and the broker's cash.

    Executions may come while we look: the books are compared only when neither side has one that
    the other lacks. Raises BrokerUnavailable.
    """
    missing: list[str] = []
    for _ in range(TRIES):
        before = engine.snapshot
        book = await look(engine, broker)
        now = engine.snapshot
        late = [v for ref, v in now.cash_moves.items() if ref not in before.cash_moves]
        theirs = {fill.execution_id for fill in book.executions}
        since = now.closed_at.date() - LOOK_BACK if now.closed_at else None
        missing = [
            execution
            for execution, booked in now.executions.items()
            if execution not in theirs and (since is None or booked.session > since)
        ]
        if not missing:
            return differences(now, book, late), book.cash
    raise BrokerUnavailable(
        f"after {TRIES} looks the broker still lacks executions we booked: {missing[:3]}"
    )


def differences(
    now: Snapshot, book: BrokerBook, late: Sequence[Decimal] = ()
) -> tuple[Difference, ...]:
    """Return where the books disagree, to the micro; before the first funding cash can't.

    `late` is the cash that was moved while the broker was asked, oldest first: its answer may know
    of none, some or all of it.
    """
    found = []
    held = {s: p.quantity for s, p in now.ledger.positions.items() if p.quantity}
    for symbol in sorted({*held, *(s for s, q in book.positions.items() if q)}):
        ours, theirs = held.get(symbol, ZERO), book.positions.get(symbol, ZERO)
        if ours != theirs:
            found.append(Difference(symbol, ours, theirs))
    cash: Decimal = now.ledger.cash
    at_some_time = {cash, *(cash - moved for moved in accumulate(reversed(late)))}
    if now.funded and book.cash not in at_some_time:
        found.append(Difference("cash", cash, book.cash))
    return tuple(found)
