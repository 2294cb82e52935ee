"""Questions answered from a snapshot, in the words and fields that programs rely on."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from state.denial import Denial
from state.event import OrderFilled
from state.headroom import equity, unpriced
from state.instrument import EXACT, MICRO, ZERO, Symbol, ratio
from state.order import Order, OrderId, Status
from state.snapshot import Snapshot

Side = Literal["buy", "sell"]


class PositionAnswer(msgspec.Struct, frozen=True):
    """One holding. `weight` is its signed share of equity; None is what nobody can say."""

    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    price: Decimal | None
    priced_at: datetime | None
    value: Decimal | None
    weight: float | None
    unrealized: Decimal | None
    realized: Decimal
    fees: Decimal


class PortfolioAnswer(msgspec.Struct, frozen=True):
    """The book at its last prices. Profit is before fees; `realized` counts closed positions too.

    `equity` and `unrealized` are None when a holding in `unpriced` never had a price.
    """

    as_of: datetime | None
    base_currency: str | None
    equity: Decimal | None
    cash: Decimal
    realized: Decimal
    unrealized: Decimal | None
    fees: Decimal
    flows: Decimal
    income: Decimal
    positions: tuple[PositionAnswer, ...]
    unpriced: tuple[Symbol, ...] = ()


class OrderAnswer(msgspec.Struct, frozen=True):
    """One order; quantities are positive and `side` says which way."""

    order_id: OrderId
    order_ref: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    filled: Decimal
    average_price: Decimal | None
    limit_price: Decimal | None
    status: Status
    broker_id: str | None
    key: str | None
    created_at: datetime
    session: date
    reference_price: Decimal
    fees: Decimal
    reason: str
    source: str


class FillAnswer(msgspec.Struct, frozen=True):
    """One execution: `at` is the broker's time of it, `booked_at` ours."""

    execution_id: str
    order_id: OrderId
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    notional: Decimal
    fee: Decimal
    at: datetime
    booked_at: datetime


class DeniedAnswer(msgspec.Struct, frozen=True):
    """One thing the gate stopped, and what to do about it."""

    symbol: Symbol
    code: str
    message: str
    hint: str
    value: str
    limit: str


def plain(value: Decimal) -> Decimal:
    """Return `value` to a millionth, spelt as people do: no exponent, no trailing zeros, no -0."""
    exact = EXACT.quantize(value, MICRO)
    if exact == exact.to_integral_value():
        return exact.to_integral_value() if exact else ZERO
    return EXACT.normalize(exact)


def perhaps(value: Decimal | None) -> Decimal | None:
    """Return `value` plainly spelt, None when there is none."""
    return None if value is None else plain(value)


def side(signed: Decimal) -> Side:
    """Return which way a signed quantity trades."""
    return "sell" if signed < 0 else "buy"


def portfolio(now: Snapshot) -> PortfolioAnswer:
    """Return the book: cash, holdings, profit."""
    worth = equity(now)
    positions = tuple(
        position(now, symbol, worth)
        for symbol, held in sorted(now.ledger.positions.items())
        if held.quantity
    )
    open_profit = [p.unrealized for p in positions if p.unrealized is not None]
    missing = unpriced(now)
    return PortfolioAnswer(
        as_of=now.at,
        base_currency=now.start.base_currency if now.start else None,
        equity=perhaps(worth),
        cash=plain(now.ledger.cash),
        realized=plain(now.ledger.realized),
        unrealized=None if missing else plain(sum(open_profit, ZERO)),
        fees=plain(now.ledger.fees),
        flows=plain(now.ledger.flows),
        income=plain(now.ledger.income),
        positions=positions,
        unpriced=missing,
    )


def position(now: Snapshot, symbol: Symbol, worth: Decimal | None) -> PositionAnswer:
    """Return one holding at its last price, beside an equity of `worth`."""
    held = now.ledger.positions[symbol]
    mark = now.marks.get(symbol)
    value = held.value(mark.price) if mark else None
    return PositionAnswer(
        symbol=symbol,
        quantity=plain(held.quantity),
        average_price=plain(EXACT.divide(held.cost, held.quantity)),
        price=plain(mark.price) if mark else None,
        priced_at=mark.at if mark else None,
        value=perhaps(value),
        weight=ratio(value, worth) if value is not None and worth else None,
        unrealized=plain(held.unrealized(mark.price)) if mark else None,
        realized=plain(held.realized),
        fees=plain(held.fees),
    )


def order(told: Order, key: str | None) -> OrderAnswer:
    """Return an order as people read it; `key` is the idempotency key that caused it."""
    return OrderAnswer(
        order_id=told.order_id,
        order_ref=told.order_ref,
        symbol=told.symbol,
        side=side(told.quantity),
        quantity=plain(abs(told.quantity)),
        filled=plain(told.filled),
        average_price=perhaps(told.average_price),
        limit_price=perhaps(told.limit_price),
        status=told.status,
        broker_id=told.broker_id,
        key=key,
        created_at=told.created_at,
        session=told.session,
        reference_price=plain(told.price),
        fees=plain(told.fees),
        reason=told.reason,
        source=told.source,
    )


def fill(event: OrderFilled) -> FillAnswer:
    """Return one execution as people read it."""
    return FillAnswer(
        execution_id=event.execution_id,
        order_id=event.order_id,
        symbol=event.symbol,
        side=side(event.quantity),
        quantity=plain(abs(event.quantity)),
        price=plain(event.price),
        notional=plain(abs(EXACT.multiply(event.quantity, event.price))),
        fee=plain(event.fee),
        at=event.traded_at,
        booked_at=event.at,
    )


def denial(symbol: Symbol, no: Denial) -> DeniedAnswer:
    """Return why the gate stopped something of `symbol`, as people read it."""
    return DeniedAnswer(symbol, no.code.value, no.message, no.hint, no.value, no.limit)
