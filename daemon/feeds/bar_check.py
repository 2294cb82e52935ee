"""Every bar on its way in: what can't be a price is refused and counted, never repaired.

A price that moved further than `max_jump` from the symbol's last close is refused, and that close
stays the reference. A level can shift for good, by a split say: the third close in a row that
agrees with the ones refused before it is accepted, and named in `shifted` so that someone is told.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from state.instrument import LARGEST, ZERO, Symbol
from state.quote import Bar, Close

AGREEING: Final = 3  # closes at a new level until it is believed


class Refusal(StrEnum):
    """Why a bar or a quote was refused. The names are public: status and metrics count by them."""

    NAN = "nan"
    INFINITE = "infinite"
    NON_POSITIVE = "non_positive"
    TOO_LARGE = "too_large"  # beyond what the journal's micros hold
    RANGE = "range"  # high below low, or open or close outside them
    VOLUME = "volume"  # negative, or no number
    NOT_A_SESSION = "not_a_session"
    OUT_OF_ORDER = "out_of_order"
    DUPLICATE = "duplicate"
    JUMP = "jump"
    # of what comes over a wire
    MALFORMED = "malformed"  # not the JSON it should be
    TOO_LONG = "too_long"
    UNKNOWN_SYMBOL = "unknown_symbol"
    NO_PRICE = "no_price"  # a quote of nothing
    CROSSED = "crossed"  # a bid above the ask
    OUTSIDE_SESSION = "outside_session"  # a quote while the market is closed
    FUTURE = "future"
    RETAINED = "retained"  # the broker's copy of something known already
    OVERFLOW = "overflow"  # more bars waited than memory is given for
    NOT_LIVE = "not_live"  # a quote that is delayed, or frozen at an earlier session's end


class Level(msgspec.Struct, frozen=True):
    """A symbol's last accepted close, and the level that `agreeing` refused closes agree on."""

    at: datetime
    price: float
    other: float = 0.0
    other_at: datetime | None = None
    agreeing: int = 0


class Memory(msgspec.Struct, frozen=True):
    """What the check remembers: the last close accepted, of the market and of each symbol."""

    at: datetime | None = None
    levels: Mapping[Symbol, Level] = {}


class Checked(msgspec.Struct, frozen=True):
    """What is left of a close (None: nothing), what was refused, and the memory from then on."""

    close: Close | None
    refused: Mapping[Refusal, int]
    memory: Memory
    shifted: tuple[Symbol, ...] = ()


def check(
    memory: Memory, close: Close, *, max_jump: float, is_session: Callable[[date], bool]
) -> Checked:
    """Return the bars of `close` that can be true; `max_jump` is a fraction, 0.8 for 80 %."""
    whole: Refusal | None = None
    if not is_session(close.session):
        whole = Refusal.NOT_A_SESSION
    elif memory.at is not None and close.at < memory.at:
        whole = Refusal.OUT_OF_ORDER
    if whole is not None:
        return Checked(None, {whole: len(close.bars)} if close.bars else {}, memory)

    at, known = close.at, memory.levels
    accepted: list[Bar] = []
    refused: Counter[Refusal] = Counter()
    shifted: list[Symbol] = []
    levels: dict[Symbol, Level] = {}
    for bar in close.bars:
        if flaw := flaw_of(bar):
            refused[flaw] += 1
            continue
        symbol = bar.symbol
        last = levels.get(symbol) or known.get(symbol)
        price = float(bar.close)
        if last is not None:
            if last.at == at:
                refused[Refusal.DUPLICATE] += 1
                continue
            if abs(price / last.price - 1.0) > max_jump:
                elsewhere = _elsewhere(last, price, at, max_jump)
                if elsewhere.agreeing < AGREEING:
                    levels[symbol] = elsewhere
                    refused[Refusal.JUMP] += 1
                    continue
                shifted.append(symbol)
        levels[symbol] = Level(at, price)
        accepted.append(bar)
    after = Memory(at if accepted else memory.at, {**known, **levels})
    if not accepted:
        return Checked(None, refused, after)
    if refused:
        close = replace(close, bars=tuple(accepted))
    return Checked(close, refused, after, tuple(shifted))


def flaw_of(bar: Bar) -> Refusal | None:
    """Return what is wrong with a bar taken by itself."""
    if flaw := _flaw(bar.close):
        return flaw
    if bar.open is None and bar.high is None and bar.low is None and bar.volume is None:
        return None
    prices = [price for price in (bar.open, bar.high, bar.low) if price is not None]
    for price in prices:
        if flaw := _flaw(price):
            return flaw
    if prices:
        high = max([bar.close, *prices]) if bar.high is None else bar.high
        low = min([bar.close, *prices]) if bar.low is None else bar.low
        if not all(low <= price <= high for price in (bar.close, *prices)):
            return Refusal.RANGE
    volume = bar.volume
    if volume is not None and not (volume.is_finite() and ZERO <= volume <= LARGEST):
        return Refusal.VOLUME
    return None


def _flaw(price: Decimal) -> Refusal | None:
    if not price.is_finite():
        return Refusal.NAN if price.is_nan() else Refusal.INFINITE
    if price <= ZERO:
        return Refusal.NON_POSITIVE
    return Refusal.TOO_LARGE if price > LARGEST else None


def _elsewhere(last: Level, price: float, at: datetime, max_jump: float) -> Level:
    """Return `last` with one more close seen far from it; said twice, a close counts once."""
    if last.agreeing and last.other_at is not None and abs(price / last.other - 1.0) <= max_jump:
        agreeing = last.agreeing + (at > last.other_at)
    else:
        agreeing = 1
    return Level(last.at, last.price, price, at, agreeing)
