"""What comes by MQTT: a topic and a payload in; a quote, a bar, or why it is neither, out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final, Literal

import msgspec

from daemon.calendar import Calendar, OutsideCalendar
from daemon.feeds.bar_check import Refusal, flaw_of
from state.instrument import EXACT, LARGEST, MICRO, ZERO, Symbol
from state.quote import Bar, Quote

LONGEST: Final = 1024  # bytes of a payload
PERIOD: Final = "1d"
DAY: Final = len("2019-01-02")
MIDNIGHT: Final = time()

Kind = Literal["quote", "bar"]


class DayBar(msgspec.Struct, frozen=True):
    """A bar, and the session it is of."""

    session: date
    bar: Bar


class QuoteMessage(msgspec.Struct, frozen=True):
    """The payload of a quote; fields of others are ignored."""

    at: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


class BarMessage(msgspec.Struct, frozen=True):
    """The payload of a bar; `at` is the session's day, or a time in it."""

    at: str
    close: Decimal
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Decimal | None = None


class Refused(Exception):
    """Not a quote and not a bar."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


def quote_topic(prefix: str, symbol: Symbol) -> str:
    """Return where the quotes of a symbol are published."""
    return f"{prefix}/md/quote/{symbol}"


def bar_topic(prefix: str, symbol: Symbol) -> str:
    """Return where the daily bars of a symbol are published."""
    return f"{prefix}/md/bar/{PERIOD}/{symbol}"


def bar_payload(session: date, bar: Bar) -> bytes:
    """Return the payload of a daily bar: exact decimals, without trailing zeros."""
    fields: dict[str, str | msgspec.Raw] = {"at": session.isoformat()}
    for name in ("open", "high", "low", "close", "volume"):
        value: Decimal | None = getattr(bar, name)
        if value is not None:
            fields[name] = msgspec.Raw(f"{value.normalize():f}".encode())
    return msgspec.json.encode(fields)


class Reading:
    """Reads messages of some symbols, on one calendar, within bounds."""

    def __init__(self, prefix: str, symbols: Sequence[Symbol], calendar: Calendar) -> None:
        quotes: Mapping[str, tuple[Kind, Symbol]] = {
            quote_topic(prefix, symbol): ("quote", symbol) for symbol in symbols
        }
        bars: Mapping[str, tuple[Kind, Symbol]] = {
            bar_topic(prefix, symbol): ("bar", symbol) for symbol in symbols
        }
        self._topics = {**quotes, **bars}
        self._calendar = calendar
        self._quote = msgspec.json.Decoder(QuoteMessage).decode
        self._bar = msgspec.json.Decoder(BarMessage).decode

    def read(self, topic: str, payload: bytes) -> Quote | DayBar | Refusal:
        """Return what a message says, or why it says nothing."""
        known = self._topics.get(topic)
        if known is None:
            return Refusal.UNKNOWN_SYMBOL
        if len(payload) > LONGEST:
            return Refusal.TOO_LONG
        kind, symbol = known
        try:
            return (
                self._a_quote(symbol, payload) if kind == "quote" else self._a_bar(symbol, payload)
            )
        except Refused as e:
            return e.reason
        except OutsideCalendar:
            return Refusal.NOT_A_SESSION
        except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError):
            return Refusal.MALFORMED

    def _a_quote(self, symbol: Symbol, payload: bytes) -> Quote:
        said = self._quote(payload)
        at = datetime.fromisoformat(said.at)
        if at.tzinfo is None:
            raise Refused(Refusal.MALFORMED)
        bid, ask, last = price(said.bid), price(said.ask), price(said.last)
        if last is None and (bid is None or ask is None):
            raise Refused(Refusal.NO_PRICE)
        if bid is not None and ask is not None and bid > ask:
            raise Refused(Refusal.CROSSED)
        return Quote(symbol, at.astimezone(UTC), bid, ask, last)

    def _a_bar(self, symbol: Symbol, payload: bytes) -> DayBar:
        said = self._bar(payload)
        bar = Bar(
            symbol,
            rounded(said.close),
            None if said.open is None else rounded(said.open),
            None if said.high is None else rounded(said.high),
            None if said.low is None else rounded(said.low),
            None if said.volume is None else rounded(said.volume),
        )
        if flaw := flaw_of(bar):
            raise Refused(flaw)
        session = self._session(said.at)
        if not self._calendar.is_session(session):
            raise Refused(Refusal.NOT_A_SESSION)
        return DayBar(session, bar)

    def _session(self, text: str) -> date:
        """Return the session of a bar's `at`: a day, its midnight in UTC, or a time in it."""
        if len(text) == DAY:
            return date.fromisoformat(text)
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise Refused(Refusal.MALFORMED)
        at = at.astimezone(UTC)
        return at.date() if at.time() == MIDNIGHT else self._calendar.session_of(at)


def price(value: Decimal | None) -> Decimal | None:
    """Return a price in millionths; raises Refused."""
    if value is None:
        return None
    exact = rounded(value)
    if not exact.is_finite():
        raise Refused(Refusal.NAN if exact.is_nan() else Refusal.INFINITE)
    if exact <= ZERO:
        raise Refused(Refusal.NON_POSITIVE)
    if exact > LARGEST:
        raise Refused(Refusal.TOO_LARGE)
    return exact


def rounded(value: Decimal) -> Decimal:
    """Return `value` in millionths; what no price can be is left for the check to refuse."""
    if not value.is_finite() or abs(value) > LARGEST:
        return value
    return EXACT.quantize(value, MICRO)
