"""What is explained that is no order, plan or command: a day, a halt, any record of the journal."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import takewhile
from typing import Final

from state import answers, plan_answers
from state.canonical import event_in
from state.event import BarsClosed, Event, Halted, OrderFilled, PlanMade, Resumed
from state.explain import OF_ORDERS, OF_PLANS, Explanation, explained, happened, order_of, wanted
from state.history import records
from state.journal import Database
from state.reasons import OF_REASONS, Closed, reason, reasons, silence, standing
from state.record import Recorded

CLOSES: Final = (
    "SELECT seq, body FROM event WHERE type = 'bars_closed'"
    " AND json_extract(CAST(body AS TEXT), '$.session') {} ? ORDER BY seq {} LIMIT 1"
)
LAST_HALT: Final = "SELECT max(seq) FROM event WHERE type = 'halted'"
ASKED: Final = ("command_received",)
END: Final = 1 << 62


def told(db: Database, id_: str) -> Explanation | None:
    """Return why something is as it is; None when there is nothing of that name.

    `id_` is an order, a plan, a command's key or id, a session (2020-03-16), a record's number as
    `tm events` shows it, or "halt" for the last one.
    """
    found = explained(db, id_)
    if found is not None:
        return found
    try:
        return of_day(db, date.fromisoformat(id_)) if "-" in id_ else of_record(db, id_)
    except ValueError:
        return None


def of_day(db: Database, day: date) -> Explanation | None:
    """Return what a session's trades came of, or why it had none; None before anything closed.

    The day is what was written after the close before it, up to its own: what could trade in it.
    """
    before, own = close(db, "<", day, "DESC"), close(db, "=", day, "DESC")
    if before is None and own is None:
        return None
    after = close(db, ">", day, "ASC")
    first, last = before[0] if before else 0, own[0] if own else after[0] if after else END
    found = list(within(db, first, last, (*OF_REASONS, *OF_ORDERS, *OF_PLANS, *ASKED)))
    told_of = before or own
    why = (
        *standing(within(db, 0, first, ("halted", "resumed"))),
        *reasons(found),
        *silence(day, found, before[1] if before else None, own[1] if own else None),
    )
    made = [r.event for r in found if isinstance(r.event, PlanMade)]
    return Explanation(
        subject="day",
        id=day.isoformat(),
        command=None,
        plan=plan_answers.plan(made[-1].plan) if made else None,
        wanted=tuple(wanted(told_of[1], tuple(told_of[1].targets or ()))) if told_of else (),
        gate=(),
        orders=(),
        steps=tuple(happened(r) for r in found if order_of(r.event)),
        fills=tuple(answers.fill(r.event) for r in found if isinstance(r.event, OrderFilled)),
        close=Closed.of(own[1]) if own else None,
        why=why,
    )


def of_record(db: Database, number: str) -> Explanation | None:
    """Return what a record is about, "halt" being the last one; raise ValueError for no number."""
    if number in {"halt", "halted"}:
        (seq,) = db.execute(LAST_HALT).fetchone()
        if seq is None:
            return None
    else:
        seq = int(number)
    record = next(within(db, seq - 1, seq, ()), None) if 0 < seq < END else None
    match record:
        case Recorded(event=Halted()):
            return of_halt(db, record)
        case Recorded(event=BarsClosed(session=session)):
            return of_day(db, session)
        case Recorded(event=event):
            return next(
                (found for name in names(event) if (found := explained(db, name)) is not None), None
            )
    return None


def names(event: Event) -> Iterator[str]:
    """Yield the order, the plan and the command that an event names, the nearest first."""
    if isinstance(event, PlanMade):
        yield event.plan.plan_id
    for field in ("order_id", "plan_id", "rid"):
        if name := getattr(event, field, ""):
            yield name


def of_halt(db: Database, record: Recorded) -> Explanation:
    """Return why trading stopped, by which account, and what the halt then held up."""
    halt = record.event
    assert isinstance(halt, Halted)
    rest = within(db, record.seq, END, OF_REASONS)
    held = list(takewhile(lambda r: not lifts(r, halt.scope), rest))
    lifted = [r for r in within(db, record.seq, END, ("resumed",)) if lifts(r, halt.scope)][:1]
    last = newest_before(db, record.seq)
    why = [reason(record), *reasons(stopped(held)), *reasons(lifted)]
    return Explanation(
        subject="halt",
        id=f"{record.seq}",
        command=None,
        plan=None,
        wanted=(),
        gate=(),
        orders=(),
        steps=(),
        fills=(),
        close=Closed.of(last) if last else None,
        why=tuple(one for one in why if one),
    )


def lifts(record: Recorded, scope: str) -> bool:
    """Return whether a record lifts the halt of a scope."""
    return isinstance(record.event, Resumed) and record.event.scope == scope


def stopped(found: Sequence[Recorded]) -> list[Recorded]:
    """Return the records of what a halt held up: denied, refused, or stopped for it."""
    return [
        r
        for r in found
        if getattr(getattr(r.event, "denial", None), "code", "") == "TRADING_HALTED"
        or getattr(r.event, "why", "") == "halted"
    ]


def newest_before(db: Database, seq: int) -> BarsClosed | None:
    """Return the last close before a record."""
    row = db.execute(
        "SELECT body FROM event WHERE type = 'bars_closed' AND seq < ? ORDER BY seq DESC LIMIT 1",
        (seq,),
    ).fetchone()
    event = event_in(row[0]) if row else None
    return event if isinstance(event, BarsClosed) else None


def close(db: Database, how: str, day: date, order: str) -> tuple[int, BarsClosed] | None:
    """Return the first or last close whose session is so related to `day`, with its number."""
    row = db.execute(CLOSES.format(how, order), (day.isoformat(),)).fetchone()
    event = event_in(row[1]) if row else None
    return (row[0], event) if isinstance(event, BarsClosed) else None


def within(db: Database, after: int, last: int, kinds: Sequence[str]) -> Iterator[Recorded]:
    """Yield the records after `after`, up to `last`, of some kinds or of all."""
    return takewhile(lambda r: r.seq <= last, records(db, after, kinds))
