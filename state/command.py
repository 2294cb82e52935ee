"""What may be asked of the state. Imperative mood; the time comes beside it, as a Moment."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from state.alert import Alert
from state.belief import Belief
from state.blended import Blended
from state.event import (
    Booked,
    CashKind,
    Difference,
    EvolutionEnded,
    EvolutionStarted,
    GenerationBred,
    HoldoutTouched,
    ShadowWatched,
    Start,
)
from state.evolved import GenomeId, RunId
from state.instrument import Symbol
from state.order import Order, OrderId, Rid
from state.plan import PlanId, Preview
from state.quote import Bar, Missed


class Caps(msgspec.Struct, frozen=True):
    """What one principal may do a day at most; None for no cap of its own."""

    operations: int | None = None
    notional: Decimal | None = None


class Cause(msgspec.Struct, frozen=True):
    """Who asked, and under which idempotency key: `digest` is of the arguments.

    `uid` is None for who came over the network; `rule` is why it was allowed.
    """

    rid: Rid
    key: str
    op: str
    principal: str
    digest: str
    uid: int | None = None
    rule: str = ""
    caps: Caps = Caps()


# What a client may ask. These cross the wire as they are.


class MakePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="plan", tag_field="op"):
    """Compute a rebalance and store it, for `ttl` seconds (None: `execution.plan_ttl`)."""

    ttl: float | None = None
    only: tuple[Symbol, ...] = ()


class ApprovePlan(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="approve", tag_field="op"
):
    """Say yes to a plan."""

    plan_id: PlanId


class RejectPlan(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="reject", tag_field="op"
):
    """Say no to a plan; it can't be executed any more."""

    plan_id: PlanId


class ExecutePlan(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="execute", tag_field="op"
):
    """Submit exactly the orders of a stored plan, or refuse."""

    plan_id: PlanId
    require_approval: bool = False


class Rebalance(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rebalance", tag_field="op"
):
    """Plan and submit in one step; `only` narrows it to some symbols."""

    only: tuple[Symbol, ...] = ()


class SubmitOrder(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="order", tag_field="op"
):
    """Ask for one order; `quantity` is positive, the side says which way."""

    side: Literal["buy", "sell"]
    symbol: Symbol
    quantity: Decimal
    limit_price: Decimal | None = None


class CancelOrders(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cancel", tag_field="op"
):
    """Ask open orders back: one, or all when `order_id` is None."""

    order_id: OrderId | None = None


class Halt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="halt", tag_field="op"):
    """Stop trading in a scope, cancel its open orders, and with `flatten` close its positions."""

    reason: str
    scope: str = "account"  # or "symbol:SYM"
    flatten: bool = False


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="resume", tag_field="op"):
    """Lift a halt; `accept_risk` names who takes the responsibility."""

    reason: str
    accept_risk: str
    scope: str = "account"


class MoveCash(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cash", tag_field="op"):
    """Book cash that is not trading profit; `amount` is positive."""

    kind: Literal["deposit", "withdraw", "dividend"]
    amount: Decimal


Kind = Annotated[
    str,
    Meta(pattern=r"^(dividend|deposit|withdrawal|adjustment|split:[0-9.]{1,12}(:[0-9.]{1,12})?)$"),
]


class AcceptDifference(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="reconcile_accept", tag_field="op"
):
    """Book the differences the last reconciliation found, as what `kind` says they are."""

    kind: Kind
    reason: str


class ChangeLimits(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="limits_set", tag_field="op"
):
    """Set risk limits, each as "NAME=VALUE"; `accept_risk` names who answers for a wider one."""

    changes: tuple[str, ...]
    reason: str
    accept_risk: str = ""


class ExpectDifference(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="reconcile_expect", tag_field="op"
):
    """Announce what will happen at the broker: cash of `amount` (positive), or a symbol's split."""

    kind: Kind
    reason: str
    amount: Decimal | None = None
    symbol: Symbol | None = None


class Shutdown(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="shutdown", tag_field="op"
):
    """Stop the daemon cleanly."""


class CancelEvolution(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="evolve_cancel", tag_field="op"
):
    """Stop a run of evolution, whichever is under way when `run_id` is empty."""

    run_id: RunId = ""


class Promote(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="strategy_promote", tag_field="op"
):
    """Put a candidate that passed the gate in charge; `accept_risk` names who answers for it."""

    genome_id: GenomeId
    reason: str
    accept_risk: str


class Rollback(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="strategy_rollback", tag_field="op"
):
    """Take the genome in charge back; the one before it follows."""

    reason: str
    accept_risk: str


ClientCommand = (
    MakePlan
    | ApprovePlan
    | RejectPlan
    | ExecutePlan
    | Rebalance
    | SubmitOrder
    | CancelOrders
    | Halt
    | Resume
    | MoveCash
    | AcceptDifference
    | ChangeLimits
    | ExpectDifference
    | Shutdown
    | CancelEvolution
    | Promote
    | Rollback
)


# What the daemon's own parts report. They never cross the wire.


class MakePreviewedPlan(msgspec.Struct, frozen=True):
    """What a client asked, and what the broker said of the orders that it would have come to."""

    ask: MakePlan
    previews: tuple[Preview, ...]


class CloseBars(msgspec.Struct, frozen=True):
    """Bars closed, and what the strategy wants now: `targets` are weights, None for no opinion.

    `undecided` says why there are none where some were wanted; the strategy failed then.
    """

    at: datetime
    session: date
    bars: tuple[Bar, ...]
    targets: dict[Symbol, float] | None = None
    strategy: str = ""
    next_session: bool = True  # whether an order made now has a session to trade in
    missed: tuple[Missed, ...] = ()
    belief: Belief | None = None
    undecided: str = ""
    blend: Blended | None = None


class Claim(msgspec.Struct, frozen=True):
    """The sender takes pending orders; ids for the broker are given out from `floor` upwards."""

    order_ids: tuple[OrderId, ...]
    floor: int = 1


class ReportKind(StrEnum):
    """What a broker can say of an order."""

    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"  # the connection went while the order was in doubt
    NOT_SEEN = "not_seen"  # two looks at the broker did not find it


class Withhold(msgspec.Struct, frozen=True):
    """The sender claimed an order and, by its own last look, will never send it."""

    order_id: OrderId
    why: Literal["expired", "halted"]
    reason: str


class RecordStatus(msgspec.Struct, frozen=True):
    """The broker's word on an order; `filled` is its own cumulative count.

    `over` is the order as the journal keeps it, given by the engine when memory let it go.
    """

    order_id: OrderId
    kind: ReportKind
    broker_id: str | None = None
    filled: Decimal | None = None
    reason: str = ""
    over: Order | None = None


class RecordFill(msgspec.Struct, frozen=True):
    """One execution; `quantity` is signed, `fee` negative for a rebate.

    The highest `revision` of an `execution_id` is what happened, in whatever order they come; a
    quantity of 0 undoes it. `over` and `booked` are given by the engine: the order and the
    execution as the journal keeps them, when memory let them go.
    """

    execution_id: str
    order_id: OrderId
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime
    revision: int = 0
    over: Order | None = None
    booked: Booked | None = None


class RecordOpenOrder(msgspec.Struct, frozen=True):
    """The broker has an open order that is not open with us; `order` is what is known of it.

    `over` is given by the engine: the order of that id as the journal keeps it.
    """

    order: Order
    over: Order | None = None

    @property
    def order_id(self) -> OrderId:
        """Return which order it is about."""
        return self.order.order_id


class StatedCash(msgspec.Struct, frozen=True):
    """Cash that a statement says came (positive) or went, under the broker's own reference."""

    ref: str
    kind: CashKind
    amount: Decimal
    reason: str
    at: datetime


class StatedSplit(msgspec.Struct, frozen=True):
    """A split that a statement tells, under the broker's own reference: `new` units for `old`."""

    ref: str
    symbol: Symbol
    new: Decimal
    old: Decimal
    reason: str


class RecordReconciliation(msgspec.Struct, frozen=True):
    """The books were compared with the broker's; no differences means they agree.

    `settled` are orders that owed the same executions at the comparison before, which agreed too.
    `opening` is the cash that the account began with: what the broker had when it was asked,
    without the executions booked by then.
    `stated` is the cash of a statement that was never booked by one, oldest first; `splits` are
    those of it that the differences bear out.
    """

    differences: tuple[Difference, ...] = ()
    started: bool = False  # the comparison begins: nothing is sent until it ends
    looked: bool = False  # only the broker's news were booked so far
    opening: Decimal | None = None
    settled: tuple[OrderId, ...] = ()
    stated: tuple[StatedCash, ...] = ()
    splits: tuple[StatedSplit, ...] = ()


class RecordStart(msgspec.Struct, frozen=True):
    """The daemon started with these settings; a replay needs nothing else."""

    start: Start


class RecordDenial(msgspec.Struct, frozen=True):
    """Somebody asked for what is not theirs to ask; `times` counts what was told together."""

    principal: str
    uid: int | None
    op: str
    digest: str
    rule: str
    times: int = 1


class HaltForDisk(msgspec.Struct, frozen=True):
    """The journal's disk is full (or has room again)."""

    full: bool
    detail: str = ""


class RecordBackup(msgspec.Struct, frozen=True):
    """A verified copy of the journal up to record `seq`, whose hash is `hash`, is in `file`."""

    file: str
    seq: int
    hash: str
    bytes: int


class RecordEvolution(msgspec.Struct, frozen=True):
    """What evolution did: a run began, bred, is about to look at its holdout, is over, is watched.

    `promote` is the policy by which a candidate is put in charge when its shadow is over; empty:
    none.
    """

    happened: EvolutionStarted | GenerationBred | HoldoutTouched | EvolutionEnded | ShadowWatched
    promote: str = ""


class RecordAlert(msgspec.Struct, frozen=True):
    """People are being told of something."""

    alert: Alert


Report = (
    MakePreviewedPlan
    | CloseBars
    | Claim
    | Withhold
    | RecordStatus
    | RecordFill
    | RecordOpenOrder
    | RecordReconciliation
    | RecordStart
    | RecordBackup
    | RecordDenial
    | HaltForDisk
    | RecordEvolution
    | RecordAlert
)

Command = ClientCommand | Report
