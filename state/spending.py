"""What one principal did this day, held against the caps of its own."""

from typing import Final

from msgspec.structs import replace

from state.command import Cause
from state.denial import Code, Denial
from state.event import OrderSubmitted
from state.instrument import amount
from state.order import Rid
from state.snapshot import Asker, Snapshot, Usage

UNCAPPED: Final = frozenset({"halt", "cancel"})  # what only cuts risk counts for nothing
NONE: Final = Usage()


def took(now: Snapshot, rid: Rid, op: str, principal: str) -> Snapshot:
    """A command was taken: it counts for who asked."""
    if op in UNCAPPED:
        return replace(now, asker=Asker(rid, principal))
    used = now.usage.get(principal, NONE)
    more = replace(used, operations=used.operations + 1)
    return replace(now, asker=Asker(rid, principal), usage={**now.usage, principal: more})


def spent(now: Snapshot, event: OrderSubmitted) -> Snapshot:
    """An order is on record: its notional counts for who asked, but for a flattening one."""
    principal = now.asker.principal
    if now.asker.rid != event.rid or event.source == "flatten":
        return now
    used = now.usage.get(principal, NONE)
    more = replace(used, notional=used.notional + abs(amount(event.quantity, event.price)))
    return replace(now, usage={**now.usage, principal: more})


def operations_over(now: Snapshot, cause: Cause) -> Denial | None:
    """Refuse a command past its principal's number a day; it is counted already."""
    most = cause.caps.operations
    count = now.usage.get(cause.principal, NONE).operations
    if most is None or cause.op in UNCAPPED or count <= most:
        return None
    return Denial(
        Code.DAY_OPERATIONS,
        cause.principal,
        str(count),
        str(most),
        f"this would be command number {count} of the day; {cause.principal} has {most}",
        "wait for the next session, or raise operations_a_day in the roles file",
    )


def notional_over(now: Snapshot, cause: Cause) -> Denial | None:
    """Refuse a command whose orders bring its principal past its notional a day."""
    most = cause.caps.notional
    total = now.usage.get(cause.principal, NONE).notional
    if most is None or now.asker.rid != cause.rid or cause.op in UNCAPPED or total <= most:
        return None
    return Denial(
        Code.DAY_NOTIONAL,
        cause.principal,
        str(total),
        str(most),
        f"with these orders {cause.principal} would have asked for {total:,.2f} this day; "
        f"its cap is {most:,.2f}",
        "ask for less, wait for the next session, or raise notional_a_day in the roles file",
    )
