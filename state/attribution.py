"""Which symbol brought what."""

from decimal import Decimal

import msgspec

from state.answers import perhaps, plain
from state.chronicle import Chronicle, Executions
from state.instrument import ZERO, Symbol, ratio
from state.ledger import Position
from state.snapshot import Snapshot


class SymbolResult(msgspec.Struct, frozen=True):
    """What one symbol brought. `profit` is after fees; quantity, value and weight are at the end.

    `value` and what follows from it are None when the symbol never had a price.
    """

    symbol: Symbol
    quantity: Decimal
    value: Decimal | None
    weight: float | None
    profit: Decimal | None
    realized: Decimal
    fees: Decimal
    traded: Decimal
    executions: int


def by_symbol(told: Chronicle) -> tuple[SymbolResult, ...]:
    """Return what each symbol brought; with income and flows that is the change of equity."""
    before, after = told.opening.ledger.positions, told.closing.ledger.positions
    touched = {symbol for symbol, now in after.items() if now.quantity or now != before.get(symbol)}
    worth = told.sessions[-1].equity if told.sessions else ZERO
    return tuple(symbol_result(told, symbol, worth) for symbol in sorted(touched))


def symbol_result(told: Chronicle, symbol: Symbol, worth: Decimal) -> SymbolResult:
    """Return what one symbol brought, beside an equity of `worth` at the end."""
    was = told.opening.ledger.positions.get(symbol, Position())
    now = told.closing.ledger.positions[symbol]
    value = worth_of(told.closing, symbol)
    began, ended = made_by(told.opening, symbol), made_by(told.closing, symbol)
    executions = told.executions.get(symbol, Executions())
    return SymbolResult(
        symbol=symbol,
        quantity=plain(now.quantity),
        value=perhaps(value),
        weight=ratio(value, worth) if value is not None and worth > 0 else None,
        profit=None if began is None or ended is None else plain(ended - began),
        realized=plain(now.realized - was.realized),
        fees=plain(now.fees - was.fees),
        traded=plain(executions.notional),
        executions=executions.count,
    )


def worth_of(now: Snapshot, symbol: Symbol) -> Decimal | None:
    """Return what is held of a symbol in money; None when it is held and has no price."""
    held, price = now.ledger.positions.get(symbol, Position()), now.price(symbol)
    if not held.quantity:
        return ZERO
    return None if price is None else held.value(price)


def made_by(now: Snapshot, symbol: Symbol) -> Decimal | None:
    """Return what a symbol has ever made, after fees; None as in `worth_of`."""
    held, value = now.ledger.positions.get(symbol, Position()), worth_of(now, symbol)
    return None if value is None else held.realized + value - held.cost - held.fees
