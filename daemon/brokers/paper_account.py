"""What the paper broker knows: its orders, trades, holdings and cash. Pure.

Its arithmetic is its own on purpose: reconciliation compares it with our ledger's.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec.structs import replace

from state.command import RecordFill, RecordStatus, ReportKind
from state.instrument import ZERO, Symbol
from state.order import Order


class PaperOrder(msgspec.Struct, frozen=True):
    """An order in the broker's book. `quantity` is signed; `filled`, `value`, `fees` never are.

    `touched` is the market time of its last change: no price up to it trades it again.
    """

    broker_oid: int
    order_ref: str
    order_id: str
    symbol: Symbol
    quantity: Decimal
    limit_price: Decimal | None
    session: date
    created_at: datetime
    touched: datetime
    status: Literal["open", "filled", "cancelled", "rejected"] = "open"
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fees: Decimal = ZERO
    executions: int = 0
    reason: str = ""

    @property
    def broker_id(self) -> str:
        """Return the name the broker gives it."""
        return f"P{self.broker_oid}"

    @property
    def side(self) -> int:
        """Return +1 for a purchase, -1 for a sale."""
        return 1 if self.quantity > 0 else -1

    @property
    def left(self) -> Decimal:
        """Return what may still trade, never negative."""
        return abs(self.quantity) - self.filled


class Execution(msgspec.Struct, frozen=True):
    """An order's `n`-th trade; `amount` is signed like its quantity.

    `booked_at` is the time of the price that was shown, which may be later than the trade.
    """

    broker_oid: int
    n: int
    fill: RecordFill
    amount: Decimal
    booked_at: datetime


class Account(msgspec.Struct, frozen=True):
    """What is held and what is open. Completed orders are the file's to remember."""

    cash: Decimal = ZERO
    positions: Mapping[Symbol, Decimal] = {}
    open: Mapping[str, PaperOrder] = {}  # by order_ref
    next_oid: int = 1


class Placement(msgspec.Struct, frozen=True):
    """An order arrives."""

    order: Order
    broker_oid: int


class Cancellation(msgspec.Struct, frozen=True):
    """An order is asked back."""

    order_ref: str


class Movement(msgspec.Struct, frozen=True):
    """Cash comes (positive) or goes."""

    ref: str
    signed: Decimal


Message = Placement | Cancellation | Movement


class Refusal(msgspec.Struct, frozen=True):
    """A message that could not even become a rejected order: evidence of a fault in the sender."""

    order_ref: str
    broker_oid: int | None
    reason: str


class Known(msgspec.Struct, frozen=True):
    """What the file remembers of the things a batch of messages names."""

    completed: Mapping[str, PaperOrder] = {}  # by order_ref
    moves: frozenset[str] = frozenset()


class Step(msgspec.Struct, frozen=True):
    """The account afterwards, the rows to write, and the reports to make once they are durable."""

    account: Account
    orders: Sequence[PaperOrder] = ()
    executions: Sequence[Execution] = ()
    moves: Sequence[Movement] = ()
    refusals: Sequence[Refusal] = ()
    reports: Sequence[RecordStatus | RecordFill] = ()

    @property
    def empty(self) -> bool:
        """Return whether there is nothing to write."""
        return not (self.orders or self.executions or self.moves or self.refusals)


class Changes:
    """An account while one step is made of it; `step` is what comes of it."""

    def __init__(self, account: Account) -> None:
        self.cash, self.next_oid = account.cash, account.next_oid
        self.positions, self.open = dict(account.positions), dict(account.open)
        self.orders: dict[str, PaperOrder] = {}
        self.executions: list[Execution] = []
        self.moves: list[Movement] = []
        self.refusals: list[Refusal] = []
        self.reports: list[RecordStatus | RecordFill] = []

    def order(self, order: PaperOrder) -> None:
        """Keep an order as it now stands."""
        ref = order.order_ref
        self.orders[ref] = order
        self.next_oid = max(self.next_oid, order.broker_oid + 1)
        if order.status == "open":
            self.open[ref] = order
        else:
            self.open.pop(ref, None)

    def execution(self, execution: Execution) -> None:
        """Book a trade and report it."""
        fill = execution.fill
        self.cash -= execution.amount + fill.fee
        self.positions[fill.symbol] = self.positions.get(fill.symbol, ZERO) + fill.quantity
        self.executions.append(execution)
        self.reports.append(fill)

    def movement(self, movement: Movement) -> None:
        """Book cash that came or went."""
        self.cash += movement.signed
        self.moves.append(movement)

    @property
    def step(self) -> Step:
        """Return what changed."""
        return Step(
            Account(self.cash, self.positions, self.open, self.next_oid),
            tuple(self.orders.values()),
            self.executions,
            self.moves,
            self.refusals,
            self.reports,
        )


def ended(order: PaperOrder, reason: str, at: datetime | None) -> PaperOrder:
    """Return an order that will trade no more."""
    touched = max(order.touched, at) if at else order.touched
    return replace(order, status="cancelled", reason=reason, touched=touched)


def report(order: PaperOrder) -> RecordStatus:
    """Return the broker's word on an order as it stands; that it filled, its executions say."""
    kind = {"cancelled": ReportKind.CANCELLED, "rejected": ReportKind.REJECTED}.get(
        order.status, ReportKind.ACCEPTED
    )
    return RecordStatus(order.order_id, kind, order.broker_id, order.filled, order.reason)
