"""A broker that writes down what it is asked: the proof that something asked nothing of it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from daemon.seams import Broker, BrokerBook, BrokerUnavailable
from state.instrument import ZERO
from state.order import Order
from state.quote import Close, Quote


class Placed(msgspec.Struct, frozen=True):
    """An order was sent."""

    order: Order


class AskedBack(msgspec.Struct, frozen=True):
    """An order was asked back."""

    order: Order


class CashSent(msgspec.Struct, frozen=True):
    """Cash was moved."""

    ref: str
    signed: Decimal


class BookRead(msgspec.Struct, frozen=True):
    """The book was asked for."""

    since: datetime | None


Call = Placed | AskedBack | CashSent | BookRead


class RecordingBroker:
    """Keeps every call in `calls`, in order, and passes it on to the broker behind it, if any.

    With nobody behind it, it answers with `answer`, reports nothing and never runs out of ids;
    `connected = False` makes it a broker that cannot be reached, `paused` one that wants nothing.
    """

    kind: str = "recording"

    def __init__(self, behind: Broker | None = None, *, account: str = "RECORDING") -> None:
        self.behind = behind
        self.account = behind.account if behind else account
        self.calls: list[Call] = []
        self.closes: list[Close] = []
        self.answer = BrokerBook((), (), {}, ZERO)
        self.paused = ""
        self._connected = True
        self._connection = 1
        self._next_oid = 1

    @property
    def connected(self) -> bool:
        """Return whether an order sent now would reach it."""
        return self._connected and (self.behind is None or self.behind.connected)

    @connected.setter
    def connected(self, value: bool) -> None:
        self._connection += value and not self._connected
        self._connected = value

    @property
    def connection(self) -> int:
        """Return how often it, or the broker behind it, was connected."""
        return self._connection + (self.behind.connection if self.behind else 0)

    @property
    def effects(self) -> Sequence[Call]:
        """Return the calls that change something at the broker: all but the reading ones."""
        return [call for call in self.calls if not isinstance(call, BookRead)]

    @property
    def placed(self) -> Sequence[Order]:
        """Return the orders that were sent, in order."""
        return [call.order for call in self.calls if isinstance(call, Placed)]

    @property
    def cancelled(self) -> Sequence[Order]:
        """Return the orders that were asked back, in order."""
        return [call.order for call in self.calls if isinstance(call, AskedBack)]

    def place(self, order: Order) -> None:
        """Record an order."""
        self.calls.append(Placed(order))
        self._next_oid = max(self._next_oid, (order.broker_oid or 0) + 1)
        if self.behind:
            self.behind.place(order)

    def cancel(self, order: Order) -> None:
        """Record a cancellation."""
        self.calls.append(AskedBack(order))
        if self.behind:
            self.behind.cancel(order)

    def move_cash(self, ref: str, signed: Decimal) -> None:
        """Record a cash movement."""
        self.calls.append(CashSent(ref, signed))
        if self.behind:
            self.behind.move_cash(ref, signed)

    async def next_oid(self) -> int:
        """Return the id above all it has seen."""
        return await self.behind.next_oid() if self.behind else self._next_oid

    async def book(self, since: datetime | None) -> BrokerBook:
        """Record the question and answer it; raises BrokerUnavailable when not connected."""
        self.calls.append(BookRead(since))
        if not self.connected:
            raise BrokerUnavailable("recording broker: told not to answer")
        return await self.behind.book(since) if self.behind else self.answer

    async def on_close(self, close: Close) -> None:
        """Keep the close; it is no call of anybody's making."""
        self.closes.append(close)
        if self.behind:
            await self.behind.on_close(close)

    async def on_quote(self, quote: Quote) -> None:
        """Pass a quote on; it is no call of anybody's making either."""
        if self.behind:
            await self.behind.on_quote(quote)

    async def settle(self) -> None:
        """Return once the broker behind it has settled."""
        if self.behind:
            await self.behind.settle()

    async def aclose(self) -> None:
        """Close the broker behind it."""
        if self.behind:
            await self.behind.aclose()
