"""Which sessions a report covers."""

from datetime import date, timedelta
from typing import Final, Self

import msgspec

NAMES: Final = ("1d", "1w", "mtd", "qtd", "ytd", "all")


class UnknownPeriod(ValueError):
    """A period nobody can read; the message says what would be read."""


class Period(msgspec.Struct, frozen=True):
    """Sessions from `start` to `end`, both included; None is as far as the journal goes."""

    start: date | None = None
    end: date | None = None

    @classmethod
    def named(cls, name: str, start: str | None, end: str | None, last: date | None) -> Self:
        """Return the sessions asked for; an ISO `start` or `end` overrules the `name`.

        `last` is the latest session, which a named period ends with; None when there is none. "1w"
        is the seven calendar days that end with it, "mtd" the month so far. Raises UnknownPeriod.
        """
        if start is not None or end is not None:
            first, final = day(start), day(end)
            if first and final and first > final:
                raise UnknownPeriod(f"the period begins on {first}, after its end on {final}")
            return cls(first, final)
        if name not in NAMES:
            raise UnknownPeriod(
                f"period {name!r} is none of {', '.join(NAMES)}; name one, or say --from and --to"
            )
        return cls(None if last is None else beginning(name, last))


def beginning(name: str, last: date) -> date | None:
    """Return the first day of a named period that ends with `last`; None for all there is."""
    match name:
        case "1d":
            return last
        case "1w":
            return last - timedelta(days=6)
        case "mtd":
            return last.replace(day=1)
        case "qtd":
            return last.replace(month=(last.month - 1) // 3 * 3 + 1, day=1)
        case "ytd":
            return last.replace(month=1, day=1)
        case _:
            return None


def day(text: str | None) -> date | None:
    """Return the day an ISO date names, None for none."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UnknownPeriod(f"{text!r} is not a date; write it as 2022-12-28") from None
