"""A small market for the paper broker: one calendar, one clock, orders and bars in a line."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as D

from daemon.brokers.paper import PaperBroker
from daemon.calendar import Calendar, Session
from daemon.clock import FakeClock
from state.instrument import Instrument
from state.order import Order, Status
from state.quote import Bar, Close
from state.settings import Paper

DAYS = [date(2025, 3, 3) + timedelta(days=n) for n in range(5)]  # Monday to Friday
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = DAYS
FREE = Paper(initial_cash=D(10_000), commission_bps=0, slippage_bps=0)


def morning(session):
    """When a session opens: half past nine in New York, in winter."""
    return datetime.combine(session, time(14, 30), UTC)


def evening(session):
    """When it closes."""
    return datetime.combine(session, time(21), UTC)


CALENDAR = Calendar(
    "TEST",
    "UTC",
    [
        Session(day, datetime.combine(day, time(14, 30), UTC), datetime.combine(day, time(21), UTC))
        for day in [MONDAY - timedelta(days=3), *DAYS]
    ],
)


def order(oid, quantity, symbol="KO", session=TUESDAY, limit=None, created=None, ref=None):
    return Order(
        order_id=ref or f"R{oid}.0",
        rid=f"R{oid}",
        symbol=symbol,
        quantity=D(quantity),
        status=Status.SENDING,
        created_at=created or evening(session - timedelta(days=1)),
        session=session,
        price=D(50),
        limit_price=None if limit is None else D(limit),
        broker_oid=oid,
    )


def close(session, *, at=None, **prices):
    """Bars of some symbols: a price is a close, a tuple is (open, high, low, close)."""
    return Close(at or evening(session), session, tuple(bar(s, p) for s, p in prices.items()))


def bar(symbol, price):
    if isinstance(price, tuple):
        opening, high, low, closing = map(D, price)
        return Bar(symbol, closing, opening, high, low)
    return Bar(symbol, D(price))


async def paper_broker(path, paper=FREE, *, told=None, tell=None, clock=None, lot=1, **options):
    """A broker on `path` that reports into the list `told`."""
    return await PaperBroker.open(
        path,
        paper,
        listener=tell or ([] if told is None else told).append,
        clock=clock or FakeClock(),
        instrument=lambda symbol: Instrument(symbol, lot=D(lot)),
        calendar=CALENDAR,
        **options,
    )
