"""Why nothing was traded: what in the journal held trading up, each with its value and its bound.

Pure: made of records alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Self

import msgspec

from state.denial import Denial
from state.event import (
    BarsClosed,
    BarsMissed,
    CommandReceived,
    CommandRefused,
    CommandSkipped,
    Halted,
    OrderCancelled,
    OrderDenied,
    OrderFilled,
    OrderLost,
    OrderRejected,
    OrderStopped,
    PlanRejected,
    Reconciled,
    Resumed,
)
from state.record import Recorded

OF_REASONS: Final = (
    *("command_refused", "command_skipped", "order_denied", "order_stopped", "order_rejected"),
    *("order_cancelled", "order_lost", "halted", "resumed", "bars_missed", "reconciled"),
    "plan_rejected",
)
TRADING: Final = frozenset({"plan", "execute", "rebalance", "order"})


class Reason(msgspec.Struct, frozen=True):
    """One thing that held trading up; `seq` is its record's number, 0 for what is not there."""

    seq: int
    at: datetime | None
    code: str
    message: str
    subject: str = ""
    value: str = ""
    limit: str = ""
    hint: str = ""


class Closed(msgspec.Struct, frozen=True):
    """The account at a close: money, and gross and net exposure as fractions of equity."""

    at: datetime
    session: date
    equity: Decimal
    cash: Decimal
    gross: float
    net: float
    strategy: str

    @classmethod
    def of(cls, bars: BarsClosed) -> Self:
        """Return the account as a close has it."""
        return cls(
            bars.at, bars.session, bars.equity, bars.cash, bars.gross, bars.net, bars.strategy
        )


def reasons(found: Iterable[Recorded]) -> Iterator[Reason]:
    """Yield what held trading up, in the order in which it was written.

    A command that was refused for what the gate said of its order is told once.
    """
    denials = set()
    for record in found:
        match record.event:
            case OrderDenied(rid=rid, denial=denial):
                denials.add((rid, denial))
            case CommandRefused(rid=rid, denial=denial) if (rid, denial) in denials:
                continue
        if (one := reason(record)) is not None:
            yield one


def reason(record: Recorded) -> Reason | None:
    """Return what a record says against trading, None when it says nothing."""
    event, seq, at = record.event, record.seq, record.event.at
    match event:
        case CommandRefused(denial=denial) | OrderDenied(denial=denial):
            return denied(seq, at, denial, getattr(event, "order_id", ""))
        case CommandSkipped(code=code, message=message):
            return Reason(seq, at, code, message)
        case Halted():
            return Reason(
                seq, at, "HALTED", f"{event.actor} halted {event.scope}: {event.reason}",
                event.scope, event.code, "",
                f"when the cause is gone: tm resume --scope {event.scope} --reason TEXT "
                "--accept-risk NAME",
            )  # fmt: skip
        case Resumed():
            message = f"{event.actor} resumed {event.scope}: {event.reason}"
            return Reason(seq, at, "RESUMED", message, event.scope)
        case BarsMissed(symbols=symbols):
            message = f"the feed lost the bars of {', '.join(symbols)}"
            return Reason(seq, at, "BARS_MISSED", message, value=str(len(symbols)), limit="0")
        case Reconciled(differences=differences) if differences:
            said = "; ".join(f"{d.subject}: ours {d.ours}, broker {d.broker}" for d in differences)
            return Reason(
                seq, at, "BOOKS_DIFFER", said, value=str(len(differences)), limit="0",
                hint="see tm reconcile; book an explained difference with tm reconcile accept",
            )  # fmt: skip
        case PlanRejected():
            message = f"{event.by} rejected the plan {event.plan_id}"
            return Reason(seq, at, "PLAN_REJECTED", message, event.plan_id)
        case OrderStopped(why=why):
            return Reason(seq, at, why.upper(), event.reason, event.order_id)
        case OrderCancelled() | OrderRejected() | OrderLost():
            code = type(event).__name__.removeprefix("Order").upper()
            return Reason(seq, at, code, event.reason, event.order_id)
    return None


def denied(seq: int, at: datetime, denial: Denial, order_id: str) -> Reason:
    """Return a denial as a reason."""
    subject = " ".join(filter(None, (order_id, denial.subject)))
    return Reason(
        seq, at, denial.code, denial.message, subject, denial.value, denial.limit, denial.hint
    )


def standing(found: Iterable[Recorded]) -> Iterator[Reason]:
    """Yield the halts that still stand after `found`, all halts and resumes so far."""
    halts: dict[str, Recorded] = {}
    for record in found:
        match record.event:
            case Halted(scope=scope):
                halts[scope] = record
            case Resumed(scope=scope):
                halts.pop(scope, None)
    return reasons(halts.values())


def silence(
    day: date, found: Sequence[Recorded], before: BarsClosed | None, own: BarsClosed | None
) -> Iterator[Reason]:
    """Yield why a day without a trade had none, as far as no record says it.

    before  the close that its orders were decided at, None when it was the first
    own     its own close, None when there is none on record
    """
    events = [record.event for record in found]
    if own is None:
        last = f"; the last before it is of {before.session}" if before else ""
        yield Reason(
            0, None, "NO_CLOSE", f"no close of {day} is on record{last}", value="0", limit="1",
            hint="no session, the feed had nothing of it, or it has not come yet: tm health",
        )  # fmt: skip
    if any(isinstance(event, OrderFilled) for event in events):
        return
    if before is None:
        yield Reason(0, None, "FIRST_CLOSE", "nothing had closed before: there were no prices")
    elif before.undecided:
        yield Reason(
            0, before.at, "TARGETS_STALE",
            f"the strategy failed at the close of {before.session}: {before.undecided}",
            value=before.strategy, hint="the next close that it decides makes good for it",
        )  # fmt: skip
    elif before.targets is None:
        yield Reason(
            0, before.at, "NO_TARGETS", f"the close of {before.session} led to no targets",
            value=before.strategy, hint="tm status says whether the strategy is ready",
        )  # fmt: skip
    if not any(isinstance(event, CommandReceived) and event.op in TRADING for event in events):
        yield Reason(
            0, None, "NOBODY_ASKED", "no plan, rebalance or order was asked for",
            value="0", limit="1",
            hint="with trading.mode = \"autonomous\" only the days of trading.rebalance trade; "
            "else tm rebalance",
        )  # fmt: skip
