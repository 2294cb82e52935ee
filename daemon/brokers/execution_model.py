"""How the paper market treats an order: its price, its cost, its luck. Pure."""

from decimal import Decimal
from hashlib import blake2b
from typing import Final

import msgspec

from state.instrument import EXACT, ONE, ZERO, Instrument, amount, money
from state.quote import Bar, Quote
from state.settings import Paper

BASIS_POINT: Final = Decimal("0.0001")
SMALLEST_PART: Final = Decimal("0.1")  # of an order that fills in two parts
PART_RANGE: Final = Decimal("0.8")
CHANCES: Final = 2**64


class Terms(msgspec.Struct, frozen=True):
    """What trading costs, as fractions of price or notional; `minimum` is money per order."""

    half_spread: Decimal
    slippage: Decimal
    commission: Decimal
    minimum: Decimal
    partial_fill_rate: float
    reject_rate: float
    seed: int


def terms(paper: Paper) -> Terms:
    """Return the settings as exact fractions."""
    return Terms(
        half_spread=fraction(paper.spread_bps) / 2,
        slippage=fraction(paper.slippage_bps),
        commission=fraction(paper.commission_bps),
        minimum=money(paper.commission_min),
        partial_fill_rate=paper.partial_fill_rate,
        reject_rate=paper.reject_rate,
        seed=paper.seed,
    )


def fraction(basis_points: float) -> Decimal:
    """Return basis points as the fraction their decimal notation says."""
    return Decimal(str(basis_points)) * BASIS_POINT


class Luck(msgspec.Struct, frozen=True):
    """What chance holds for one order; `part` is how much of it the first fill takes, if some."""

    rejected: bool
    partial: bool
    part: Decimal


NO_CHANCE: Final = Luck(rejected=False, partial=False, part=ONE)


def luck(terms: Terms, order_ref: str) -> Luck:
    """Return an order's fate: a function of the seed and its reference, whatever else happens."""
    if not (terms.reject_rate or terms.partial_fill_rate):
        return NO_CHANCE
    digest = blake2b(f"{terms.seed}|{order_ref}".encode(), digest_size=24).digest()
    rejected, partial, part = (int.from_bytes(digest[i : i + 8], "big") for i in (0, 8, 16))
    return Luck(
        rejected=rejected < terms.reject_rate * CHANCES,
        partial=partial < terms.partial_fill_rate * CHANCES,
        part=SMALLEST_PART + PART_RANGE * EXACT.divide(Decimal(part), Decimal(CHANCES)),
    )


def first_part(quantity: Decimal, luck: Luck, instrument: Instrument) -> Decimal:
    """Return how much of `quantity` (positive) the first fill takes: whole lots, at least one."""
    if not luck.partial:
        return quantity
    return min(quantity, max(instrument.whole_lots(quantity * luck.part), instrument.lot))


def bar_price(
    bar: Bar, side: int, limit: Decimal | None, terms: Terms, *, whole: bool
) -> Decimal | None:
    """Return what an order of `side` (+1 buys, -1 sells) trades at in `bar`; None: it doesn't.

    `whole` says that the order waited before the bar began, so that its open and its range are
    after the order. Otherwise only its close is known to be, and nobody trades in the past.
    """
    at_open = bar.open if whole else None
    reference = bar.close if at_open is None else at_open
    if limit is None or reaches(reference, side, limit):
        return within(worsened(reference, side, terms.half_spread + terms.slippage), side, limit)
    best = (bar.low if side > 0 else bar.high) if whole else None
    return limit if best is not None and reaches(best, side, limit) else None


def quote_price(quote: Quote, side: int, limit: Decimal | None, terms: Terms) -> Decimal | None:
    """Return what an order of `side` trades at by `quote`; None: nobody stands on the other side.

    A bid or an ask has the spread in it; a last price alone gets half the configured one.
    """
    touch, cost = (quote.ask if side > 0 else quote.bid), terms.slippage
    if touch is None:
        touch, cost = quote.last, terms.half_spread + terms.slippage
    if touch is None or (limit is not None and not reaches(touch, side, limit)):
        return None
    return within(worsened(touch, side, cost), side, limit)


def reaches(price: Decimal, side: int, limit: Decimal) -> bool:
    """Return whether `price` is at `limit` or better for `side`."""
    return price <= limit if side > 0 else price >= limit


def worsened(price: Decimal, side: int, cost: Decimal) -> Decimal:
    """Return `price` moved against `side` by the fraction `cost`."""
    return money(EXACT.multiply(price, ONE + side * cost))


def within(price: Decimal, side: int, limit: Decimal | None) -> Decimal:
    """Return `price`, or the limit where it is better for `side`."""
    if limit is None:
        return price
    return min(price, limit) if side > 0 else max(price, limit)


def fee(terms: Terms, value: Decimal, charged: Decimal) -> Decimal:
    """Return what is still due of an order that traded `value` so far, of which `charged` is paid.

    The minimum is per order, however many executions it takes.
    """
    return max(amount(value, terms.commission), terms.minimum) - charged


def affordable(
    cash: Decimal,
    price: Decimal,
    wanted: Decimal,
    instrument: Instrument,
    terms: Terms,
    value: Decimal = ZERO,
    charged: Decimal = ZERO,
) -> Decimal:
    """Return how much of `wanted` (positive) `cash` buys at `price`, fee included: whole lots.

    `value` and `charged` are what the order traded and paid before.
    """

    def leaves_nothing_owed(quantity: Decimal) -> bool:
        cost = amount(quantity, price)
        return cost + fee(terms, value + cost, charged) <= cash

    if leaves_nothing_owed(wanted):
        return wanted
    lots, too_many = 0, int(EXACT.divide(wanted, instrument.lot)) + 1
    while too_many - lots > 1:
        middle = (lots + too_many) // 2
        enough = leaves_nothing_owed(EXACT.multiply(Decimal(middle), instrument.lot))
        lots, too_many = (middle, too_many) if enough else (lots, middle)
    return money(EXACT.multiply(Decimal(lots), instrument.lot))
