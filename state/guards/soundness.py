"""Whether it is an order at all, for something known, at a price that is known."""

from state.case import Case
from state.denial import Code, Denial
from state.duration import Bars, staleness
from state.instrument import EXACT, LARGEST, ZERO


def unknown_symbol(case: Case) -> Denial | None:
    """Refuse what is not in the universe."""
    if case.order.symbol in case.now.instruments:
        return None
    return case.deny(
        Code.UNKNOWN_SYMBOL,
        f"{case.order.symbol} is none of the {len(case.now.instruments)} symbols of the universe",
        "check the spelling, or add it to universe.symbols and restart",
        case.order.symbol,
        "universe.symbols",
    )


def currency_mismatch(case: Case) -> Denial | None:
    """Refuse an instrument of another currency than the account's: nothing here converts."""
    currency = case.now.instruments[case.order.symbol].currency
    base = case.now.start.base_currency if case.now.start else ""
    if currency == base:
        return None
    return case.deny(
        Code.CURRENCY_MISMATCH,
        f"{case.order.symbol} trades in {currency}, the account is kept in {base}",
        "trade it from an account of its own currency",
        currency,
        base,
    )


def invalid_quantity(case: Case) -> Denial | None:
    """Refuse what is no quantity: zero, not finite, out of range, or not whole lots.

    A holding that is no multiple of the lot (after a split) may be closed to the last unit.
    """
    quantity, lot = case.order.quantity, case.now.instruments[case.order.symbol].lot
    hint = f"ask for a positive multiple of {lot}"
    if not quantity.is_finite() or not quantity or abs(quantity) > LARGEST:
        message = f"{quantity} is no quantity to trade"
        return case.deny(Code.INVALID_QUANTITY, message, hint, quantity, f"±{LARGEST}")
    closing = case.reducing and not case.stake.effective + quantity
    if EXACT.remainder(quantity, lot) and not closing:
        message = f"quantity {quantity} is not a multiple of the lot {lot}"
        return case.deny(Code.INVALID_QUANTITY, message, hint, quantity, lot)
    return None


def invalid_price(case: Case) -> Denial | None:
    """Refuse a limit that is no price: not finite, not positive, or between ticks."""
    limit, instrument = case.order.limit_price, case.now.instruments[case.order.symbol]
    if limit is None:
        return None
    hint = f"give a positive limit in steps of {instrument.tick}"
    if not limit.is_finite() or not ZERO < limit <= LARGEST:
        message = f"limit {limit} is no price"
        return case.deny(Code.INVALID_PRICE, message, hint, limit, "> 0")
    if not instrument.on_tick(limit):
        message = f"limit {limit} is not a multiple of the tick {instrument.tick}"
        return case.deny(Code.INVALID_PRICE, message, hint, limit, instrument.tick)
    return None


def no_price(case: Case) -> Denial | None:
    """Refuse without a price; and to open anything while some holding has none."""
    hint = "wait for its first price: see feed in tm status"
    if case.order.symbol not in case.now.marks:
        message = f"no price of {case.order.symbol} has arrived yet"
        return case.deny(Code.NO_PRICE, message, hint, "none", "a price")
    if case.book.unpriced and not case.reducing:
        names = ", ".join(sorted(case.book.unpriced))
        message = f"equity is not known: no price of {names}, which is held or on order"
        return case.deny(Code.NO_PRICE, message, hint, names, "a price")
    return None


def stale_data(case: Case) -> Denial | None:
    """Refuse to open on a price that is `stale_after` old, in closes or in open-market time.

    A time shorter than a session means a session: bars are the data, and there is one a session.
    """
    if case.reducing:
        return None
    mark, after = case.now.marks[case.order.symbol], staleness(case.limits.stale_after)
    if isinstance(after, Bars):
        missed = case.now.bars - mark.bars
        stale, age = missed >= after.count, str(Bars(missed))
        if not case.now.replaying and case.moment.bar:  # closes that were late when they came
            open_time = case.moment.open_time(mark.at, case.moment.at)
            stale = stale or open_time >= after.count * case.moment.bar
    else:
        old = case.moment.open_time(mark.at, case.moment.at)
        stale = old >= max(after, case.moment.bar)
        age = f"{old.total_seconds():.0f} s of open market"
    if not stale:
        return None
    return case.deny(
        Code.STALE_DATA,
        f"the last price of {case.order.symbol} is from {mark.at:%Y-%m-%d %H:%M} UTC, {age} old; "
        f"risk.stale_after is {after}",
        "see feed in tm status; an order that reduces the holding passes",
        age,
        after,
    )
