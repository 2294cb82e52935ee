"""Is what the account stands on sound: prices, journal, disk."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from state.duration import Bars, staleness
from state.evidence import AuditFacts, Check, breach, ok, warn
from state.quote import Mark
from state.snapshot import Snapshot

MIB: Final = 1 << 20
DISK_FULL: Final = 64 * MIB
WAL_LARGE: Final = 64 * MIB
WAL_HUGE: Final = 1024 * MIB


def data_age(now: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Look for old prices: of a holding they are a breach, else a warning."""
    if now.start is None or not now.bars:
        yield warn("data_age", None, None, "no bar has closed yet, so nothing has a price")
        return
    limit = now.start.limits.stale_after
    never = sorted(symbol for symbol in now.instruments if symbol not in now.marks)
    stale = sorted(
        symbol
        for symbol, mark in now.marks.items()
        if symbol in now.instruments and old(now, facts, mark, staleness(limit))
    )
    held = [symbol for symbol in (*stale, *never) if now.ledger.held(symbol)]
    told = "; ".join(
        [
            *([f"older than {limit}: {', '.join(stale)}"] if stale else []),
            *([f"never priced: {', '.join(never)}"] if never else []),
        ]
    )
    if held:
        yield breach("data_age", len(stale) + len(never), limit, f"{told}; held: {', '.join(held)}")
    elif told:
        yield warn("data_age", len(stale) + len(never), limit, told)
    else:
        yield ok("data_age", 0, limit, f"{len(now.instruments)} symbols have a price in time")


def old(now: Snapshot, facts: AuditFacts, mark: Mark, after: Bars | timedelta) -> bool:
    """Return whether a price is stale: by closes missed, or by open-market time passed."""
    if isinstance(after, Bars):
        return now.bars - mark.bars >= after.count
    return facts.open_time(mark.at, facts.due) >= max(after, facts.bar)


def feed(_: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Look whether prices come, and whether all of them were believed."""
    if facts.feed is None:
        yield warn("feed", None, "connected", "nobody can say whether prices are coming")
        return
    refused = ", ".join(f"{n} {why}" for why, n in sorted(facts.feed.refused.items()) if n)
    if not facts.feed.connected and not facts.feed.ended:
        yield breach(
            "feed", "disconnected", "connected", f"the {facts.feed.kind} feed is not connected"
        )
    elif refused:
        yield warn("feed", refused, "none refused", f"bars that were not believed: {refused}")
    else:
        state = "ended" if facts.feed.ended else "connected"
        yield ok("feed", state, "connected", f"the {facts.feed.kind} feed is {state}")


def journal(_: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Look whether the journal still says what was written, all of it."""
    checked = facts.journal
    if checked is None:
        yield warn("journal", None, None, "the journal was not verified; run `tm verify`")
    elif not checked.ok:
        yield breach(
            "journal",
            checked.seq,
            checked.expected,
            f"{checked.message}; stop trading and restore a backup",
        )
    elif checked.seq < checked.expected:
        yield breach(
            "journal",
            checked.seq,
            checked.expected,
            f"the journal ends at record {checked.seq}, and {checked.expected} were written; stop "
            "trading and restore a backup",
        )
    else:
        yield ok("journal", checked.seq, checked.expected, checked.message)


def disk(_: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Look whether the journal has room."""
    free = facts.disk_free
    if free is None:
        yield warn("disk", None, facts.disk_low, "nobody can say how much room the journal has")
        return
    told = f"{free / MIB:,.0f} MiB free where the journal is"
    if free < DISK_FULL:
        yield breach("disk", free, DISK_FULL, f"{told}; trading halts when it is full: make room")
    elif free < facts.disk_low:
        yield warn("disk", free, facts.disk_low, f"{told}; make room")
    else:
        yield ok("disk", free, facts.disk_low, told)


def write_ahead_log(_: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Look whether checkpoints keep up: a reader that never ends lets the log grow."""
    size = facts.wal_bytes
    if size is None:
        yield warn("wal", None, WAL_LARGE, "nobody can say how large the write-ahead log is")
        return
    told = f"the write-ahead log has {size / MIB:,.1f} MiB"
    if size > WAL_HUGE:
        yield breach("wal", size, WAL_HUGE, f"{told}; a reader keeps it from being checkpointed")
    elif size > WAL_LARGE:
        yield warn("wal", size, WAL_LARGE, f"{told}; a reader may keep it from being checkpointed")
    else:
        yield ok("wal", size, WAL_LARGE, told)
