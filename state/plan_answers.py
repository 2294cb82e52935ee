"""A plan in the words and fields that programs rely on."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from state.answers import DeniedAnswer, OrderAnswer, Side, denial, order, perhaps, plain, side
from state.instrument import Symbol
from state.order import Order
from state.plan import Plan, PlanId, PlanState, Preview


class LineAnswer(msgspec.Struct, frozen=True):
    """One trade of a plan; `quantity` is signed, a sale is negative."""

    symbol: Symbol
    side: Side
    current_weight: float
    target_weight: float
    quantity: Decimal
    price: Decimal
    notional: Decimal
    cost: Decimal
    reason: str


class PreviewAnswer(msgspec.Struct, frozen=True):
    """What the broker says of one order before it goes, alone on the account as it is.

    The margins are changes, `equity_with_loan` is what there is after it; null is not told, and
    `unknown` says why nothing is.
    """

    symbol: Symbol
    side: Side
    quantity: Decimal
    commission_least: Decimal | None
    commission_most: Decimal | None
    commission_currency: str
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    equity_with_loan: Decimal | None
    warning: str
    unknown: str


class PlanAnswer(msgspec.Struct, frozen=True):
    """A plan, and the orders it led to when it was executed."""

    plan_id: PlanId
    hash: str
    state: PlanState
    by: str
    made_at: datetime
    as_of: datetime
    expires_at: datetime
    equity: Decimal
    turnover: float
    cost: Decimal
    lines: tuple[LineAnswer, ...]
    denied: tuple[DeniedAnswer, ...]
    orders: tuple[OrderAnswer, ...] = ()
    previews: tuple[PreviewAnswer, ...] = ()


def plan(made: Plan, orders: Sequence[Order] = (), key: str | None = None) -> PlanAnswer:
    """Return a plan as people read it, with the `orders` that `key` made of it."""
    lines = tuple(
        LineAnswer(
            line.symbol,
            side(line.quantity),
            line.current_weight,
            line.target_weight,
            plain(line.quantity),
            plain(line.price),
            plain(line.notional),
            plain(line.cost),
            line.reason,
        )
        for line in made.lines
    )
    return PlanAnswer(
        plan_id=made.plan_id,
        hash=made.hash,
        state=made.state,
        by=made.by,
        made_at=made.made_at,
        as_of=made.as_of,
        expires_at=made.expires_at,
        equity=plain(made.equity),
        turnover=made.turnover,
        cost=plain(made.cost),
        lines=lines,
        denied=tuple(denial(no.subject, no) for no in made.denied),
        orders=tuple(order(one, key) for one in orders),
        previews=tuple(preview(one) for one in made.previews),
    )


def preview(told: Preview) -> PreviewAnswer:
    """Return what the broker said of one order beforehand, as people read it."""
    return PreviewAnswer(
        told.symbol,
        side(told.quantity),
        plain(told.quantity),
        perhaps(told.commission_least),
        perhaps(told.commission_most),
        told.commission_currency,
        perhaps(told.initial_margin),
        perhaps(told.maintenance_margin),
        perhaps(told.equity_with_loan),
        told.warning,
        told.unknown,
    )
