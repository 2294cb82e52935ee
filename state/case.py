"""One order before the gate, with everything a guard may look at."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from state.book import Book, Stake, with_trade
from state.denial import Code, Denial
from state.instrument import EXACT, Symbol, amount
from state.moment import Moment
from state.order import OrderId
from state.settings import Limits
from state.snapshot import Day, Snapshot


class Proposed(msgspec.Struct, frozen=True):
    """An order somebody wants sent; `quantity` is signed, `source` as in `Order`."""

    order_id: OrderId
    symbol: Symbol
    quantity: Decimal
    limit_price: Decimal | None = None
    source: str = "manual"  # or "rebalance", "flatten"


class NothingStarted(Exception):
    """Limits or budgets were asked for before a run was started or a bar closed."""

    def __init__(self) -> None:
        super().__init__("no run was started, or no bar has closed yet")


class Case(msgspec.Struct, frozen=True):
    """One order before the gate: everything a guard may look at."""

    now: Snapshot
    order: Proposed
    moment: Moment
    book: Book

    @property
    def limits(self) -> Limits:
        """Return the limits in force; raises NothingStarted before the first start."""
        if self.now.start is None:
            raise NothingStarted
        return self.now.start.limits

    @property
    def stake(self) -> Stake:
        """Return what is held and on order of the order's symbol."""
        return self.book.stake(self.order.symbol)

    @property
    def reducing(self) -> bool:
        """Return whether, whatever fills, the order only brings the holding nearer zero."""
        return self.order.quantity.is_finite() and self.stake.reduces(self.order.quantity)

    @property
    def flattening(self) -> bool:
        """Return whether it is a reducing order of the kill switch."""
        return self.order.source == "flatten" and self.reducing

    @property
    def price(self) -> Decimal:
        """Return the last price known; a symbol without one raises KeyError."""
        return self.now.marks[self.order.symbol].price

    @property
    def notional(self) -> Decimal:
        """Return the order's size at the last price, as it counts into turnover."""
        return abs(amount(self.order.quantity, self.price))

    @property
    def day(self) -> Day:
        """Return the day's budgets; raises NothingStarted before the first close."""
        if self.now.day is None:
            raise NothingStarted
        return self.now.day

    @property
    def after(self) -> Book:
        """Return the book with this order on record."""
        order = self.order
        return with_trade(self.book, order.symbol, order.quantity, order.limit_price)

    def deny(self, code: Code, message: str, hint: str, value: object, limit: object) -> Denial:
        """Return a denial about this order's symbol."""
        return Denial(code, self.order.symbol, str(value), str(limit), message, hint)


def share(part: Decimal, whole: Decimal) -> str:
    """Return part / whole for people, to four digits; "infinite" when there is no whole."""
    return f"{EXACT.divide(part, whole):.4f}" if whole > 0 else "infinite"


Guard = Callable[[Case], Denial | None]
