"""Three sessions of a small account, every figure of which can be worked by hand.

    session        close of KO, XOM    what happened before it            equity
    Mon 3 January  50, 80              10,000 put in                      10,000
    Tue 4 January  52, 78              bought 100 KO at 51, 20 XOM at 80  10,058
    Wed 5 January  54, 79              5,000 put in, 25 of dividends,     15,262
                                       sold 40 KO at 53

Each execution cost a fee of 1. Orders are decided at a close and trade in the next session; one to
buy 10 XOM at a limit of 70 stays open.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

from state.denial import Code, Denial
from state.event import (
    BarsClosed,
    CashMoved,
    CommandFinished,
    CommandRefused,
    Halted,
    OrderAccepted,
    OrderClaimed,
    OrderDenied,
    OrderFilled,
    OrderSubmitted,
    Resumed,
    Start,
    Started,
)
from state.instrument import Instrument
from state.quote import Bar
from state.record import Recorded
from state.settings import Execution, Limits

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2022, 1, day) for day in (3, 4, 5, 6))
START = Start(
    version="0.1.0",
    config_hash="c",
    account="DEMO",
    base_currency="USD",
    mode="paper",
    calendar="XNYS",
    strategy="inverse_volatility",
    instruments=(Instrument("KO"), Instrument("XOM")),
    limits=Limits(),
    execution=Execution(),
)


def close_of(session):
    return datetime(session.year, session.month, session.day, 21, tzinfo=UTC)


def noon_of(session):
    return datetime(session.year, session.month, session.day, 17, tzinfo=UTC)


def bars(session, equity, cash, at=None, gross=0.0, net=0.0, **closes):
    marks = tuple(Bar(symbol, D(price)) for symbol, price in closes.items())
    at = at or close_of(session)
    return BarsClosed(at, session, marks, D(equity), D(cash), gross, net)


def order(order_id, symbol, quantity, price, at, limit=None, oid=1):
    """Return an order decided at `at`, sent and accepted."""
    limit = None if limit is None else D(limit)
    rid = order_id.partition(".")[0]
    session = at.date() + timedelta(days=1)
    return [
        OrderSubmitted(
            order_id, rid, symbol, D(quantity), D(price), limit, "rebalance", session, at
        ),
        OrderClaimed(order_id, oid, at),
        OrderAccepted(order_id, f"B{oid}", D(0), at),
    ]


def fill(order_id, symbol, quantity, price, at, fee="1"):
    return OrderFilled(f"x{order_id}", order_id, symbol, D(quantity), D(price), D(fee), at, at)


def no(code):
    return Denial(code, "KO", "", "", "no", "")


AT_MONDAY, AT_TUESDAY, AT_WEDNESDAY = map(close_of, (MONDAY, TUESDAY, WEDNESDAY))
FIRST = [
    Started(START, noon_of(MONDAY)),
    CashMoved("initial", D(10_000), "", noon_of(MONDAY)),
    bars(MONDAY, 10_000, 10_000, KO=50, XOM=80),
]
SECOND = [
    *order("A.0", "KO", 100, 50, AT_MONDAY, oid=1),
    *order("A.1", "XOM", 20, 80, AT_MONDAY, oid=2),
    fill("A.0", "KO", 100, 51, noon_of(TUESDAY)),
    fill("A.1", "XOM", 20, 80, noon_of(TUESDAY)),
    CommandFinished("A", (), noon_of(TUESDAY)),
    bars(TUESDAY, 10_058, 3_298, gross=0.6721, net=0.6721, KO=52, XOM=78),
]
THIRD = [
    Halted("symbol:XOM", "odd prices", "TRADING_HALTED", "ops", AT_TUESDAY),
    OrderDenied("D.0", "D", "KO", D(9), no(Code.ORDER_NOTIONAL), AT_TUESDAY),
    CommandRefused("E", no(Code.NO_TARGETS), AT_TUESDAY),
    CashMoved("deposit", D("5000.000000"), "savings", AT_TUESDAY),
    CashMoved("dividend", D(25), "KO", AT_TUESDAY),
    *order("B.0", "KO", -40, 52, AT_TUESDAY, oid=3),
    *order("C.0", "XOM", 10, 78, AT_TUESDAY, limit=70, oid=4),
    Resumed("symbol:XOM", "looked at", "ops", noon_of(WEDNESDAY)),
    fill("B.0", "KO", -40, 53, noon_of(WEDNESDAY)),
    CommandFinished("B", (), noon_of(WEDNESDAY)),
    bars(WEDNESDAY, 15_262, 10_442, gross=0.3158, net=0.3158, KO=54, XOM=79),
]
STORY = [*FIRST, *SECOND, *THIRD]


def recorded(events):
    """Return events as the journal holds them."""
    return [
        Recorded(n, event.at, event, bytes([n % 256]) * 32) for n, event in enumerate(events, 1)
    ]
