"""Positions and cash, as a pure function of executions and cash movements."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from state.instrument import EXACT, ZERO, Symbol, amount, money


class Position(msgspec.Struct, frozen=True):
    """Net holding in one instrument. `cost` is what it took to get here: negative when short."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def average_price(self) -> Decimal | None:
        """Return cost per unit, unrounded; None when flat."""
        return EXACT.divide(self.cost, self.quantity) if self.quantity else None

    def value(self, mark: Decimal) -> Decimal:
        """Return what the holding is worth at `mark`; negative when short."""
        return amount(self.quantity, mark)

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return the open profit or loss at `mark`, before fees."""
        return self.value(mark) - self.cost


class Ledger(msgspec.Struct, frozen=True):
    """Cash and positions. Never mutated: `post` and `moved` return the next ledger.

    `flows` is money put in less money taken out, which is not profit; `income` is dividends and
    explained differences, which are.
    """

    cash: Decimal = ZERO
    positions: Mapping[Symbol, Position] = {}
    fees: Decimal = ZERO
    flows: Decimal = ZERO
    income: Decimal = ZERO

    def held(self, symbol: Symbol) -> Decimal:
        """Return the signed quantity held; 0 when there is none."""
        position = self.positions.get(symbol)
        return position.quantity if position else ZERO

    @property
    def realized(self) -> Decimal:
        """Return profit taken so far over all positions, before fees."""
        return sum((p.realized for p in self.positions.values()), ZERO)


def traded(held: Position, quantity: Decimal, price: Decimal, fee: Decimal = ZERO) -> Position:
    """Return `held` after trading signed `quantity` at `price`.

    A reduction takes its share of the total cost along, rounded to a micro; the last unit takes
    what is left, so a closed position has a cost of exactly zero.
    """
    net = held.quantity + quantity
    fees = held.fees + fee
    paid = amount(quantity, price)
    if held.quantity * quantity >= 0:  # opening or adding
        return Position(net, held.cost + paid, held.realized, fees)
    if net * held.quantity > 0:  # reduced: the cost of what remains is unchanged per unit
        share = EXACT.divide(EXACT.multiply(held.cost, -quantity), held.quantity)
        released = money(share)
        return Position(net, held.cost - released, held.realized - paid - released, fees)
    closing = amount(-held.quantity, price)  # closed, or crossed zero
    return Position(net, paid - closing, held.realized - closing - held.cost, fees)


def post(ledger: Ledger, symbol: Symbol, quantity: Decimal, price: Decimal, fee: Decimal) -> Ledger:
    """Return the ledger after one execution of signed `quantity`; a negative `fee` is a rebate."""
    held = ledger.positions.get(symbol, Position())
    return msgspec.structs.replace(
        ledger,
        cash=ledger.cash - amount(quantity, price) - fee,
        fees=ledger.fees + fee,
        positions={**ledger.positions, symbol: traded(held, quantity, price, fee)},
    )


def moved(ledger: Ledger, signed: Decimal, *, flow: bool) -> Ledger:
    """Return the ledger after cash came (positive) or went; a flow is kept apart from return."""
    return msgspec.structs.replace(
        ledger,
        cash=ledger.cash + signed,
        flows=ledger.flows + (signed if flow else ZERO),
        income=ledger.income + (ZERO if flow else signed),
    )
