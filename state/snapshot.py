"""Everything known, at one point in the journal."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import msgspec

from state.alert import Alert, Subject
from state.belief import Belief
from state.blended import STRATEGY, Blended, scope_of
from state.event import Booked, Difference, Expected, Start
from state.evolved import Evolution
from state.instrument import ZERO, Instrument, Symbol, amount
from state.ledger import Ledger
from state.order import Order, OrderId, Rid
from state.plan import Plan, PlanId
from state.quote import Mark
from state.settings import Limits


class Halting(msgspec.Struct, frozen=True):
    """A halt in force."""

    scope: str
    reason: str
    code: str
    actor: str
    at: datetime


class Day(msgspec.Struct, frozen=True):
    """The day's budgets. They belong to a session, so a restart or a clock moved back keeps them.

    `turnover` is the notional submitted, less what came back unfilled of orders made since it
    `began`, at its first close. `start_equity` is the equity at the last close before the session,
    moved with deposits and withdrawals.
    """

    session: date
    start_equity: Decimal
    turnover: Decimal = ZERO
    exempt: bool = False  # the first investment of an empty book
    orders: int = 0
    began: datetime | None = None
    pending: Decimal = ZERO  # unexplained cash booked, whichever way it went


class Usage(msgspec.Struct, frozen=True):
    """What a principal did this day: commands, and the notional of the orders they made."""

    operations: int = 0
    notional: Decimal = ZERO


class Asker(msgspec.Struct, frozen=True):
    """The last command taken, and who asked for it."""

    rid: Rid = ""
    principal: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """Everything known after `seq` events.

    `orders` holds the open ones, those that still owe executions, and those of commands not yet
    finished; the journal keeps the rest. `commands` maps a command in flight to its orders.
    `executions` are those booked lately, so that a repeat is dropped and a correction books the
    difference; the journal knows all. `cash_moves` are the latest ones by reference, so that those
    the broker may not know yet can be told apart. `recent` are the submission times of the last
    minute. `closing` is the equity at the last close and `high_water` the greatest at any, both
    moved with deposits and withdrawals. `decided` is the session that the targets are of,
    `undecided` why the strategy failed at a close since, which ends their use, and `without` the
    members of a blend whose capital they leave in cash. `expected` is what somebody announced,
    `pending` the cash booked that nobody explained yet. `None` in `start` means
    nothing was ever started. `start.limits` are those in force; `configured` are those the
    configuration asks for, `tuned` the names of the ones somebody set since. `usage` is by
    principal, `asker` the last command and who asked for it.
    """

    seq: int = 0
    start: Start | None = None
    instruments: Mapping[Symbol, Instrument] = {}
    marks: Mapping[Symbol, Mark] = {}
    bars: int = 0
    session: date | None = None
    at: datetime | None = None
    closed_at: datetime | None = None
    closing: Decimal = ZERO
    ledger: Ledger = Ledger()
    orders: Mapping[OrderId, Order] = {}
    commands: Mapping[Rid, tuple[OrderId, ...]] = {}
    plans: Mapping[PlanId, Plan] = {}
    targets: Mapping[Symbol, float] | None = None
    decided: date | None = None
    undecided: str = ""
    without: tuple[str, ...] = ()
    strategy: str = ""
    belief: Belief | None = None
    blend: Blended | None = None
    halts: Mapping[str, Halting] = {}
    day: Day | None = None
    recent: tuple[datetime, ...] = ()
    high_water: Decimal = ZERO
    drawdown: float = 0.0
    next_oid: int = 1
    invested: bool = False  # whether this book ever traded: the first investment is exempt once
    funded: bool = False
    executions: Mapping[str, Booked] = {}
    cash_moves: Mapping[str, Decimal] = {}
    reconciled: bool = False
    differences: tuple[Difference, ...] = ()
    configured: Limits | None = None
    tuned: tuple[str, ...] = ()
    usage: Mapping[str, Usage] = {}
    asker: Asker = Asker()
    expected: tuple[Expected, ...] = ()
    pending: Decimal = ZERO
    evolution: Evolution = Evolution()
    flattening: Mapping[Rid, str] = {}  # scopes to close when the books agree, by command
    alerts: Mapping[Subject, Alert] = {}  # those that stand

    def price(self, symbol: Symbol) -> Decimal | None:
        """Return the last price known, None when there never was one."""
        mark = self.marks.get(symbol)
        return mark.price if mark else None

    @property
    def equity(self) -> Decimal:
        """Return cash plus holdings at their last prices; an unpriced holding raises KeyError."""
        _, net = exposures(self)
        return self.ledger.cash + net

    @property
    def replaying(self) -> bool:
        """Return whether the market is a recording."""
        return self.start is not None and self.start.mode == "replay"

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Return the orders that are not final, oldest first."""
        return tuple(order for order in self.orders.values() if order.open)

    def working(self, symbol: Symbol) -> tuple[Decimal, Decimal]:
        """Return (buying, selling): what may still be bought and sold of a symbol, both >= 0."""
        buying = selling = ZERO
        for order in self.orders.values():
            if order.symbol == symbol:
                left = order.working
                buying, selling = buying + max(left, ZERO), selling + max(-left, ZERO)
        return buying, selling

    def halted_since(self) -> list[str]:
        """Return the members of a blend that were halted after the targets were decided."""
        shares = self.blend.shares if self.blend and self.strategy == STRATEGY else ()
        return [
            one.name
            for one in shares
            if scope_of(one.name) in self.halts and one.name not in self.without
        ]

    def halting(self, symbol: Symbol | None = None) -> Halting | None:
        """Return the halt that stops `symbol` (None: the whole account), if one is in force."""
        return self.halts.get("account") or (self.halts.get(f"symbol:{symbol}") if symbol else None)


def exposures(now: Snapshot) -> tuple[Decimal, Decimal]:
    """Return (gross, net) value of the holdings at their last prices, in base currency."""
    values = [
        amount(held.quantity, now.marks[symbol].price)
        for symbol, held in now.ledger.positions.items()
        if held.quantity
    ]
    return sum((abs(v) for v in values), ZERO), sum(values, ZERO)
