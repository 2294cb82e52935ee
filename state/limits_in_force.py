"""The risk limits in force: the configuration's, and over them what somebody set since."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import fields, replace

from state.duration import Bars, staleness
from state.event import Start
from state.settings import Limits
from state.snapshot import Snapshot

NAMES: Final = tuple(field.name for field in fields(Limits))


class LimitInForce(msgspec.Struct, frozen=True):
    """One limit: what is in force, what the configuration asks for, and whether they differ."""

    name: str
    value: Any
    configured: Any
    changed: bool


def tight(name: str, value: Any, than: Any) -> bool:
    """Return whether `value` of a limit lets nothing through that `than` would not."""
    if name == "stale_after":
        mine, other = staleness(value), staleness(than)
        if isinstance(mine, Bars) and isinstance(other, Bars):
            return mine.count <= other.count
        if isinstance(mine, timedelta) and isinstance(other, timedelta):
            return mine <= other
        return False  # bars and times can't be compared
    if name == "restricted":
        return set(value) >= set(than)
    return bool(value <= than)  # every number is a ceiling, and False is tighter than True


def limited(now: Snapshot, names: tuple[str, ...], limits: Limits) -> Snapshot:
    """The limits in force are others; those of `names` were set by somebody."""
    if now.start is None:
        return now
    tuned = tuple(sorted({*now.tuned, *names}))
    return replace(now, start=with_limits(now.start, limits), tuned=tuned)


def carried(now: Snapshot, configured: Limits) -> tuple[Limits, tuple[str, ...]]:
    """Return the limits a new run begins with, and which of them were set by somebody.

    What was set holds over a restart. Where the configuration has changed meanwhile it holds only
    if it is the tighter of the two.
    """
    if now.start is None or now.configured is None:
        return configured, ()
    kept = {}
    for name in now.tuned:
        mine, asked = getattr(now.start.limits, name), getattr(configured, name)
        unchanged = asked == getattr(now.configured, name)
        if mine != asked and (unchanged or tight(name, mine, asked)):
            kept[name] = mine
    return replace(configured, **kept), tuple(kept)


def with_limits(start: Start, limits: Limits) -> Start:
    """Return `start` with other limits in force."""
    if limits.restricted != start.limits.restricted:
        start = replace(start, restricted=limits.restricted)
    return replace(start, limits=limits)


def shown(now: Snapshot) -> Iterator[LimitInForce]:
    """Yield every limit in force, in the configuration's order; nothing before a start."""
    if now.start is None:
        return
    configured = now.configured or now.start.limits
    for name in NAMES:
        value, asked = getattr(now.start.limits, name), getattr(configured, name)
        yield LimitInForce(name, value, asked, value != asked)
