"""What a close makes of an account: marks, a new day, targets, and losses."""

from datetime import timedelta

from msgspec.structs import replace

from state.blended import halted_in
from state.event import BarsClosed
from state.quote import Mark
from state.snapshot import Day, Snapshot

EXECUTIONS_KEPT = timedelta(days=14)


def closed(now: Snapshot, event: BarsClosed) -> Snapshot:
    """Bars closed: new marks, and a new day's budgets when the session is a later one.

    A session that is not later than the day's (a clock moved back) keeps the day as it is.
    """
    count = now.bars + 1
    marks = {
        **now.marks,
        **{
            bar.symbol: Mark(bar.close, event.at, event.session, count, now.price(bar.symbol))
            for bar in event.bars
        },
    }
    day = now.day
    if day is None or event.session > day.session:
        opening = now.closing if now.bars else event.equity
        day = Day(event.session, start_equity=opening, began=event.at)
        now = replace(now, usage={})
    peak = max(now.high_water, event.equity)
    executions, expected = now.executions, now.expected
    if now.session != event.session:
        oldest = event.session - EXECUTIONS_KEPT
        expected = tuple(e for e in expected if e.session >= oldest)
        executions = {x: booked for x, booked in executions.items() if booked.session >= oldest}
    return replace(
        now,
        executions=executions,
        expected=expected,
        marks=marks,
        bars=count,
        session=event.session,
        closed_at=event.at,
        closing=event.equity,
        day=day,
        targets=event.targets if event.targets is not None else now.targets,
        decided=event.session if event.targets is not None else now.decided,
        undecided="" if event.targets is not None else event.undecided or now.undecided,
        without=halted_in(event.blend) if event.targets is not None else now.without,
        strategy=event.strategy or now.strategy,
        belief=event.belief if event.belief is not None else now.belief,
        blend=event.blend if event.blend is not None else now.blend,
        high_water=peak,
        drawdown=float(1 - event.equity / peak) if peak > 0 else 0.0,
    )
