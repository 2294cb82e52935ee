"""Executions as the gateway reports them, made into ours."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from ib_async import Contract, Execution, Fill
from ib_async.util import UNSET_DOUBLE

from state.command import RecordFill
from state.instrument import ZERO, Symbol, money
from state.order import name_of

SIDES: Final = {"BOT": 1, "SLD": -1}


class ReportUnreadable(ValueError):
    """A report says what can't be booked; it must be looked at, never left out."""


def identity(exec_id: str) -> tuple[str, int]:
    """Return an execution's id without its revision, and the revision: the part after the last dot.

    Raises ReportUnreadable.
    """
    root, dot, revision = exec_id.rpartition(".")
    if not dot or not root or not (revision.isascii() and revision.isdecimal()):
        raise ReportUnreadable(f"execution id {exec_id!r} does not end in .REVISION")
    return root, int(revision)


def record(fill: Fill, name: Callable[[Contract], Symbol]) -> RecordFill:
    """Return an execution for the book, its symbol by `name`; raise ReportUnreadable.

    Each of the gateway's revisions is two of ours, the second with its commission: it comes in a
    message of its own, later, twice, or never.
    """
    execution, charged = fill.execution, fill.commissionReport
    root, revision = identity(execution.execId)
    known = charged.execId == execution.execId and charged.commission != UNSET_DOUBLE
    return RecordFill(
        execution_id=root,
        order_id=name_of(execution.orderRef, str(execution.permId)),
        symbol=name(fill.contract),
        quantity=signed(execution),
        price=exact(execution.price),
        fee=exact(charged.commission) if known else ZERO,
        at=execution.time,
        revision=2 * revision + known,
    )


def signed(execution: Execution) -> Decimal:
    """Return its quantity, negative for a sale; raise ReportUnreadable."""
    side = SIDES.get(execution.side)
    if side is None:
        raise ReportUnreadable(f"{execution.execId} has side {execution.side!r}, not BOT or SLD")
    return side * exact(execution.shares)


def exact(number: float | Decimal | None) -> Decimal:
    """Return the decimal that a number of the wire was written as; raise ReportUnreadable."""
    if number is None or number == UNSET_DOUBLE:
        raise ReportUnreadable("the gateway left a number out")
    return money(Decimal(str(number)))
