"""Closing with a statement what the gateway forgot: missing executions, commissions and cash."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate

from msgspec.structs import replace

from daemon.corporate_actions import splits, told
from daemon.engine import Engine
from daemon.flex import ZONE, StatementRefused, read
from daemon.recovery import look_for_differences
from daemon.seams import Broker, Store
from state.command import RecordFill, RecordReconciliation
from state.event import Booked, Difference
from state.history import funding, splits_booked
from state.instrument import ZERO


async def compared(
    text: str, engine: Engine, broker: Broker, store: Store
) -> tuple[RecordReconciliation, Sequence[str]]:
    """Report what the statement has beyond the books, and return how they compare after it.

    Its corporate actions come with that in words, each with what was done, or is to be.

    Executions enter by the door that the broker's own enter by, so the same one twice is once.
    Raises StatementRefused or BrokerUnavailable.
    """
    now = engine.snapshot
    if now.start is None:
        raise StatementRefused("nothing was ever started here", "start the daemon, then try again")
    statement = read(text, broker.account, now.start.base_currency)
    began, booked_before = await store.read(funding)
    began = began and began.astimezone(ZONE)  # days are the statement's
    if began is None or statement.end < began.date():
        raise StatementRefused(
            f"it ends on {statement.end}, and this book begins "
            f"{'with the first comparison' if began is None else f'on {began.date()}'}",
            "send the statement of the days that are missing",
        )
    found, _ = await look_for_differences(engine, broker)
    kept = await store.kept([], [fill.execution_id for fill in statement.executions])
    known = {**kept.executions, **engine.snapshot.executions}
    for fill in missing(statement.executions, known, found, began):
        engine.report(fill)
    found, opening = await look_for_differences(engine, broker)
    stated = tuple(
        one
        for one in statement.movements
        if one.ref not in booked_before and one.at.date() >= began.date()
    )
    split = splits(statement.actions, found, await store.read(splits_booked), began)
    compared = RecordReconciliation(found, opening=opening, stated=stated, splits=split)
    return compared, told(statement.actions, split, found)


def missing(
    executions: Sequence[RecordFill],
    known: Mapping[str, Booked],
    found: Sequence[Difference],
    began: datetime,
) -> Sequence[RecordFill]:
    """Return the executions to report: known ones that say more, and the latest that close a gap.

    A statement reaches back to what the book began with, and to what somebody explained without
    it: of the unknown ones of a symbol the latest are taken that come to its difference, or none.
    """
    taken: list[RecordFill] = []
    unknown: dict[str, list[RecordFill]] = defaultdict(list)
    for fill in sorted(executions, key=lambda one: (one.at, one.execution_id)):
        if (booked := known.get(fill.execution_id)) is None:
            if fill.at >= began:
                unknown[fill.symbol].append(fill)
        elif booked.revision < fill.revision:
            taken.append(replace(fill, order_id=booked.order_id))
    for difference in found:
        late = unknown.get(difference.subject, [])
        sums = list(accumulate((fill.quantity for fill in reversed(late)), initial=ZERO))
        gap = difference.broker - difference.ours
        if gap in sums:
            count = len(sums) - 1 - sums[::-1].index(gap)
            taken += late[len(late) - count :]
    return taken
