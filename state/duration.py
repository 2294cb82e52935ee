"""Spans of time as people write them: "90s", "15m", "2 bars"."""

import re
from datetime import timedelta
from typing import Final

import msgspec

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SPAN: Final = re.compile(r"(?P<count>[0-9]{1,9})\s*(?P<unit>s|m|h|d|w|bars?)?", re.ASCII)
LONGEST: Final = timedelta(days=3650)


class Bars(msgspec.Struct, frozen=True):
    """A span counted in closes of the feed."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} bar" if self.count == 1 else f"{self.count} bars"


class NotADuration(ValueError):
    """A text does not say how long."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r} is not a duration: {why}")
        self.text, self.why = text, why


def duration(text: str) -> timedelta:
    """Return what "45", "90s", "15m", "2h", "1d" or "1w" says, at least 1 s; raise NotADuration."""
    span = staleness(text)
    if isinstance(span, Bars):
        raise NotADuration(text, 'bars are no fixed time; write it like "90s", "15m" or "1h"')
    return span


def seconds(text: str) -> float:
    """Return what `duration` says, in seconds."""
    return duration(text).total_seconds()


def staleness(text: str) -> timedelta | Bars:
    """Return what `risk.stale_after` says: a time as in `duration`, or "1 bar", "2 bars"."""
    found = SPAN.fullmatch(text.strip())
    if found is None:
        raise NotADuration(
            text, 'write a whole number and a unit, like "90s", "15m", "1h", "1d" or "2 bars"'
        )
    count, unit = int(found["count"]), found["unit"] or "s"
    if not count:
        raise NotADuration(text, "it must be more than nothing")
    if unit in {"bar", "bars"}:
        return Bars(count)
    span = timedelta(seconds=count * UNITS[unit])
    if span > LONGEST:
        raise NotADuration(text, f"it must be at most {LONGEST.days} days")
    return span
