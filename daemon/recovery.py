"""Start, reconnect and the every-minute check are one path: ask the broker, book, compare."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Final

from daemon.engine import Engine
from daemon.message import Answer
from daemon.seams import Broker, BrokerBook, BrokerOrder, BrokerUnavailable, Clock, Store
from state.command import Cause, RecordOpenOrder, RecordReconciliation, RecordStatus, ReportKind
from state.event import Difference
from state.history import untold
from state.instrument import ZERO
from state.order import EXTERNAL, OURS, Order, OrderId, Status
from state.snapshot import Snapshot

LOOK_BACK: Final = timedelta(days=10)
TRIES: Final = 10
LAGS: Final = 3  # looks at a broker whose holdings run ahead of its executions
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
    await check(engine, broker, clock, settle)
    return await broker.next_oid()


async def check(
    engine: Engine, broker: Broker, clock: Clock, settle: float, owing: Sequence[OrderId] = ()
) -> tuple[Difference, ...]:
    """Find out what became of every order, compare the books, and return the differences.

    `owing` are the orders that owed executions when the books agreed before.
    """
    await resolve(engine, broker, clock, settle)
    for order in engine.snapshot.open_orders:
        if order.status is Status.PENDING_CANCEL:
            broker.cancel(order)  # the first time may have been lost, on the way or with a run
    return await compare(engine, broker, clock, settle, owing)


async def resolve(engine: Engine, broker: Broker, clock: Clock, settle: float) -> None:
    """Find out what became of every order that may be at the broker.

    Unseen at two looks it is not there: what was never accepted was never placed, and what was
    accepted will trade no more. Executions that we missed show as a difference.
    """
    out = [order for order in engine.snapshot.open_orders if order.status is not Status.PENDING]
    seen = known_orders(await look(engine, broker))
    unseen = [order for order in out if order.order_id not in seen]
    if not unseen:
        return
    await clock.sleep(settle)
    seen = known_orders(await look(engine, broker))
    for order in unseen:
        now = engine.snapshot.orders.get(order.order_id)
        if order.order_id in seen or now is None or now.status is not order.status:
            continue
        gone, why = ReportKind.NOT_SEEN, "unseen at two looks"
        if now.broker_id is not None or now.filled or now.status is Status.LIVE:
            gone, why = ReportKind.CANCELLED, "the broker has it no longer"
        await engine.tell(RecordStatus(order.order_id, gone, reason=why))


def known_orders(book: BrokerBook) -> frozenset[OrderId]:
    """Return the ids of all orders whose state the broker tells."""
    return frozenset(order.order_id for order in book.orders)


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
        if told.order_id in now.orders:
            engine.report(status_of(told))
        if told.status == "open" and not (
            is_open(now, told.order_id) or is_open(engine.snapshot, told.order_id)  # sent meanwhile
        ):
            log.critical("unknown_open_order", extra={"order": repr(told)})
            engine.report(RecordOpenOrder(found(told, now)))
    await engine.tell(RecordReconciliation(looked=True))
    return book


def status_of(told: BrokerOrder) -> RecordStatus:
    """Return what the broker's list says of one of our orders."""
    return RecordStatus(
        told.order_id, KINDS[told.status], told.broker_id or None, told.filled, told.reason
    )


def is_open(now: Snapshot, order_id: OrderId) -> bool:
    """Return whether an order is known, and not final."""
    order = now.orders.get(order_id)
    return order is not None and order.open


def found(told: BrokerOrder, now: Snapshot) -> Order:
    """Return an order as far as the broker's list tells it."""
    if now.at is None:
        raise ValueError("nothing was ever started, so there is no time to date an order by")
    price = told.limit_price or now.price(told.symbol) or ZERO
    ours = told.order_ref.startswith(OURS)
    return Order(
        order_id=told.order_id,
        rid=told.order_id.partition(".")[0],
        symbol=told.symbol,
        quantity=told.quantity,
        status=Status.LIVE,
        created_at=now.at,
        session=now.session or now.at.date(),
        price=price,
        limit_price=told.limit_price,
        source="zombie" if ours else EXTERNAL,
        reported=told.filled,
        broker_id=told.broker_id or None,
    )


async def compare(
    engine: Engine,
    broker: Broker,
    clock: Clock | None = None,
    settle: float = 0.0,
    owing: Sequence[OrderId] = (),
) -> tuple[Difference, ...]:
    """Compare positions and cash, journal the outcome, and return what is left unexplained.

    Holdings that run ahead of the executions they come from are given `settle` seconds, some times.
    Raises BrokerUnavailable, also for books that never stand still.
    """
    answer = await decided(engine, lambda: comparison(engine, broker, clock, settle, owing))
    if (changed := answer.undecided) is not None:
        why = f"the books changed during each of {TRIES} comparisons: {changed.message}"
        raise BrokerUnavailable(why)
    return engine.snapshot.differences


async def decided(
    engine: Engine,
    compare: Callable[[], Awaitable[RecordReconciliation]],
    cause: Cause | None = None,
) -> Answer:
    """Return what a comparison caused; of books that change before that another one is made.

    The last of `TRIES` may be `undecided`.
    """
    for _ in range(TRIES - 1):
        answer = await engine.tell(await compare(), cause)
        if answer.undecided is None:
            return answer
    return await engine.tell(await compare(), cause)


async def comparison(
    engine: Engine,
    broker: Broker,
    clock: Clock | None,
    settle: float,
    owing: Sequence[OrderId],
) -> RecordReconciliation:
    """Return how the books compare. Raises BrokerUnavailable."""
    found, opening = await look_for_differences(engine, broker)
    for _ in range(LAGS):
        if not (found and clock and under_way(engine.snapshot, found)):
            break
        await clock.sleep(settle)
        found, opening = await look_for_differences(engine, broker)
    settled = tuple(order.order_id for order in engine.snapshot.orders.values()
                    if order.owed and order.order_id in owing)  # fmt: skip
    return RecordReconciliation(found, opening=opening, settled=settled)


def under_way(now: Snapshot, found: Sequence[Difference]) -> bool:
    """Return whether executions still to come of known orders could be all of the differences."""
    held = [difference for difference in found if difference.subject != "cash"]
    for difference in held:
        buying, selling = now.working(difference.subject)
        if not -selling <= difference.broker - difference.ours <= buying:
            return False
    return bool(held)


async def look_for_differences(
    engine: Engine, broker: Broker
) -> tuple[tuple[Difference, ...], Decimal | None]:
    """Return where the books disagree, and what the account began with as long as nobody knows.

    Executions may come while we look: the books are compared only when neither side has one that
    the other lacks. Raises BrokerUnavailable.
    """
    missing: list[str] = []
    for _ in range(TRIES):
        before = engine.snapshot
        book = await look(engine, broker)
        now = engine.snapshot
        late = [v for ref, v in now.cash_moves.items() if ref not in before.cash_moves]
        missing = unmatched(now, book)
        if not missing:
            opening = book.cash - now.ledger.cash  # of executions alone, till it is known
            return differences(now, book, late), None if now.funded else opening
    raise BrokerUnavailable(
        f"after {TRIES} looks the broker still lacks executions we booked: {missing[:3]}"
    )


def unmatched(now: Snapshot, book: BrokerBook) -> list[str]:
    """Return the executions we booked lately that the broker should show, and does not."""
    theirs = {fill.execution_id: fill.revision for fill in book.executions}
    since = now.closed_at.date() - LOOK_BACK if now.closed_at else None
    return [
        execution
        for execution, booked in now.executions.items()
        if theirs.get(execution, -1) < booked.revision
        and (since is None or booked.session > since)
        and (book.executions_from is None or booked.traded_at >= book.executions_from)
    ]


def differences(
    now: Snapshot, book: BrokerBook, late: Sequence[Decimal] = ()
) -> tuple[Difference, ...]:
    """Return where the books disagree, to the micro; before the first funding cash can't.

    Cash only as exactly as the broker knows it.

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
    least, most = book.cash_between or (book.cash, book.cash)
    if now.funded and not any(least <= then <= most for then in at_some_time):
        found.append(Difference("cash", cash, book.cash))
    return tuple(found)
