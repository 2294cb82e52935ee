"""What has happened. Past tense; frozen; the only thing the journal holds."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from state.alert import Alert
from state.belief import Belief
from state.blended import Blended
from state.denial import Denial
from state.evolved import (
    Champion,
    Course,
    Ended,
    GenomeId,
    Influence,
    Member,
    RunId,
    Shadow,
    Verdict,
)
from state.instrument import Instrument, Symbol
from state.order import Order, OrderId, Rid
from state.plan import Plan, PlanId
from state.quote import Bar
from state.settings import Execution, Limits


class Start(msgspec.Struct, frozen=True):
    """What one run of the daemon was started with; `broker` is whose books these are.

    That is "paper", or "ib" and the account's name; "" in a journal from before it was told.
    """

    version: str
    config_hash: str
    account: str
    base_currency: str
    mode: Literal["replay", "paper", "live"]
    calendar: str
    strategy: str
    instruments: tuple[Instrument, ...]
    limits: Limits
    execution: Execution
    cost_bps: float = 0.0  # fee and slippage together, for estimates
    restricted: tuple[Symbol, ...] = ()
    broker: str = ""


class Difference(msgspec.Struct, frozen=True):
    """Where our book and the broker's disagree; the subject is "cash" or a symbol."""

    subject: str
    ours: Decimal
    broker: Decimal


class Started(msgspec.Struct, frozen=True, tag="started"):
    """A run of the daemon began."""

    start: Start
    at: datetime


class CommandReceived(msgspec.Struct, frozen=True, tag="command_received"):
    """A keyed command was taken; what it caused follows in the same transaction.

    `uid` is None for who came over the network; `rule` is why it was allowed.
    """

    rid: Rid
    key: str
    op: str
    principal: str
    digest: str
    at: datetime
    uid: int | None = None
    rule: str = ""


class RequestDenied(msgspec.Struct, frozen=True, tag="request_denied"):
    """Somebody asked for what is not theirs to ask; `times` counts what was told together."""

    principal: str
    uid: int | None
    op: str
    digest: str
    rule: str
    at: datetime
    times: int = 1


class CommandRefused(msgspec.Struct, frozen=True, tag="command_refused"):
    """A durable no: no order exists or ever will under this key."""

    rid: Rid
    denial: Denial
    at: datetime


class CommandSkipped(msgspec.Struct, frozen=True, tag="command_skipped"):
    """There was nothing to do; `code` says why (AT_TARGET, NO_ROOM, FEED_ENDED, MARKET_CLOSED)."""

    rid: Rid
    code: str
    message: str
    at: datetime


class CommandFinished(msgspec.Struct, frozen=True, tag="command_finished"):
    """The last order of a command became final; its orders, as they ended."""

    rid: Rid
    orders: tuple[Order, ...]
    at: datetime


class BarsClosed(msgspec.Struct, frozen=True, tag="bars_closed"):
    """A close, what was believed and wanted by it, and the account as it stood after it.

    `undecided` says why the strategy had no targets where they were wanted.
    """

    at: datetime
    session: date
    bars: tuple[Bar, ...]
    equity: Decimal
    cash: Decimal
    gross: float
    net: float
    targets: Mapping[Symbol, float] | None = None
    strategy: str = ""
    belief: Belief | None = None
    undecided: str = ""
    blend: Blended | None = None


class BarsMissed(msgspec.Struct, frozen=True, tag="bars_missed"):
    """Bars of a session that the feed lost: what followed was decided without them."""

    session: date
    symbols: tuple[Symbol, ...]
    at: datetime


class PlanMade(msgspec.Struct, frozen=True, tag="plan_made"):
    """A rebalance was computed and stored."""

    plan: Plan
    at: datetime


class PlanApproved(msgspec.Struct, frozen=True, tag="plan_approved"):
    """A named human said yes."""

    plan_id: PlanId
    by: str
    at: datetime


class PlanRejected(msgspec.Struct, frozen=True, tag="plan_rejected"):
    """A named human said no."""

    plan_id: PlanId
    by: str
    at: datetime


class PlanExecuted(msgspec.Struct, frozen=True, tag="plan_executed"):
    """A plan's orders were submitted; it can't be executed again."""

    plan_id: PlanId
    rid: Rid
    at: datetime


class TurnoverExempted(msgspec.Struct, frozen=True, tag="turnover_exempted"):
    """The first investment of an empty book was let past `risk.max_day_turnover`, once."""

    session: date
    at: datetime


class OrderSubmitted(msgspec.Struct, frozen=True, tag="order_submitted"):
    """An order passed the gate and waits for the sender; `quantity` is signed."""

    order_id: OrderId
    rid: Rid
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    limit_price: Decimal | None
    source: str
    session: date
    at: datetime


class OrderDenied(msgspec.Struct, frozen=True, tag="order_denied"):
    """The gate stopped an order."""

    order_id: OrderId
    rid: Rid
    symbol: Symbol
    quantity: Decimal
    denial: Denial
    at: datetime


class OrderClaimed(msgspec.Struct, frozen=True, tag="order_claimed"):
    """The sender took an order under a fresh broker order id: from here it is in doubt."""

    order_id: OrderId
    broker_oid: int
    at: datetime


class OrderStopped(msgspec.Struct, frozen=True, tag="order_stopped"):
    """A pending order will not be sent: its time passed, or trading was halted."""

    order_id: OrderId
    why: Literal["expired", "halted", "cancelled"]
    reason: str
    at: datetime


class OrderAccepted(msgspec.Struct, frozen=True, tag="order_accepted"):
    """The broker has the order."""

    order_id: OrderId
    broker_id: str | None
    reported: Decimal
    at: datetime


class CancelRequested(msgspec.Struct, frozen=True, tag="cancel_requested"):
    """An open order is asked back; only the broker can say that it is cancelled."""

    order_id: OrderId
    reason: str
    at: datetime


class OrderCancelled(msgspec.Struct, frozen=True, tag="order_cancelled"):
    """The broker says the rest of the order will not trade."""

    order_id: OrderId
    reported: Decimal
    reason: str
    at: datetime


class OrderRejected(msgspec.Struct, frozen=True, tag="order_rejected"):
    """The broker refused the order."""

    order_id: OrderId
    reported: Decimal
    reason: str
    at: datetime


class OrderLost(msgspec.Struct, frozen=True, tag="order_lost"):
    """Nobody can say where the order is; its symbol is frozen until the broker can."""

    order_id: OrderId
    reason: str
    at: datetime


class OrderNotPlaced(msgspec.Struct, frozen=True, tag="order_not_placed"):
    """By two looks the order never reached the broker; it is never sent again."""

    order_id: OrderId
    at: datetime


class OrderFilled(msgspec.Struct, frozen=True, tag="order_filled"):
    """One execution; `quantity` is signed (a sale is negative), a negative `fee` is a rebate.

    `at` is when we booked it, `traded_at` when the broker says it happened.
    """

    execution_id: str
    order_id: OrderId
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    fee: Decimal
    traded_at: datetime
    at: datetime
    revision: int = 0


class Booked(msgspec.Struct, frozen=True):
    """An execution as it stands in the book: what a repeat is known by, and a correction undoes.

    `session` is the one it was booked in, `revision` the highest seen of it.
    """

    session: date
    order_id: OrderId
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    fee: Decimal
    traded_at: datetime
    revision: int = 0


class ExecutionCorrected(msgspec.Struct, frozen=True, tag="execution_corrected"):
    """The broker gave an execution a higher revision: it was booked as `was`, and is this now."""

    execution_id: str
    order_id: OrderId
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    fee: Decimal
    traded_at: datetime
    revision: int
    was: Booked
    at: datetime


class OrderRecalled(msgspec.Struct, frozen=True, tag="order_recalled"):
    """The broker has news of an order that was over and let go: it is followed again."""

    order: Order
    at: datetime


class OrderAdopted(msgspec.Struct, frozen=True, tag="order_adopted"):
    """The broker has an open order that our book has not: somebody else's, or a zombie of ours.

    It counts from here.
    """

    order: Order
    at: datetime


class OrderSettled(msgspec.Struct, frozen=True, tag="order_settled"):
    """An order waits no longer for executions that the broker counted and never told.

    The books agree without them.
    """

    order_id: OrderId
    reason: str
    at: datetime


class OrderReleased(msgspec.Struct, frozen=True, tag="order_released"):
    """A recalled order is over again; its command's reply stays what it was."""

    order: Order
    at: datetime


CashKind = Literal[
    "initial", "deposit", "withdraw", "dividend", "adjustment", "pending", "explained"
]


STATED: Final = "statement "  # how the reason of cash begins that a statement explained


class CashMoved(msgspec.Struct, frozen=True, tag="cash_moved"):
    """Cash came (positive) or went; deposits and withdrawals are kept apart from return.

    What is "pending" was at the broker, small, and unexplained; "explained" takes it back when
    somebody says what it was. `ref` names a movement that the paper broker has to make too; empty
    when it already has.
    """

    kind: CashKind
    amount: Decimal
    reason: str
    at: datetime
    ref: str = ""


class PositionAdjusted(msgspec.Struct, frozen=True, tag="position_adjusted"):
    """An explained difference was booked: `quantity` is the signed change, `price` its value."""

    symbol: Symbol
    quantity: Decimal
    price: Decimal
    reason: str
    at: datetime


class SplitBooked(msgspec.Struct, frozen=True, tag="split_booked"):
    """Of `old` units of a holding became `new`, at the same total cost: `quantity` came in all."""

    symbol: Symbol
    new: Decimal
    old: Decimal
    quantity: Decimal
    reason: str
    at: datetime


class Expected(msgspec.Struct, frozen=True):
    """Something that somebody announced will happen at the broker: cash (signed), or a split."""

    rid: Rid
    kind: str
    amount: Decimal
    symbol: Symbol
    reason: str
    session: date


class DifferenceExpected(msgspec.Struct, frozen=True, tag="difference_expected"):
    """A difference was announced: when it is found it is booked, and halts nothing."""

    expected: Expected
    at: datetime


class ExpectationMet(msgspec.Struct, frozen=True, tag="expectation_met"):
    """What was announced under `rid` happened."""

    rid: Rid
    at: datetime


class Halted(msgspec.Struct, frozen=True, tag="halted"):
    """Trading stopped in a scope: "account" or "symbol:SYM"."""

    scope: str
    reason: str
    code: str
    actor: str
    at: datetime


class FlattenQueued(msgspec.Struct, frozen=True, tag="flatten_queued"):
    """Positions are to be closed as soon as the books are known to agree with the broker's."""

    rid: Rid
    scope: str
    at: datetime


class FlattenDue(msgspec.Struct, frozen=True, tag="flatten_due"):
    """A queued flattening happens now, or, after a resume, not at all."""

    rid: Rid
    at: datetime


class Resumed(msgspec.Struct, frozen=True, tag="resumed"):
    """A halt was lifted by somebody who said so by name."""

    scope: str
    reason: str
    actor: str
    at: datetime


class LimitsChanged(msgspec.Struct, frozen=True, tag="limits_changed"):
    """Limits were set by a person, as `changes` says; `limits` are those in force from here."""

    changes: tuple[str, ...]
    names: tuple[str, ...]
    limits: Limits
    reason: str
    actor: str
    at: datetime


class ReconcileStarted(msgspec.Struct, frozen=True, tag="reconcile_started"):
    """The books are being compared; nothing is sent until they agree."""

    at: datetime


class Reconciled(msgspec.Struct, frozen=True, tag="reconciled"):
    """The books were compared with the broker's."""

    differences: tuple[Difference, ...]
    at: datetime


class EvolutionStarted(msgspec.Struct, frozen=True, tag="evolution_started"):
    """A run of evolution began, or began again where its last checkpoint was."""

    run_id: RunId
    course: Course
    by: str
    at: datetime


class GenerationBred(msgspec.Struct, frozen=True, tag="generation_bred"):
    """A generation was judged, and its checkpoint written; `best` of each objective."""

    run_id: RunId
    stage: str
    generation: int
    evaluations: int
    seconds: float
    best: Mapping[str, float]
    retries: int
    at: datetime


class HoldoutTouched(msgspec.Struct, frozen=True, tag="holdout_touched"):
    """A run is about to look at its holdout, with one candidate, once."""

    run_id: RunId
    genome_id: GenomeId
    first: date
    last: date
    at: datetime


class EvolutionEnded(msgspec.Struct, frozen=True, tag="evolution_ended"):
    """A run is over: what it found and the gate's verdict, or why there is none."""

    run_id: RunId
    status: Ended
    reason: str
    evaluations: int
    seconds: float
    front: tuple[Member, ...]
    candidate_id: GenomeId
    candidate: str
    verdict: Verdict | None
    at: datetime
    genes: Mapping[str, Influence] = {}


class ShadowWatched(msgspec.Struct, frozen=True, tag="shadow_watched"):
    """A candidate was watched beside who is in charge, up to another live session."""

    run_id: RunId
    shadow: Shadow
    at: datetime


class EvolutionCancelled(msgspec.Struct, frozen=True, tag="evolution_cancelled"):
    """A run was asked to stop."""

    run_id: RunId
    by: str
    at: datetime


class GenomePromoted(msgspec.Struct, frozen=True, tag="genome_promoted"):
    """A genome was put in charge, by somebody who said so by name or by a stated policy."""

    champion: Champion
    at: datetime


class GenomeRolledBack(msgspec.Struct, frozen=True, tag="genome_rolled_back"):
    """The genome in charge was taken back; the one before it is in charge again."""

    genome_id: GenomeId
    by: str
    reason: str
    at: datetime


class ShutdownRequested(msgspec.Struct, frozen=True, tag="shutdown_requested"):
    """Somebody asked the daemon to stop."""

    actor: str
    at: datetime


class BackedUp(msgspec.Struct, frozen=True, tag="backed_up"):
    """A verified copy of the journal up to record `seq`, whose hash is `hash`, is in `file`."""

    file: str
    seq: int
    hash: str
    bytes: int
    at: datetime


class Restored(msgspec.Struct, frozen=True, tag="restored"):
    """The journal goes on from a backup that ends with record `seq`, whose hash is `hash`.

    `next_oid` is above every broker order id that may have been used since. `keys` came over from
    the journal that was replaced; None when nobody could read it.
    """

    file: str
    seq: int
    hash: str
    next_oid: int
    keys: int | None
    actor: str
    at: datetime


class AlertTold(msgspec.Struct, frozen=True, tag="alert_told"):
    """People were told of a matter, or that it is over; the alert's own times are of the wall."""

    alert: Alert
    at: datetime


Event = (
    Started
    | CommandReceived
    | RequestDenied
    | CommandRefused
    | CommandSkipped
    | CommandFinished
    | BarsClosed
    | BarsMissed
    | PlanMade
    | PlanApproved
    | PlanRejected
    | PlanExecuted
    | TurnoverExempted
    | OrderSubmitted
    | OrderDenied
    | OrderClaimed
    | OrderStopped
    | OrderAccepted
    | CancelRequested
    | OrderCancelled
    | OrderRejected
    | OrderLost
    | OrderNotPlaced
    | OrderFilled
    | ExecutionCorrected
    | OrderRecalled
    | OrderAdopted
    | OrderSettled
    | OrderReleased
    | CashMoved
    | PositionAdjusted
    | SplitBooked
    | DifferenceExpected
    | ExpectationMet
    | Halted
    | FlattenQueued
    | FlattenDue
    | Resumed
    | LimitsChanged
    | ReconcileStarted
    | Reconciled
    | ShutdownRequested
    | EvolutionStarted
    | GenerationBred
    | HoldoutTouched
    | ShadowWatched
    | EvolutionEnded
    | EvolutionCancelled
    | GenomePromoted
    | GenomeRolledBack
    | BackedUp
    | Restored
    | AlertTold
)
OrderEvent = (
    OrderSubmitted
    | OrderClaimed
    | OrderStopped
    | OrderAccepted
    | CancelRequested
    | OrderCancelled
    | OrderRejected
    | OrderLost
    | OrderNotPlaced
    | OrderFilled
    | ExecutionCorrected
)
