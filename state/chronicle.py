"""The journal told as a report needs it: session by session, in one pass."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from state.apply import apply
from state.contributions import Contributed
from state.event import (
    BarsClosed,
    CashMoved,
    CommandRefused,
    ExecutionCorrected,
    GenerationBred,
    Halted,
    OrderDenied,
    OrderEvent,
    OrderFilled,
    OrderSubmitted,
    Resumed,
)
from state.evolved import RunId
from state.execution_quality import Placed
from state.headroom import equity, unpriced
from state.instrument import ZERO, Symbol, amount, ratio
from state.ledger import Position
from state.order import Order, OrderId
from state.outlook import outlook
from state.performance import Undefined, Valuation, time_weighted
from state.period import Period
from state.record import Recorded
from state.session import Session, joined
from state.shortfall import Measured
from state.snapshot import Snapshot


class Halt(msgspec.Struct, frozen=True):
    """A halt that was in force in the period; `resumed_at` None means it still is."""

    scope: str
    reason: str
    code: str
    actor: str
    at: datetime
    resumed_at: datetime | None = None
    resumed_by: str | None = None


class Flow(msgspec.Struct, frozen=True):
    """Cash that came (positive) or went other than by trading."""

    at: datetime
    kind: str
    amount: Decimal
    reason: str


class Executions(msgspec.Struct, frozen=True):
    """What was executed in one symbol."""

    count: int = 0
    notional: Decimal = ZERO


class Chronicle:
    """What happened in a period. `opening` and `closing` are all that was known at its two ends.

    Both ends are closes (`base` is the session of the first, None when there was none before), and
    money is counted between them. What comes after a close belongs to the next session: orders,
    denials and halts that no close has followed yet are counted, but executions and cash movements
    are only in `late`. `profits` are what orders that reduced a position made by it, after fees.
    """

    def __init__(self) -> None:
        self.opening = self.closing = self.now = Snapshot()
        self.base: Session | None = None
        self.sessions: list[Session] = []
        self.placed: dict[OrderId, Placed] = {}
        self.executions: dict[Symbol, Executions] = {}
        self.orders_executed: set[OrderId] = set()
        self.profits: dict[OrderId, Decimal] = {}
        self.denied: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.halts: list[Halt] = []
        self.flows: list[Flow] = []
        self.measured = Measured()
        self.contributed = Contributed()
        self.bred: dict[RunId, dict[int, Mapping[str, float]]] = {}
        self.late = 0
        self.last: Recorded | None = None
        self.counting = False
        self._valuations = [Valuation(ZERO)]
        self._unknown = ""
        self._traded: float | None = 0.0

    @property
    def based(self) -> tuple[Session, ...]:
        """Return the sessions, the last one before them first when there was one."""
        return (*((self.base,) if self.base else ()), *self.sessions)

    def begin(self) -> None:
        """Start to count: what was known at the last close is the opening."""
        self.counting, self.opening = True, self.closing
        self.base = self.sessions[-1] if self.sessions else None
        self.sessions = []
        self.halts = [halt for halt in self.halts if halt.resumed_at is None]

    def take(self, record: Recorded, *, settled: bool) -> None:
        """Take the next record; it is `settled` when a close follows it."""
        before, event = self.now, record.event
        self.now = apply(before, event)
        self.last = record
        if isinstance(event, OrderFilled | ExecutionCorrected | CashMoved):
            if not settled:
                self.late += 1
            elif isinstance(event, CashMoved):
                self._moved(before, event)
            else:
                self._executed(before, event)
        if self.counting:
            self.measured.take(event)
        match event:
            case BarsClosed():
                self._closed(event)
            case OrderSubmitted(source="rebalance"):
                self.contributed.ordered()
            case Halted(scope, reason, code, actor, at):
                self.halts.append(Halt(scope, reason, code, actor, at))
            case Resumed(scope, _, actor, at):
                self.halts = [
                    replace(halt, resumed_at=at, resumed_by=actor)
                    if halt.scope == scope and halt.resumed_at is None
                    else halt
                    for halt in self.halts
                ]
            case GenerationBred(run_id) if self.counting and event.stage != "perception":
                self.bred.setdefault(run_id, {})[event.generation] = event.best
            case OrderDenied(denial=denial) if self.counting:
                self.denied[denial.code.value] += 1
            case CommandRefused(denial=denial) if self.counting:
                self.refused[denial.code.value] += 1
            case _:
                pass
        if self.counting and isinstance(event, OrderEvent):
            self._follow(event)

    def end(self) -> None:
        """Stop: orders still open miss what they have missed by the last prices known."""
        for order_id, placed in self.placed.items():
            if placed.order.open:
                self.placed[order_id] = replace(placed, last=self._last_price(placed.order))

    def _follow(self, event: OrderEvent) -> None:
        """Keep an order submitted in the period as it stands after an event of its own."""
        order = self.now.orders.get(event.order_id)
        if order is None:  # a late execution of an order that the snapshot let go
            return
        if isinstance(event, OrderSubmitted):
            self.placed[event.order_id] = Placed(order, order.price)
        elif event.order_id in self.placed:
            placed = self.placed[event.order_id]
            first = placed.first_fill
            if first is None and isinstance(event, OrderFilled):
                first = event.traded_at
            self.placed[event.order_id] = Placed(order, self._last_price(order), first)

    def _last_price(self, order: Order) -> Decimal:
        """Return the last price known; what was decided by a quote may have no later one."""
        mark = self.now.marks.get(order.symbol)
        return mark.price if mark else order.price

    def _moved(self, before: Snapshot, event: CashMoved) -> None:
        flow = self.now.ledger.flows - before.ledger.flows
        if flow:
            worth = equity(before)
            if worth is None:
                self._unknown = f"cash moved while {', '.join(unpriced(before))} had no price"
            self._valuations.append(Valuation(worth or ZERO, flow))
        if self.counting:
            self.flows.append(Flow(event.at, event.kind, event.amount, event.reason))

    def _executed(self, before: Snapshot, event: OrderFilled | ExecutionCorrected) -> None:
        """Count an execution, or by how much it was corrected."""
        notional, fee, count = abs(amount(event.quantity, event.price)), event.fee, 1
        if isinstance(event, ExecutionCorrected):
            was = event.was
            notional, fee, count = notional - abs(amount(was.quantity, was.price)), fee - was.fee, 0
        put_in = self._valuations[-1].value + self._valuations[-1].flow
        if put_in <= 0:
            self._traded = None
        elif self._traded is not None:
            self._traded += ratio(notional, put_in)
        if not self.counting:
            return
        so_far = self.executions.get(event.symbol, Executions())
        self.executions[event.symbol] = Executions(so_far.count + count, so_far.notional + notional)
        self.orders_executed.add(event.order_id)
        held = before.ledger.positions.get(event.symbol, Position())
        made = self.now.ledger.positions[event.symbol].realized - held.realized - fee
        if held.quantity * event.quantity < 0 or not count:
            self.profits[event.order_id] = self.profits.get(event.order_id, ZERO) + made

    def _closed(self, event: BarsClosed) -> None:
        """Close a session, or go on with it when it had a close before."""
        growth, undefined = self._growth(event.equity)
        weights = self._weights(event.equity) if self.counting else {}
        heaviest = max(weights, key=lambda symbol: abs(weights[symbol]), default="")
        day = Session(
            event.session,
            event.at,
            event.equity,
            growth,
            undefined,
            self._traded,
            event.gross,
            event.net,
            heaviest,
            weights.get(heaviest, 0.0),
            weights,
            outlook(event.belief) if self.counting and event.belief is not None else None,
            self.now.ledger.flows,
        )
        self.contributed.closed(self.now, event, day.outlook, counts=self.counting)
        if self.sessions and self.sessions[-1].session == event.session:
            day = joined(self.sessions.pop(), day)
        self.sessions.append(day)
        self.closing = self.now
        self._valuations, self._unknown, self._traded = [Valuation(event.equity)], "", 0.0

    def _growth(self, worth: Decimal) -> tuple[float | None, str]:
        valuations = [*self._valuations, Valuation(worth)]
        if self._unknown:
            return None, self._unknown
        if not any(v.value or v.flow for v in valuations):
            return None, ""
        try:
            return time_weighted(valuations), ""
        except Undefined as why:
            return None, str(why)

    def _weights(self, worth: Decimal) -> dict[Symbol, float]:
        """Return the share of equity in each holding; floats, for there are many closes."""
        if worth <= 0:
            return {}
        marks = self.now.marks
        return {
            symbol: float(held.quantity) * float(marks[symbol].price) / float(worth)
            for symbol, held in self.now.ledger.positions.items()
            if held.quantity and symbol in marks
        }


def chronicle(records: Iterable[Recorded], within: Period) -> Chronicle:
    """Return what happened `within` a period; `records` are the journal's, from its beginning."""
    told = Chronicle()
    for interval in intervals(records):
        event = interval[-1].event
        if isinstance(event, BarsClosed):
            if within.end is not None and event.session > within.end:
                break
            if not told.counting and (within.start is None or event.session >= within.start):
                told.begin()
            for record in interval:
                told.take(record, settled=True)
        elif within.end is None or told.now.session is None or within.end > told.now.session:
            if not told.counting:
                told.begin()  # nothing closed in the period yet
            for record in interval:
                told.take(record, settled=False)
    if not told.counting:
        told.begin()
    told.end()
    return told


def intervals(records: Iterable[Recorded]) -> Iterator[list[Recorded]]:
    """Yield the records up to and with each close, then those after the last, if there are any."""
    interval: list[Recorded] = []
    for record in records:
        interval.append(record)
        if isinstance(record.event, BarsClosed):
            yield interval
            interval = []
    if interval:
        yield interval
