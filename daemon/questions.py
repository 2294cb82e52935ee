"""Questions put together from the journal's own, run on a reader's connection."""

from collections.abc import Mapping
from datetime import date, datetime

from msgspec.structs import replace

from state import answers
from state.history import find_commands, orders, records
from state.journal import Database
from state.period import Period
from state.report import Report, report


def orders_and_keys(
    db: Database, open_only: bool, since: datetime | None, limit: int
) -> list[answers.OrderAnswer]:
    """Return orders as people read them, each with the key it came under."""
    found = orders(db, open_only, since, limit)
    commands = find_commands(db, sorted({one.rid for one in found}))
    return [answers.order(o, commands[o.rid].key if o.rid in commands else None) for o in found]


def report_from(db: Database, within: Period, benchmark: Mapping[date, float]) -> Report:
    """Return the report over a period, from a reader's connection."""
    from daemon.baselines import baselines

    made = report(records(db), within, benchmark, "S&P 500")
    return replace(made, baselines=baselines(records(db, 0, ("started", "bars_closed")), made))
