"""A broker to whose book things happen that are no trades, as they do to everybody's."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from daemon.seams import Broker, BrokerBook
from state.instrument import EXACT, ZERO, Symbol, money
from state.order import Order
from state.quote import Close


class Custodian:
    """Shows the book of the broker behind it, with the cash and units that came or went since."""

    def __init__(self, behind: Broker) -> None:
        self.behind, self.kind, self.account = behind, behind.kind, behind.account
        self._cash = ZERO
        self._units: dict[Symbol, Decimal] = {}

    def pay(self, amount: Decimal) -> None:
        """Let cash come, or go when it is negative, and tell nobody."""
        self._cash += amount

    def move(self, symbol: Symbol, units: Decimal) -> None:
        """Let units come, or go when they are negative, and tell nobody."""
        self._units[symbol] = self._units.get(symbol, ZERO) + units

    async def split(self, symbol: Symbol, new: Decimal, old: Decimal) -> None:
        """Give `new` units for every `old` ones."""
        held = (await self.book(None)).positions.get(symbol, ZERO)
        self.move(symbol, money(EXACT.divide(EXACT.multiply(held, new), old)) - held)

    @property
    def connected(self) -> bool:
        """Return whether an order sent now would reach the broker behind it."""
        return self.behind.connected

    @property
    def connection(self) -> int:
        """Return the number of the connection of the broker behind it."""
        return self.behind.connection

    def place(self, order: Order) -> None:
        """Pass an order on."""
        self.behind.place(order)

    def cancel(self, order: Order) -> None:
        """Pass a cancellation on."""
        self.behind.cancel(order)

    def move_cash(self, ref: str, signed: Decimal) -> None:
        """Pass a movement of cash on."""
        self.behind.move_cash(ref, signed)

    async def next_oid(self) -> int:
        """Return the lowest broker order id never used."""
        return await self.behind.next_oid()

    async def book(self, since: datetime | None) -> BrokerBook:
        """Return the book behind it, and what happened to it here."""
        book = await self.behind.book(since)
        symbols: Sequence[Symbol] = sorted({*book.positions, *self._units})
        held = {s: book.positions.get(s, ZERO) + self._units.get(s, ZERO) for s in symbols}
        return replace(
            book, cash=book.cash + self._cash, positions={s: q for s, q in held.items() if q}
        )

    async def on_close(self, close: Close) -> None:
        """Pass a close on."""
        await self.behind.on_close(close)

    async def settle(self) -> None:
        """Return once the broker behind it has settled."""
        await self.behind.settle()

    async def aclose(self) -> None:
        """Close the broker behind it."""
        await self.behind.aclose()
