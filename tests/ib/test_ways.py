"""How the orders of a rebalance go out."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from daemon.brokers.ib.orders import OrderUnsendable, outgoing
from daemon.brokers.ib.ways import Routing, of_rebalance
from daemon.calendar import Calendar, Session
from state.instrument import Instrument
from tests.ib.conftest import ACCOUNT
from tests.ib.sending import sending


def at(hour, minute=0, second=0, day=5):
    return datetime(2026, 1, day, hour, minute, second, tzinfo=UTC)


DAYS = Calendar(
    "THREE DAYS",
    "UTC",
    [
        Session(date(2026, 1, 2), at(14, 30, day=2), at(21, day=2)),
        Session(date(2026, 1, 5), at(14, 30), at(21)),
        Session(date(2026, 1, 6), at(14, 30, day=6), at(18, day=6)),
    ],
)


def wanted(**how):
    return replace(sending("RID.0", 10, 41), source="rebalance", **how)


def out(now, order=None, **routing):
    """What goes out at `now`."""
    order = order or wanted()
    sent = outgoing(order, Instrument("SPY"), ACCOUNT, "DAY")
    of_rebalance(order, sent, now, routing=Routing(**routing), calendar=DAYS)
    assert (sent.tif, sent.account, sent.totalQuantity) == ("DAY", ACCOUNT, 10)
    return sent.orderType, sent.algoStrategy, {p.tag: p.value for p in sent.algoParams or ()}


def test_a_market_order_is_left_as_it_is():
    assert out(at(15)) == ("MKT", "", {})


@pytest.mark.parametrize("priority", ["Urgent", "Normal", "Patient"])
def test_an_adaptive_one_says_how_soon(priority):
    said_of_it = {"adaptivePriority": priority}
    assert out(at(15), way="adaptive", priority=priority) == ("MKT", "Adaptive", said_of_it)


@pytest.mark.parametrize(
    ("now", "begin", "end"),
    [
        (at(15), "20260105-15:00:00 UTC", "20260105-15:30:00 UTC"),
        (at(20, 45), "20260105-20:45:00 UTC", "20260105-21:00:00 UTC"),
        (at(14), "20260105-14:30:00 UTC", "20260105-15:00:00 UTC"),
        (at(21), "20260106-14:30:00 UTC", "20260106-15:00:00 UTC"),
    ],
)
def test_it_is_spread_over_a_time_of_the_session_that_is_on_or_the_next(now, begin, end):
    times = {"startTime": begin, "endTime": end, "allowPastEndTime": "1"}
    assert out(now, way="twap") == ("MKT", "Twap", {"strategyType": "Marketable", **times})
    volume = {"maxPctVol": "0.1", **times, "noTakeLiq": "0"}
    assert out(now, way="vwap") == ("MKT", "Vwap", volume)


@pytest.mark.parametrize("now", [at(14), at(20, 44, 59), at(21), at(17, 44, day=6)])
def test_at_the_close_it_goes_until_the_cutoff_and_again_after_the_close(now):
    assert out(now, way="moc") == ("MOC", "", {})


@pytest.mark.parametrize(
    ("now", "way", "why"),
    [
        (at(20, 45), "moc", "goes out before 20:45:00, ib.moc_cutoff"),
        (at(20, 59, 59), "moc", "close of 2026-01-05 21:00"),
        (at(17, 45, day=6), "moc", "close of 2026-01-06 18:00"),
        (at(20, 59, 1), "twap", "less than a minute"),
        (at(20, 59, 1), "vwap", "less than a minute"),
        (at(18, day=6), "moc", "no session after"),
    ],
)
def test_without_time_left_it_is_refused_with_the_reason(now, way, why):
    with pytest.raises(OrderUnsendable, match=why):
        out(now, way=way)


@pytest.mark.parametrize("way", ["adaptive", "twap", "vwap", "moc"])
def test_what_a_halt_closes_and_what_has_a_limit_go_as_ever(way):
    at_once = replace(wanted(), source="flatten")
    assert out(at(20, 59, 30), at_once, way=way) == ("MKT", "", {})
    limited = wanted(limit_price=Decimal("9.99"))
    assert out(at(20, 59, 30), limited, way=way) == ("LMT", "", {})
