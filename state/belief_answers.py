"""What the mind believes, in the words and fields that programs rely on."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec.structs import replace

from state.belief import VOLATILITIES, Belief, InstrumentBelief, instruments
from state.canonical import event_in
from state.event import BarsClosed, Event
from state.instrument import Symbol
from state.journal import Database

CLOSES = "SELECT body FROM event WHERE type = 'bars_closed' ORDER BY seq DESC"


class BeliefChange(msgspec.Struct, frozen=True):
    """How far a belief moved: later less earlier. None where the symbol was not believed in."""

    symbol: Symbol
    up: float | None
    calm: float | None
    normal: float | None
    stressed: float | None
    exposure: float | None
    regime_before: str | None
    regime_after: str | None


class BeliefDifference(msgspec.Struct, frozen=True):
    """What lies between two beliefs. Where the model is another, that too may be the cause."""

    since: datetime
    until: datetime
    same_model: bool
    changes: tuple[BeliefChange, ...]


class BeliefAnswer(msgspec.Struct, frozen=True):
    """What is believed of each symbol `as_of` a close, or how that differs from an earlier one."""

    as_of: datetime
    engine: str
    model_hash: str
    instruments: tuple[InstrumentBelief, ...]
    diff: BeliefDifference | None = None


def beliefs(belief: Belief, symbol: Symbol | None = None) -> BeliefAnswer:
    """Return a belief as people read it, narrowed to one symbol or whole."""
    return BeliefAnswer(
        belief.at,
        belief.engine,
        belief.model_hash,
        tuple(one for one in instruments(belief) if symbol in (None, one.symbol)),
    )


def difference(before: BeliefAnswer, after: BeliefAnswer) -> BeliefAnswer:
    """Return how `after` differs from `before`, symbol by symbol, without what they share."""
    earlier = {one.symbol: one for one in before.instruments}
    later = {one.symbol: one for one in after.instruments}
    changes = tuple(
        change(symbol, earlier.get(symbol), later.get(symbol))
        for symbol in dict.fromkeys((*later, *earlier))
    )
    same = before.model_hash == after.model_hash
    between = BeliefDifference(before.as_of, after.as_of, same, changes)
    return BeliefAnswer(after.as_of, after.engine, after.model_hash, (), between)


def change(
    symbol: Symbol, before: InstrumentBelief | None, after: InstrumentBelief | None
) -> BeliefChange:
    """Return how one belief moved."""

    def moved(earlier: float | None, later: float | None) -> float | None:
        return None if earlier is None or later is None else round(later - earlier, 7)

    def of(one: InstrumentBelief | None, name: str) -> float | None:
        return None if one is None else one.volatility[name]

    calm, normal, stressed = (moved(of(before, v), of(after, v)) for v in VOLATILITIES)
    return BeliefChange(
        symbol=symbol,
        up=moved(
            before.direction["up"] if before else None, after.direction["up"] if after else None
        ),
        calm=calm,
        normal=normal,
        stressed=stressed,
        exposure=moved(before.exposure if before else None, after.exposure if after else None),
        regime_before=before.regime if before else None,
        regime_after=after.regime if after else None,
    )


class Dated(msgspec.Struct):
    """As much of a close's record as tells whether to read on."""

    at: datetime


dated = msgspec.json.Decoder(Dated).decode


def belief_at(db: Database, at: datetime) -> Belief | None:
    """Return what was believed after the last close at or before `at`; None before the first."""
    for body in closes(db, at):
        event = event_in(body)
        if isinstance(event, BarsClosed) and event.belief is not None:
            return event.belief
    return None


def last_closes(db: Database, count: int) -> list[BarsClosed]:
    """Return the last `count` closes, oldest first, without what was believed of them."""
    found = []
    rows = db.execute(CLOSES + " LIMIT ?", (count,)).fetchall()
    for (body,) in reversed(rows):
        event = event_in(body)
        if isinstance(event, BarsClosed):
            found.append(event)
    return found


def closes(db: Database, at: datetime) -> Iterator[bytes]:
    """Yield the records of closes up to `at`, newest first."""
    rows = db.execute(CLOSES)
    try:
        for (body,) in rows:
            if dated(body).at <= at:
                yield body
    finally:
        rows.close()


def told(event: Event) -> Event:
    """Return an event without bytes that are nobody's to read; `tm beliefs` tells what they say."""
    if not isinstance(event, BarsClosed):
        return event
    belief, blend = event.belief, event.blend
    return replace(
        event,
        belief=replace(belief, memory=b"", shown=b"") if belief is not None else None,
        blend=replace(blend, memory=b"") if blend is not None else None,
    )
