"""The audit: is everything as it should be? What cannot be checked is never called good."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from state.checks import books, limits, mind, orders, world
from state.evidence import AuditFacts, Check, Severity, breach
from state.snapshot import Snapshot

ASKED: Final[tuple[Callable[[Snapshot, AuditFacts], Iterator[Check]], ...]] = (
    books.against_broker,
    books.reconciled,
    books.pending,
    books.adds_up,
    books.cash,
    books.holdings,
    orders.at_broker,
    orders.unknown,
    orders.consistent,
    orders.owed,
    limits.halts,
    limits.headrooms,
    limits.targets,
    world.data_age,
    world.feed,
    world.journal,
    world.disk,
    world.write_ahead_log,
    mind.beliefs,
)
WORSE: Final = (Severity.OK, Severity.WARN, Severity.BREACH)


class Audit(msgspec.Struct, frozen=True):
    """What every check said; the verdict is the worst of them."""

    verdict: Severity
    as_of: datetime | None
    checks: tuple[Check, ...]


def audit(now: Snapshot, facts: AuditFacts) -> Audit:
    """Return what every check says of `now`. A check that raises is a breach."""
    return audited(now, facts, ASKED)


def audited(
    now: Snapshot,
    facts: AuditFacts,
    asked: Iterable[Callable[[Snapshot, AuditFacts], Iterator[Check]]],
) -> Audit:
    """Return what the checks `asked` say; of none at all, that is a breach too."""
    said = tuple(check for ask in asked for check in answered(ask, now, facts))
    verdict = max((check.severity for check in said), key=WORSE.index, default=Severity.BREACH)
    return Audit(verdict, now.at, said)


def answered(
    ask: Callable[[Snapshot, AuditFacts], Iterator[Check]], now: Snapshot, facts: AuditFacts
) -> list[Check]:
    """Return what one check says, or that it could not be made."""
    name = ask.__name__
    try:
        said = list(ask(now, facts))
    except Exception as e:  # noqa: BLE001, whatever kept it from looking is the finding
        return [breach(name, None, None, f"it could not be checked: {type(e).__name__}: {e}")]
    return said or [breach(name, None, None, "it said nothing")]
