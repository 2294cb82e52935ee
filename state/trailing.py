"""What the last months and years brought, up to a period's last session."""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import dropwhile
from math import prod
from typing import Final

import msgspec

from state.metrics import Compared
from state.performance import compounded

MONTHS: Final[Mapping[str, int]] = {
    "month": 1,
    "3 months": 3,
    "6 months": 6,
    "year": 12,
    "3 years": 36,
    "5 years": 60,
    "10 years": 120,
}


class Trailing(msgspec.Struct, frozen=True):
    """The linked returns of the sessions after `since`, a year where `of` is of several.

    `theirs` is the benchmark's, None where it was not there for all of the time.
    """

    of: str
    since: date
    ours: float
    theirs: float | None


def trailing(
    days: Sequence[tuple[date, float]],
    beside: Compared | None = None,
    base: date | None = None,
) -> tuple[Trailing, ...]:
    """Return what each horizon brought; one that began before the returns do is left out.

    `days` are sessions with their returns, in order; `base` is the session that the first return
    counts from, None where the account began with it.
    """
    if not days:
        return ()
    last = days[-1][0]
    theirs = tuple(zip(beside.days, beside.theirs, strict=True)) if beside is not None else ()
    first = days[0][0]
    begun = base or first
    found = []
    for of, since, years in horizons(last):
        if begun <= since:
            against = theirs and theirs[0][0] <= max(since, first) and theirs[-1][0] == last
            other = grown(theirs, since, years) if against else None
            found.append(Trailing(of, since, grown(days, since, years), other))
    return tuple(found)


def horizons(last: date) -> Iterable[tuple[str, date, int]]:
    """Yield each horizon's name, the day it counts from, and its years, 0 of less than two."""
    yield "month to date", before(last.replace(day=1)), 0
    yield "year to date", before(last.replace(month=1, day=1)), 0
    for of, months in MONTHS.items():
        yield of, earlier(last, months), months // 12 if months > 12 else 0


def before(day: date) -> date:
    """Return the day before."""
    return date.fromordinal(day.toordinal() - 1)


def earlier(day: date, months: int) -> date:
    """Return the same day so many months earlier, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def grown(days: Iterable[tuple[date, float]], since: date, years: int) -> float:
    """Return the linked return of the sessions after a day, a year where there are years."""
    factor = prod(1 + r for _, r in dropwhile(lambda day: day[0] <= since, days))
    return compounded(factor, 1 / years) if years and factor > 0 else factor - 1
