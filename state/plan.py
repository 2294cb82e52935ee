"""A plan: the orders a rebalance would make, fixed so that exactly they can be executed."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from state.denial import Denial
from state.instrument import Symbol

PlanId = str


class PlanLine(msgspec.Struct, frozen=True):
    """One trade of a plan. Weights are fractions of equity; `quantity` is signed.

    `notional` and `cost` (the estimate of fee and slippage) are never negative.
    """

    symbol: Symbol
    current_weight: float
    target_weight: float
    quantity: Decimal
    price: Decimal
    notional: Decimal
    cost: Decimal
    reason: str


class Preview(msgspec.Struct, frozen=True):
    """What the broker says of one order of a plan beforehand, alone on the account as it is.

    `quantity` is signed. Commissions are in `commission_currency`; the margins are changes,
    positive for more, and `equity_with_loan` is what there is after it, all three in the account's
    currency. None is not told. `warning` is the broker's; `unknown` says why nothing is known.
    """

    symbol: Symbol
    quantity: Decimal
    commission_least: Decimal | None = None
    commission_most: Decimal | None = None
    commission_currency: str = ""
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    equity_with_loan: Decimal | None = None
    warning: str = ""
    unknown: str = ""


class PlanState(StrEnum):
    """What a human, or the executor, has done with a plan."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXECUTED = "executed"


class Plan(msgspec.Struct, frozen=True):
    """A stored plan. It binds to the positions, orders and prices it was made from.

    `expires_at` is on the wall clock; `bars` is the count of closes it was made at: in replay the
    plan dies when the next bar closes. `on_order` is what open orders may still trade, signed;
    `unmet` are symbols off their targets that there was no room to trade at all; `previews` is what
    the broker said of its lines, for people to read: nothing is decided by it.
    """

    plan_id: PlanId
    hash: str
    made_at: datetime
    as_of: datetime
    expires_at: datetime
    bars: int
    equity: Decimal
    turnover: float
    cost: Decimal
    lines: tuple[PlanLine, ...]
    denied: tuple[Denial, ...] = ()
    unmet: tuple[Symbol, ...] = ()
    held: Mapping[Symbol, Decimal] = {}
    on_order: Mapping[Symbol, Decimal] = {}
    state: PlanState = PlanState.OPEN
    by: str = ""
    previews: tuple[Preview, ...] = ()
