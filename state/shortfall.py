"""What trading fell short of the kernel's, session by session, and by what.

The kernel trades every order of a rebalance whole at the first close after its decision, at the
expected cost. For each order, with `side` +1 for a purchase and a positive figure a loss:

    delay   side * quantity * (reference - kernel's price)   it traded at another time
    spread  side * quantity * (price - reference)            it traded beside the market
    cost    fees - expected cost                             of what it traded
    missed  side * rest * (next close - kernel's price) - expected cost of the rest

`reference` is the price of the session that is nearest to the execution: its open in its first
half, where that is on record, and its close otherwise. The four add up to the whole exactly: the
implementation shortfall of Perold (1988), with the kernel's account for the one on paper.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from state.answers import plain
from state.event import BarsClosed, Booked, ExecutionCorrected, OrderFilled, OrderSubmitted
from state.instrument import EXACT, ZERO, Symbol, amount
from state.order import OrderId
from state.snapshot import Snapshot

HALF_SESSION: Final = timedelta(hours=3, minutes=15)
MOST: Final = 250  # sessions that are listed
TEN_THOUSAND: Final = Decimal(10_000)


class Split(msgspec.Struct, frozen=True):
    """A shortfall by its causes, in money; positive is a loss against the kernel."""

    delay: Decimal = ZERO
    spread: Decimal = ZERO
    cost: Decimal = ZERO
    missed: Decimal = ZERO
    total: Decimal = ZERO


class DayShortfall(Split, frozen=True, kw_only=True):
    """The orders meant for one session; `orders` counts them."""

    session: date
    orders: int


class Shortfall(msgspec.Struct, frozen=True):
    """A period's: all of it in `whole`, its last 250 sessions with orders in `days`."""

    orders: int = 0
    whole: Split = Split()
    days: tuple[DayShortfall, ...] = ()


class Execution(msgspec.Struct, frozen=True):
    """What was executed, or by how much that was corrected; quantity signed."""

    order_id: OrderId
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    fee: Decimal
    traded_at: datetime


class Followed(msgspec.Struct, frozen=True):
    """An order of a rebalance: what it fell short by so far, and the closes it is measured by."""

    session: date
    symbol: Symbol
    quantity: Decimal
    kernel: Decimal | None = None
    after: Decimal | None = None
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    referred: Decimal = ZERO
    fees: Decimal = ZERO


class Measured:
    """Follows orders from their decision, by the events of a journal in their order."""

    def __init__(self) -> None:
        self._orders: dict[OrderId, Followed] = {}
        self._waiting: dict[OrderId, None] = {}
        self._new: list[Execution] = []

    def take(self, event: object) -> None:
        """Take the next event; those that don't matter here are let by."""
        match event:
            case OrderSubmitted(source="rebalance"):
                self._orders[event.order_id] = Followed(event.session, event.symbol, event.quantity)
                self._waiting[event.order_id] = None
            case OrderFilled() if event.order_id in self._orders:
                self._new.append(executed(event, event.order_id, event.symbol))
            case ExecutionCorrected() if event.order_id in self._orders:
                was = executed(event.was, event.order_id, event.symbol)
                self._new.append(executed(event, event.order_id, event.symbol))
                self._new.append(replace(was, quantity=-was.quantity, fee=-was.fee))
            case BarsClosed():
                self._closed(event)
            case _:
                pass

    def told(self, now: Snapshot) -> Shortfall:
        """Return what came of all orders that the kernel has traded by now."""
        rate = EXACT.divide(Decimal(str(now.start.cost_bps if now.start else 0.0)), TEN_THOUSAND)
        days: dict[date, list[Split]] = {}
        for order in self._orders.values():
            if order.kernel is not None:
                days.setdefault(order.session, []).append(split(order, order.kernel, rate))
        every = [one for splits in days.values() for one in splits]
        listed = sorted(days)[-MOST:]
        return Shortfall(
            len(every),
            Split(*summed(every)),
            tuple(
                DayShortfall(*summed(days[day]), session=day, orders=len(days[day]))
                for day in listed
            ),
        )

    def _closed(self, event: BarsClosed) -> None:
        bars = {bar.symbol: bar for bar in event.bars}
        for one in self._new:
            order, bar = self._orders[one.order_id], bars.get(one.symbol)
            reference = one.price
            if bar is not None:
                early = bar.open is not None and event.at - one.traded_at > HALF_SESSION
                reference = bar.open if early and bar.open is not None else bar.close
            self._orders[one.order_id] = replace(
                order,
                filled=order.filled + one.quantity,
                paid=order.paid + amount(one.quantity, one.price),
                referred=order.referred + amount(one.quantity, reference),
                fees=order.fees + one.fee,
            )
        self._new = []
        for order_id in list(self._waiting):
            order = self._orders[order_id]
            if (bar := bars.get(order.symbol)) is None:
                continue
            if order.kernel is None:
                self._orders[order_id] = replace(order, kernel=bar.close)
            else:
                self._orders[order_id] = replace(order, after=bar.close)
                del self._waiting[order_id]


def executed(
    event: OrderFilled | ExecutionCorrected | Booked, order_id: OrderId, symbol: Symbol
) -> Execution:
    """Return an execution as it was told, or as it had been booked."""
    return Execution(order_id, symbol, event.quantity, event.price, event.fee, event.traded_at)


def split(order: Followed, kernel: Decimal, rate: Decimal) -> Split:
    """Return what one order fell short by; the kernel paid `kernel` a unit, and `rate` of it."""
    traded, rest = amount(order.filled, kernel), order.quantity - order.filled
    delay, spread = order.referred - traded, order.paid - order.referred
    cost = order.fees - expected(traded, rate)
    later = order.after if order.after is not None else kernel
    missed = amount(rest, later) - amount(rest, kernel) - expected(amount(rest, kernel), rate)
    return Split(delay, spread, cost, missed, delay + spread + cost + missed)


def expected(traded: Decimal, rate: Decimal) -> Decimal:
    """Return what trading so much is expected to cost."""
    return amount(abs(traded), rate)


def summed(splits: Sequence[Split]) -> tuple[Decimal, ...]:
    """Return the sum, cause by cause, plainly spelt, in the order of a split's fields."""
    return tuple(
        plain(sum((getattr(one, cause) for one in splits), ZERO))
        for cause in Split.__struct_fields__
    )
