"""What a decision was made by, computed again: the state before it, from the journal alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from state.apply import apply
from state.book import book_of, fraction
from state.canonical import event_in, snapshot_in
from state.case import Case, Proposed
from state.chain import saved_snapshots
from state.event import OrderDenied, OrderSubmitted
from state.goal import goals
from state.instrument import Symbol, amount, ratio
from state.journal import Database
from state.measures import BY_LIMIT_PRICE, Weighed, measured
from state.moment import Moment
from state.rebalance import propose, unplannable
from state.risk import GUARDS, check
from state.rows import seal
from state.snapshot import Snapshot

MOST: Final = 100_000  # records applied again to answer one question: some seconds of a thread
AFTER: Final = "SELECT body FROM event WHERE seq > ? AND seq <= ? ORDER BY seq"
HASH: Final = "SELECT hash FROM event WHERE seq = ?"


class Almanac(msgspec.Struct, frozen=True):
    """What the journal does not hold: the market's calendar, and when rebalances are due.

    moment   the moment of a time on the market clock
    session  whether a day is one of the market's
    due      whether a rebalance is due by a session's close; None where nothing is done by the
             clock. It is by the configuration of now
    every    that configuration: 1d, 1w or 1mo
    """

    moment: Callable[[datetime], Moment]
    session: Callable[[date], bool]
    due: Callable[[date], bool] | None = None
    every: str = ""


class Apart(msgspec.Struct, frozen=True):
    """How far a holding was from its target, and what was made of that.

    Weights, target, distance and band are fractions of equity; the holding is with its open orders.
    """

    symbol: Symbol
    weight: float
    target: float
    distance: float
    band: float
    said: str


def states(db: Database, seqs: Iterable[int]) -> Iterator[Snapshot | None]:
    """Yield all that was known after each of `seqs`, which rise; None where that is too far back.

    From the last usable snapshot before, or from the beginning.
    """
    now: Snapshot | None = None
    for seq in seqs:
        if now is None:
            now = saved_before(db, seq)
        if seq - now.seq > MOST:
            yield None
            continue
        rows = db.execute(AFTER, (now.seq, seq))
        try:
            for (body,) in rows:
                now = apply(now, event_in(body))
        finally:
            rows.close()
        yield now


def saved_before(db: Database, seq: int) -> Snapshot:
    """Return the newest snapshot of this version up to `seq`, else that of before the beginning."""
    saved = saved_snapshots(db)
    for there in sorted(saved, reverse=True):
        if there <= seq:
            sealed, body = saved[there]
            row = db.execute(HASH, (there,)).fetchone()
            if row is not None and seal(row[0], body) == sealed:
                return snapshot_in(body)
    return Snapshot()


def weights(
    db: Database,
    judged: Sequence[tuple[int, OrderSubmitted | OrderDenied]],
    ops: Sequence[str],
    almanac: Almanac,
) -> list[tuple[Weighed, ...]]:
    """Return the values and limits of the guards that let each order past; empty if not exact.

    judged  orders with the number of the record that says what the gate said, in its order
    ops     the command each came of, as far as it is known: what a denied order's source was

    The gate is asked again, with what was known then. Where it would say another thing, as another
    version may have, no value is told.
    """
    before = states(db, (seq - 1 for seq, _ in judged))
    return [
        weights_of(now, event, op, almanac) if now is not None else ()
        for now, (_, event), op in zip(before, judged, ops, strict=True)
    ]


def weights_of(
    now: Snapshot, event: OrderSubmitted | OrderDenied, op: str, almanac: Almanac
) -> tuple[Weighed, ...]:
    """Return the values of one order's guards, its gate asked again at the state before it."""
    moment = almanac.moment(event.at)
    passed = tuple(code.value for code, _ in GUARDS)
    if isinstance(event, OrderSubmitted):
        limit, source, said = event.limit_price, event.source, None
        moment = replace(moment, target=event.session)
    else:
        limit, said = None, event.denial
        source = {"order": "manual", "halt": "flatten"}.get(op, "rebalance")
        if said.code not in passed:
            return ()
        passed = passed[: passed.index(said.code)]
        if op == "order":
            passed = tuple(code for code in passed if code not in BY_LIMIT_PRICE)
    proposed = Proposed(event.order_id, event.symbol, event.quantity, limit, source)
    again = check(now, proposed, moment)
    known = op != "order" or said is None or said.code not in BY_LIMIT_PRICE
    if (again and again.code) != (said and said.code) and known:
        return ()
    return measured(Case(now, proposed, moment, book_of(now)), passed)


def apart(now: Snapshot) -> tuple[Apart, ...]:
    """Return how far each holding is from its target, and what a rebalance would make of it."""
    if now.start is None or now.targets is None:
        return ()
    execution, limits, book = now.start.execution, now.start.limits, book_of(now)
    if unplannable(book):
        return ()
    aims, _ = goals(now, book, now.targets, execution, limits)
    plan = propose(now, now.targets, execution, limits)
    lines = {line.symbol: line.reason for line in plan.lines}
    band = fraction(execution.band)
    found = []
    for symbol, goal in aims.items():
        worth = amount(book.stake(symbol).effective, goal.price)
        distance = abs(goal.weight - ratio_of(worth, book.equity))
        if symbol in lines:
            said = f"traded: {lines[symbol]}"
        elif symbol in plan.unmet:
            said = "no room: limits, the day's turnover or the cash"
        elif distance < band:
            said = "within the band"
        elif not distance:
            said = "on its target"
        else:
            said = f"less than a lot, or than execution.min_trade {execution.min_trade}"
        found.append(
            Apart(
                symbol,
                ratio(worth, book.equity),
                float(goal.weight),
                float(distance),
                execution.band,
                said,
            )
        )
    return tuple(found)


def ratio_of(part: Decimal, whole: Decimal) -> Decimal:
    """Return part / whole to nine digits, 0 when there is no whole."""
    return round(part / whole, 9) if whole else Decimal(0)
