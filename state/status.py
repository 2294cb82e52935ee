"""One screen of what matters: the account as it stands, and what the shell knows of the world."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from state.alert import Alert
from state.answers import perhaps, plain
from state.blended import STRATEGY, MemberAnswer, members
from state.event import Difference
from state.evolution_answers import breeding
from state.headroom import Headroom, Meter, day_loss, day_turnover, equity, headroom, unpriced
from state.instrument import Symbol, ratio
from state.order import Status
from state.plan import PlanId, PlanState
from state.snapshot import Halting, Snapshot, exposures


class HaltAnswer(msgspec.Struct, frozen=True):
    """A halt in force: "account" or "symbol:SYM", why, and by whom."""

    scope: str
    reason: str
    code: str
    actor: str
    at: datetime


class Stream(msgspec.Struct, frozen=True):
    """A feed that comes over a wire, since it was started.

    `missed` counts bars that never came, `missed_at` is the session of the latest. `conflated`
    counts quotes that a newer one of their symbol replaced before anybody asked; `quote_age` is
    how old the others were on arrival where they are used, in seconds, at the 99th percentile.
    """

    bars: int = 0
    quotes: int = 0
    conflated: int = 0
    connections: int = 0
    missed: int = 0
    missed_at: date | None = None
    quote_age: float | None = None


class FeedFacts(msgspec.Struct, frozen=True):
    """The feed, as the shell sees it; `refused` counts bars and quotes not believed, by reason."""

    kind: str
    connected: bool
    last_at: datetime | None
    ended: bool
    refused: Mapping[str, int] = {}
    stream: Stream | None = None


class BrokerFacts(msgspec.Struct, frozen=True):
    """The broker, as the shell sees it; `paused` says why nothing new is sent, and until when."""

    kind: str
    connected: bool
    account: str
    paused: str = ""


class JournalFacts(msgspec.Struct, frozen=True):
    """The journal's last sequence number, and its size on disk."""

    seq: int
    bytes: int


class DeliveryFacts(msgspec.Struct, frozen=True):
    """One way by which alerts go out: how tries ended since the start."""

    way: str
    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    dropped: int = 0


class StatusFacts(msgspec.Struct, frozen=True):
    """What a snapshot can't know: `clock` is the market clock."""

    mode: Literal["replay", "paper", "live"]
    ready: bool
    clock: datetime
    feed: FeedFacts
    broker: BrokerFacts
    journal: JournalFacts
    version: str
    pid: int
    beliefs: "BeliefFacts | None" = None
    deliveries: tuple[DeliveryFacts, ...] = ()


class BeliefFacts(msgspec.Struct, frozen=True):
    """The mind, as the shell sees it: its own readiness, which trading's does not depend on.

    `origin` says where the belief it started with came from, `parity` how far the engine was from
    the numpy one on the first bar of this run (None: not compared). `reset` are the symbols whose
    belief had to be begun anew at the last close, `drifting` those that the model has ceased to
    fit, `learned` those whose returns are foretold by what was learned of them.
    """

    engine: str
    ready: bool
    model_hash: str
    at: datetime | None
    origin: Literal["stored", "rebuilt", "blank"] | None
    parity: float | None = None
    reset: tuple[Symbol, ...] = ()
    drifting: tuple[Symbol, ...] = ()
    failure: str = ""
    learning: str = "off"
    learned: tuple[Symbol, ...] = ()


class StrategyAnswer(msgspec.Struct, frozen=True):
    """Which strategy proposes targets; a `genome_id` belongs to an evolved one.

    `members` are those of a blend.
    """

    name: str
    genome_id: str | None = None
    promoted_at: datetime | None = None
    members: tuple[MemberAnswer, ...] = ()


class DayAnswer(msgspec.Struct, frozen=True):
    """The day's budgets so far: `turnover` and `loss` are shares of `start_equity`."""

    session: date
    start_equity: Decimal
    turnover: float | None
    exempt: bool
    orders: int
    loss: float | None


class LimitAnswer(msgspec.Struct, frozen=True):
    """One limit of `[risk]`: `used` is 1 at the limit, None when nobody can say."""

    name: Meter
    value: float | None
    limit: float
    used: float | None
    symbol: Symbol = ""
    exempt: bool = False


class StatusAnswer(msgspec.Struct, frozen=True):
    """One screen of what matters. `gross`, `net` and `drawdown` are fractions of equity.

    `halted` is the account's halt, or the oldest of a symbol or member; `halts` are all in force.
    `plans` are those that nobody rejected or executed, and no close has outlived.
    """

    mode: Literal["replay", "paper", "live"]
    ready: bool
    halted: HaltAnswer | None
    halts: tuple[HaltAnswer, ...]
    clock: datetime
    as_of: datetime | None
    feed: FeedFacts
    broker: BrokerFacts
    base_currency: str | None
    equity: Decimal | None
    cash: Decimal
    gross: float | None
    net: float | None
    drawdown: float
    open_orders: int
    unknown_orders: int
    strategy: StrategyAnswer
    evolution: Mapping[str, object]
    journal: JournalFacts
    reconciled: bool
    differences: tuple[Difference, ...]
    day: DayAnswer | None
    limits: tuple[LimitAnswer, ...]
    unpriced: tuple[Symbol, ...]
    version: str
    pid: int
    beliefs: BeliefFacts | None = None
    alerts: tuple[Alert, ...] = ()
    deliveries: tuple[DeliveryFacts, ...] = ()
    plans: Mapping[PlanId, PlanState] = {}


def halting(halt: Halting) -> HaltAnswer:
    """Return a halt as people read it."""
    return HaltAnswer(halt.scope, halt.reason, halt.code, halt.actor, halt.at)


def limit(room: Headroom) -> LimitAnswer:
    """Return a limit as people read it."""
    return LimitAnswer(room.meter, room.value, room.limit, room.used, room.subject, room.exempt)


def status(now: Snapshot, facts: StatusFacts) -> StatusAnswer:
    """Return one screen of what matters."""
    worth = equity(now)
    gross = net = None
    if worth:
        gross, net = (ratio(total, worth) for total in exposures(now))
    halts = sorted(now.halts.values(), key=lambda h: (h.scope != "account", h.at, h.scope))
    champion = now.evolution.champion if now.strategy != STRATEGY else None
    start_name = now.start.strategy if now.start else ""
    return StatusAnswer(
        mode=facts.mode,
        ready=facts.ready,
        halted=halting(halts[0]) if halts else None,
        halts=tuple(map(halting, halts)),
        clock=facts.clock,
        as_of=now.at,
        feed=facts.feed,
        broker=facts.broker,
        base_currency=now.start.base_currency if now.start else None,
        equity=perhaps(worth),
        cash=plain(now.ledger.cash),
        gross=gross,
        net=net,
        drawdown=now.drawdown,
        open_orders=len(now.open_orders),
        unknown_orders=sum(o.status is Status.UNKNOWN for o in now.orders.values()),
        strategy=StrategyAnswer(
            now.strategy or start_name,
            champion.genome_id if champion else None,
            champion.at if champion else None,
            members(now.blend, now.halts) if now.strategy == STRATEGY else (),
        ),
        evolution=breeding(now.evolution),
        journal=facts.journal,
        reconciled=now.reconciled,
        differences=tuple(
            Difference(d.subject, plain(d.ours), plain(d.broker)) for d in now.differences
        ),
        day=day(now, worth),
        limits=tuple(map(limit, headroom(now, facts.clock))),
        unpriced=unpriced(now),
        version=facts.version,
        pid=facts.pid,
        beliefs=facts.beliefs,
        alerts=tuple(
            sorted(now.alerts.values(), key=lambda a: (a.level, a.since, a.kind, a.subject))
        ),
        deliveries=facts.deliveries,
        plans={
            name: plan.state
            for name, plan in now.plans.items()
            if plan.state in {PlanState.OPEN, PlanState.APPROVED}
            and not (now.replaying and now.bars != plan.bars)
        },
    )


def day(now: Snapshot, worth: Decimal | None) -> DayAnswer | None:
    """Return the day's budgets so far, beside an equity of `worth`; None before any session."""
    if now.day is None:
        return None
    return DayAnswer(
        session=now.day.session,
        start_equity=plain(now.day.start_equity),
        turnover=day_turnover(now),
        exempt=now.day.exempt,
        orders=now.day.orders,
        loss=None if worth is None else day_loss(now, worth),
    )
