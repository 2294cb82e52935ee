"""What an audit is made of: the facts it is given, and what a check says."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from state.event import Difference
from state.moment import OpenTime, elapsed
from state.status import BeliefFacts, FeedFacts

Value = str | int | float | None


class Severity(StrEnum):
    """How bad it is, from good to bad."""

    OK = "ok"
    WARN = "warn"  # somebody should look
    BREACH = "breach"  # somebody must


class Check(msgspec.Struct, frozen=True):
    """One check: what was looked at, what was found, and the bound it was held against."""

    name: str
    severity: Severity
    value: Value
    limit: Value
    message: str


class JournalChecked(msgspec.Struct, frozen=True):
    """What a verification of the journal found; `seq` is of its last good record.

    `expected` is the last record that was known to be written when the verification began.
    """

    ok: bool
    seq: int
    expected: int
    message: str


class AuditFacts(msgspec.Struct, frozen=True):
    """What a snapshot can't know. None is what could not be found out, and is never taken for good.

    `differences` are where the broker's book disagrees with ours, looked up for this audit, and
    `broker_orders` the references of the orders it has open; `unavailable` says why it did not
    answer. `due` is the latest moment up to now, on the market's clock, at which the market was
    open: how old a price is counts to there, by `open_time` and at least a `bar`. `disk_free` and
    `wal_bytes` are in bytes, of the journal's disk and of its write-ahead log; with less free than
    `disk_low` there is little.
    """

    at: datetime
    due: datetime
    broker: str
    differences: tuple[Difference, ...] | None = None
    broker_orders: tuple[str, ...] | None = None
    unavailable: str = ""
    feed: FeedFacts | None = None
    journal: JournalChecked | None = None
    disk_free: int | None = None
    disk_low: int = 1024 << 20
    wal_bytes: int | None = None
    beliefs: BeliefFacts | None = None
    open_time: OpenTime = elapsed
    bar: timedelta = timedelta()


def ok(name: str, value: Value, limit: Value, message: str) -> Check:
    """Return that something is as it should be."""
    return Check(name, Severity.OK, value, limit, message)


def warn(name: str, value: Value, limit: Value, message: str) -> Check:
    """Return that somebody should look at something."""
    return Check(name, Severity.WARN, value, limit, message)


def breach(name: str, value: Value, limit: Value, message: str) -> Check:
    """Return that somebody must look at something."""
    return Check(name, Severity.BREACH, value, limit, message)
