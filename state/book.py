"""The book as the gate has to see it: what is held, and what the open orders may still do to it.

An order counts from the moment it is on record. What opens counts at full size, in doubt or not.
What reduces is credited (its proceeds, and the exposure it takes away) only while nothing speaks
against its filling: pending or live, for a session yet to close, not in doubt, not asked back.
Without that credit a fully invested book could never be rotated, for its buys are on record beside
the sells that pay them.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import reduce
from itertools import islice
from operator import is_
from typing import Final

import msgspec
from msgspec.structs import replace

from state.instrument import EXACT, ZERO, Symbol, amount, money
from state.ledger import Ledger
from state.order import Order, OrderId, Status
from state.quote import Mark
from state.snapshot import Snapshot

TEN_THOUSAND: Final = Decimal(10_000)
DOUBTED: Final = frozenset({Status.SENDING, Status.UNKNOWN, Status.PENDING_CANCEL})


class Stake(msgspec.Struct, frozen=True):
    """What is held of one symbol, and what its orders may still trade: quantities, in units.

    `held` is signed. `buying` and `selling` are all that may still trade, never negative; `sure_*`
    is the part of them that nothing speaks against.
    """

    held: Decimal = ZERO
    buying: Decimal = ZERO
    selling: Decimal = ZERO
    sure_buying: Decimal = ZERO
    sure_selling: Decimal = ZERO
    orders: tuple[Order, ...] = ()

    @property
    def effective(self) -> Decimal:
        """Return the signed holding once all orders have filled."""
        return self.held + self.buying - self.selling

    @property
    def widest(self) -> Decimal:
        """Return the largest size, long or short, that any fills could lead to."""
        return max(abs(self.held + self.buying), abs(self.held - self.selling))

    @property
    def bounds(self) -> tuple[Decimal, Decimal]:
        """Return the (lowest, highest) holding to count, sure reductions credited."""
        low, high = self.held - self.selling, self.held + self.buying
        if self.held > 0 and not self.buying:
            high = max(self.held - self.sure_selling, ZERO)
        if self.held < 0 and not self.selling:
            low = min(self.held + self.sure_buying, ZERO)
        return low, high

    def reduces(self, quantity: Decimal) -> bool:
        """Return whether trading signed `quantity` more can only bring the holding nearer zero."""
        if self.held > 0:
            return quantity < 0 and self.selling - quantity <= self.held
        return self.held < 0 < quantity and self.buying + quantity <= -self.held


NOTHING: Final = Stake()


class Book(msgspec.Struct, frozen=True):
    """Money, in base currency, after what the open orders may do. `book_of` makes it.

    `equity` is cash and holdings at the last prices; `adverse` what the open orders may cost of it:
    fees, slippage, and limits worse than the last price. `gross` is never negative; `high` and
    `low` bound the net. `cash` is what is left when the buys are paid and the sure sells received.
    `unpriced` symbols are held or on order without a price: while there are any, `equity` leaves
    them out and nothing may be opened. `session` is the last that closed.
    """

    ledger: Ledger
    marks: Mapping[Symbol, Mark]
    orders: Mapping[OrderId, Order]
    cost_bps: float
    cash: Decimal
    equity: Decimal = ZERO
    adverse: Decimal = ZERO
    gross: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    stakes: Mapping[Symbol, Stake] = {}
    unpriced: frozenset[Symbol] = frozenset()
    session: date | None = None

    def stake(self, symbol: Symbol) -> Stake:
        """Return what is held and on order of a symbol."""
        return self.stakes.get(symbol, NOTHING)

    @property
    def least_equity(self) -> Decimal:
        """Return equity once the open orders have cost what they may."""
        return self.equity - self.adverse


def fraction(limit: float) -> Decimal:
    """Return a limit as the decimal it was written as."""
    return Decimal(str(limit))


def cost(notional: Decimal, cost_bps: float) -> Decimal:
    """Return the estimated fee and slippage of trading `notional`, never negative."""
    return money(EXACT.divide(EXACT.multiply(abs(notional), Decimal(str(cost_bps))), TEN_THOUSAND))


def book_of(now: Snapshot, before: Book | None = None) -> Book:
    """Return the book of `now`.

    Any earlier book may be given: where orders were only added since, just those are counted, so
    that a plan of n orders is gated in n steps. The result is the same with or without it.
    """
    bps = now.start.cost_bps if now.start else 0.0
    if (
        before is not None
        and before.ledger is now.ledger
        and before.marks is now.marks
        and before.cost_bps == bps
        and before.session == now.session
        and len(before.orders) <= len(now.orders)
        and all(map(is_, before.orders.values(), now.orders.values()))
    ):
        if before.orders is now.orders:
            return before
        fresh = tuple(islice(now.orders.values(), len(before.orders), None))
        return replace(with_orders(before, fresh), orders=now.orders)
    book = Book(now.ledger, now.marks, now.orders, bps, cash=now.ledger.cash, session=now.session)
    stakes = {
        symbol: Stake(position.quantity)
        for symbol, position in now.ledger.positions.items()
        if position.quantity
    }
    values = {
        symbol: amount(stake.held, now.marks[symbol].price)
        for symbol, stake in stakes.items()
        if symbol in now.marks
    }
    net = sum(values.values(), ZERO)
    held = replace(
        book,
        equity=now.ledger.cash + net,
        gross=sum((abs(value) for value in values.values()), ZERO),
        high=net,
        low=net,
        stakes=stakes,
        unpriced=frozenset(stakes.keys() - values.keys()),
    )
    return with_orders(held, now.orders.values())


def with_orders(book: Book, orders: Iterable[Order]) -> Book:
    """Return the book with more orders on record."""
    return reduce(with_order, orders, book)


def with_order(book: Book, order: Order) -> Book:
    """Return the book with one more order on record; its `orders` stay those of the snapshot."""
    working = order.working
    if not working and not order.open:
        return book
    over = book.session is not None and order.session <= book.session
    sure = order.status not in DOUBTED and not over
    after = with_trade(book, order.symbol, working, order.limit_price, sure=sure)
    stake = after.stake(order.symbol)
    listed = replace(stake, orders=(*stake.orders, order))
    return replace(after, stakes={**after.stakes, order.symbol: listed})


def with_trade(
    book: Book,
    symbol: Symbol,
    quantity: Decimal,
    limit: Decimal | None = None,
    *,
    sure: bool = True,
) -> Book:
    """Return the book with a signed quantity more that may trade, at `limit` or the last price."""
    was, size = book.stake(symbol), abs(quantity)
    certain = size if sure else ZERO
    if quantity > 0:
        stake = replace(was, buying=was.buying + size, sure_buying=was.sure_buying + certain)
    else:
        stake = replace(was, selling=was.selling + size, sure_selling=was.sure_selling + certain)
    mark = book.marks.get(symbol)
    stakes = {**book.stakes, symbol: stake}
    if mark is None:
        return replace(book, stakes=stakes, unpriced=book.unpriced | {symbol})
    price = mark.price
    worth = amount(size, price)
    if quantity > 0:
        paid = worth if limit is None else amount(size, limit)
        fee = cost(max(paid, worth), book.cost_bps)
        cash, adverse = book.cash - paid - fee, fee + max(paid - worth, ZERO)
    else:
        got = worth if limit is None else amount(size, min(limit, price))
        fee = cost(worth, book.cost_bps)
        cash, adverse = book.cash - fee + (got if sure else ZERO), fee + worth - got
    (low_was, high_was), (low, high) = was.bounds, stake.bounds
    wider = max(abs(low), abs(high)) - max(abs(low_was), abs(high_was))
    return replace(
        book,
        cash=cash,
        adverse=book.adverse + adverse,
        gross=book.gross + amount(wider, price),
        high=book.high + amount(high - high_was, price),
        low=book.low + amount(low - low_was, price),
        stakes=stakes,
    )
