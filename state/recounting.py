"""An explanation made whole: values of guards, bands, calendar, runs and other records."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import msgspec
from msgspec.structs import asdict, replace

from state.canonical import KINDS
from state.event import (
    BarsClosed,
    CommandReceived,
    Event,
    EvolutionEnded,
    OrderDenied,
    OrderSubmitted,
    RequestDenied,
)
from state.explain import Explanation, Happened, Judged
from state.history import records
from state.journal import Database
from state.occasion import close, told, within
from state.reasons import Reason, reason
from state.record import Recorded
from state.weighing import Almanac, Apart, apart, states, weights

OF_RUNS: Final = (
    *("evolution_started", "generation_bred", "holdout_touched", "evolution_ended"),
    *("shadow_watched", "evolution_cancelled", "genome_promoted"),
)
JUDGED: Final = ("order_submitted", "order_denied")
PLANNING: Final = frozenset({"plan", "rebalance"})


def recounted(db: Database, id_: str, almanac: Almanac | None = None) -> Explanation | None:
    """Return why something is as it is, with all values; None when nothing is called that.

    What `state.occasion.told` knows, and beside it the id of a run of evolution, and any record's
    number. `almanac` says what the journal does not hold; without it no value is computed again.
    """
    found = told(db, id_)
    if found is None:
        found = of_run(db, id_) or of_any(db, id_)
    if found is None or almanac is None:
        return found
    if found.subject == "day":
        found = by_calendar(db, found, almanac)
    return replace(found, gate=weighed(db, found, almanac), apart=bands(db, found))


def weighed(db: Database, found: Explanation, almanac: Almanac) -> tuple[Judged, ...]:
    """Return what the gate said of each order, with the values of the guards that passed."""
    seqs = {step.order_id: step.seq for step in found.steps if step.what in JUDGED}
    judged = [
        (record.seq, record.event)
        for one in found.gate
        for record in within(db, seqs[one.order_id] - 1, seqs[one.order_id], JUDGED)
        if isinstance(record.event, OrderSubmitted | OrderDenied)
    ]
    if len(judged) != len(found.gate):
        return found.gate
    op = found.command.op if found.command else ""
    values = weights(db, judged, [op] * len(judged), almanac)
    return tuple(replace(one, weighed=value) for one, value in zip(found.gate, values, strict=True))


def bands(db: Database, found: Explanation) -> tuple[Apart, ...]:
    """Return how far each holding was from its target when a plan was last computed.

    A day on which none was asked for is told by the close before it; nothing else has bands.
    """
    seq = 0
    if found.subject == "day":
        day = date.fromisoformat(found.id)
        before, own = close(db, "<", day, "DESC"), close(db, "=", day, "DESC")
        seq = before[0] if before else 0
        last = own[0] if own else 0
        seq = max([seq, *(r.seq for r in asked(db, seq, last))])
    elif found.command and found.subject in {"command", "plan"}:
        after = [r for r in asked(db, 0, 1 << 62) if r.event.key == found.command.key]
        seq = after[-1].seq if after else 0
    if not seq:
        return ()
    (now,) = states(db, (seq,))
    return apart(now) if now is not None else ()


class Taken(msgspec.Struct, frozen=True):
    """A command that computes a plan, and the number of its record."""

    seq: int
    event: CommandReceived


def asked(db: Database, after: int, last: int) -> Iterator[Taken]:
    """Yield the commands between two records that compute a plan."""
    for record in within(db, after, last, ("command_received",)):
        if isinstance(record.event, CommandReceived) and record.event.op in PLANNING:
            yield Taken(record.seq, record.event)


def by_calendar(db: Database, found: Explanation, almanac: Almanac) -> Explanation:
    """Return a day's explanation with what the calendar says of it."""
    day = date.fromisoformat(found.id)
    before = close(db, "<", day, "DESC")
    said = list(calendared(day, before[1] if before else None, found.why, almanac))
    return replace(found, why=(*found.why, *said))


def calendared(
    day: date, before: BarsClosed | None, why: Sequence[Reason], almanac: Almanac
) -> Iterator[Reason]:
    """Yield whether the day is a session, and whether a rebalance was due at the close before."""
    if not almanac.session(day):
        yield Reason(
            0, None, "NO_MARKET_DAY", f"the market has no session on {day}, a {day:%A}",
            value="0", limit="1",
        )  # fmt: skip
    if before is None or not any(one.code == "NOBODY_ASKED" for one in why):
        return
    if almanac.due is None:
        yield Reason(
            0, before.at, "NOT_BY_THE_CLOCK",
            "by the configuration of now nothing is traded by the clock",
            limit="trading.mode", hint='tm rebalance, or set trading.mode = "autonomous"',
        )  # fmt: skip
    elif almanac.due(before.session):
        yield Reason(
            0, before.at, "DUE_NOT_ASKED",
            f"by the configuration of now a rebalance was due at the close of {before.session}, "
            "and none was asked for: the daemon did not run then, or it was configured otherwise",
            value=almanac.every, limit="trading.rebalance",
            hint="tm events shows when the daemon started",
        )  # fmt: skip
    else:
        yield Reason(
            0, before.at, "NOT_DUE",
            f"by the configuration of now no rebalance was due at the close of {before.session}",
            value=almanac.every, limit="trading.rebalance",
        )  # fmt: skip


def of_run(db: Database, id_: str) -> Explanation | None:
    """Return what became of a run of evolution, and each test of its verdict; None if unknown."""
    found = [r for r in records(db, 0, OF_RUNS) if run_of(r.event) == id_]
    if not found:
        return None
    why = [one for r in found if isinstance(r.event, EvolutionEnded) for one in verdict(r, r.event)]
    return bare("run", id_, found, why)


def run_of(event: Event) -> str:
    """Return the run that an event is about, "" for none."""
    return str(
        getattr(event, "run_id", "") or getattr(getattr(event, "champion", None), "run_id", "")
    )


def verdict(record: Recorded, event: EvolutionEnded) -> Iterator[Reason]:
    """Yield how a run ended, and each test of the overfit gate that its candidate failed."""
    if event.verdict is None or event.reason:
        yield Reason(record.seq, event.at, f"RUN_{event.status.upper()}", event.reason)
    for test in event.verdict.tests if event.verdict else ():
        if not test.passed:
            yield Reason(
                record.seq, event.at, "NOT_PROMOTABLE", f"{test.name}: {test.meaning}",
                event.candidate_id, f"{test.value:.4g}", f"{test.sense} {test.bound:.4g}",
            )  # fmt: skip


def of_any(db: Database, id_: str) -> Explanation | None:
    """Return what a record of any kind says, by its number; None when there is none."""
    if not id_.isascii() or not id_.isdigit() or not 0 < int(id_) < 1 << 62:
        return None
    record = next(within(db, int(id_) - 1, int(id_), ()), None)
    if record is None:
        return None
    event = record.event
    if isinstance(event, RequestDenied):
        why = [
            Reason(
                record.seq,
                event.at,
                "NOT_PERMITTED",
                f"{event.principal} asked for {event.op}, {event.times} times: {event.rule}",
                event.principal,
                event.op,
                event.rule,
                "docs/security.md says which role may what; tm config show the roles in force",
            )
        ]
    else:
        why = [one for one in (reason(record),) if one is not None]
    return bare("record", id_, [record], why)


def bare(subject: str, id_: str, found: Sequence[Recorded], why: Sequence[Reason]) -> Explanation:
    """Return an explanation of records that no order and no plan came of."""
    return Explanation(
        subject=subject,
        id=id_,
        command=None,
        plan=None,
        wanted=(),
        gate=(),
        orders=(),
        steps=tuple(Happened(r.seq, r.event.at, "", KINDS[type(r.event)], plain(r)) for r in found),
        fills=(),
        why=tuple(why),
    )


def plain(record: Recorded) -> str:
    """Return the plain fields of a record in words."""
    return ", ".join(
        f"{name} {value}"
        for name, value in asdict(record.event).items()
        if isinstance(value, str | int | float | date) and name != "at" and value != ""
    )
