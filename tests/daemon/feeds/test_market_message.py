from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from daemon.calendar import open_calendar
from daemon.feeds.bar_check import Refusal
from daemon.feeds.market_message import DayBar, Reading, bar_payload
from state.quote import Bar, Quote

XNYS = open_calendar("XNYS", first=date(2021, 1, 1), last=date(2021, 12, 31))
READING = Reading("tm", ("KO",), XNYS)
QUOTE, BAR = "tm/md/quote/KO", "tm/md/bar/1d/KO"
MONDAY = date(2021, 3, 1)


@pytest.mark.parametrize(
    ("payload", "quote"),
    [
        ('{"at": "2021-03-01T15:00:00Z", "last": 50.1}', (None, None, "50.1")),
        ('{"at": "2021-03-01T10:00:00-05:00", "bid": "50", "ask": 50.02}', ("50", "50.02", None)),
        ('{"at": "2021-03-01T15:00:00Z", "bid": 1, "last": 1, "x": [{}]}', ("1", None, "1")),
    ],
)
def test_a_quote(payload, quote):
    at = datetime(2021, 3, 1, 15, tzinfo=UTC)
    prices = [None if price is None else D(price) for price in quote]

    assert READING.read(QUOTE, payload.encode()) == Quote("KO", at, *prices)


@pytest.mark.parametrize(
    "at",
    ["2021-03-01", "2021-03-01T00:00:00Z", "2021-03-01T21:00:00Z", "2021-03-01T16:00:00-05:00"],
)
def test_a_bar_is_of_the_day_or_the_session_that_it_says(at):
    said = READING.read(BAR, f'{{"at": "{at}", "close": 50.1234567}}'.encode())

    assert said == DayBar(MONDAY, Bar("KO", D("50.123457")))


def test_what_is_published_is_what_is_read():
    bar = Bar("KO", D("50.100000"), D(50), D("51.5"), D("49.000001"), D(12_345_678_901))

    assert READING.read(BAR, bar_payload(MONDAY, bar)) == DayBar(MONDAY, bar)


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("tm/md/quote/PG", "{}", Refusal.UNKNOWN_SYMBOL),
        ("tm/md/bar/1m/KO", "{}", Refusal.UNKNOWN_SYMBOL),
        (QUOTE, " " * 1025, Refusal.TOO_LONG),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z"}', Refusal.NO_PRICE),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "bid": 1}', Refusal.NO_PRICE),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "bid": 2, "ask": 1}', Refusal.CROSSED),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "last": "NaN"}', Refusal.NAN),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "last": "sNaN"}', Refusal.NAN),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "last": "-Infinity"}', Refusal.INFINITE),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "last": 1e999999}', Refusal.TOO_LARGE),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "last": 1e-999999}', Refusal.NON_POSITIVE),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "last": -1}', Refusal.NON_POSITIVE),
        (QUOTE, '{"at": "2021-03-01T15:00:00", "last": 1}', Refusal.MALFORMED),
        (QUOTE, '{"at": "0001-01-01T00:00:00+14:00", "last": 1}', Refusal.MALFORMED),
        (QUOTE, '{"at": 1614610800, "last": 1}', Refusal.MALFORMED),
        (QUOTE, '{"last": 1}', Refusal.MALFORMED),
        (QUOTE, '{"at": "2021-03-01T15:00:00Z", "last": true}', Refusal.MALFORMED),
        (QUOTE, "[" * 1000, Refusal.MALFORMED),
        (QUOTE, "", Refusal.MALFORMED),
        (BAR, '{"at": "2021-03-06", "close": 1}', Refusal.NOT_A_SESSION),
        (BAR, '{"at": "1900-01-01T12:00:00Z", "close": 1}', Refusal.NOT_A_SESSION),
        (BAR, '{"at": "2021-13-01", "close": 1}', Refusal.MALFORMED),
        (BAR, '{"at": "2021-03-01"}', Refusal.MALFORMED),
        (BAR, '{"at": "2021-03-01", "close": 0}', Refusal.NON_POSITIVE),
        (BAR, '{"at": "2021-03-01", "close": 1, "high": 0.5}', Refusal.RANGE),
        (BAR, '{"at": "2021-03-01", "close": 1, "volume": -1}', Refusal.VOLUME),
    ],
)
def test_what_is_neither_says_why(topic, payload, reason):
    assert READING.read(topic, payload.encode()) is reason
