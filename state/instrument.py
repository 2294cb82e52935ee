"""Instruments, and the exact arithmetic of the money they trade for."""

from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from typing import Final

import msgspec

Symbol = str

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
MICRO: Final = Decimal("0.000001")
LARGEST: Final = Decimal(9_000_000_000_000)  # int64 micros end at 9.2e12

EXACT: Final = Context(
    prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)


class AmountOutOfRange(ValueError):
    """An amount does not fit the journal's integer micros."""

    def __init__(self, value: Decimal) -> None:
        super().__init__(f"amount {value} is outside ±{LARGEST:,}, the journal's range of micros")
        self.value = value


def money(value: Decimal) -> Decimal:
    """Return `value` rounded half-even to a millionth; raise AmountOutOfRange past 9e12 or NaN."""
    if not value.is_finite() or abs(value) > LARGEST:
        raise AmountOutOfRange(value)
    return EXACT.quantize(value, MICRO)


def amount(quantity: Decimal, price: Decimal) -> Decimal:
    """Return `quantity * price` as money; negative for a sale."""
    return money(EXACT.multiply(quantity, price))


def ratio(part: Decimal, whole: Decimal) -> float:
    """Return part / whole as a plain number; raises ZeroDivisionError when `whole` is 0."""
    if not whole:
        raise ZeroDivisionError(f"ratio of {part} to zero")
    return float(EXACT.divide(part, whole))


class Instrument(msgspec.Struct, frozen=True):
    """What can be traded: prices move in ticks, quantities in lots (below 1: fractions)."""

    symbol: Symbol
    currency: str = "USD"
    tick: Decimal = Decimal("0.01")
    lot: Decimal = ONE

    def whole_lots(self, quantity: Decimal) -> Decimal:
        """Return `quantity` rounded toward zero to a multiple of the lot."""
        lots = EXACT.divide(quantity, self.lot).to_integral_value(rounding=ROUND_DOWN)
        return money(EXACT.multiply(lots, self.lot))

    def on_tick(self, price: Decimal) -> bool:
        """Return whether `price` is a multiple of the tick."""
        return not EXACT.remainder(price, self.tick)
