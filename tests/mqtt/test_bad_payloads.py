"""Whatever is published: nothing breaks, everything is counted by its reason, nothing follows."""

import json
from collections import Counter
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.calendar import open_calendar
from daemon.clock import FakeClock, MarketClock
from daemon.feeds.bar_check import Level, Memory, Refusal
from daemon.feeds.gathering import Gathering
from daemon.feeds.market_message import Reading
from daemon.feeds.mqtt import MqttFeed
from daemon.feeds.past import Past

XNYS = open_calendar("XNYS", first=date(2021, 1, 1), last=date(2021, 12, 31))
FRIDAY = date(2021, 2, 26)
WALL = datetime(2021, 3, 1, 16, tzinfo=UTC)  # a Monday, the market is open
QUOTE, BAR = "tm/md/quote/KO", "tm/md/bar/1d/KO"
TIMES = st.datetimes(datetime(2021, 3, 1, 14, 30), datetime(2021, 3, 1, 16))  # noqa: DTZ001
SOON = datetime(2021, 3, 1, 16, 1)  # noqa: DTZ001
AT = TIMES.map(lambda at: f"{at.isoformat()}Z")
GOOD = st.decimals("45", "55", places=2).map(str)

NO_PRICES = {
    Refusal.NAN: st.sampled_from(['"NaN"', '"-nan"', '"sNaN7"', '"NaN123456"']),
    Refusal.INFINITE: st.sampled_from(['"Infinity"', '"-inf"', '"+Inf"']),
    Refusal.NON_POSITIVE: st.one_of(
        st.integers(max_value=0).map(str).filter(lambda text: len(text) < 13),
        st.floats(-1e12, -0.0).map(repr),
        st.integers(7, 999_999).map(lambda n: f"1e-{n}"),
    ),
    Refusal.TOO_LARGE: st.one_of(
        st.integers(9_000_000_000_001, 10**300).map(str),
        st.integers(13, 999_999).map(lambda n: f"1e{n}"),
    ),
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
).filter(lambda value: not (isinstance(value, dict) and "at" in value))


def quote(fields):
    return st.tuples(AT, fields).map(lambda t: f'{{"at": "{t[0]}", {t[1]}}}')


def bar(fields):
    return fields.map(lambda text: f'{{"at": "2021-02-26", {text}}}')


def of(reason, topic, payloads):
    return payloads.map(
        lambda text: (reason, topic, text if isinstance(text, bytes) else text.encode())
    )


def cut(text, share):
    return text[: int(len(text) * share)]


WHOLE = quote(GOOD.map(lambda price: f'"last": {price}'))
BAD = st.one_of(
    of(Refusal.MALFORMED, QUOTE, st.binary(max_size=200)),
    of(Refusal.MALFORMED, BAR, JUNK.map(json.dumps).filter(lambda text: len(text) < 1024)),
    of(Refusal.MALFORMED, QUOTE, st.builds(cut, WHOLE, st.floats(0, 0.95))),
    of(Refusal.MALFORMED, BAR, st.integers(1, 1024).map(lambda n: "[" * n)),
    of(
        Refusal.MALFORMED,
        QUOTE,
        st.text(max_size=30).map(lambda at: json.dumps({"at": f"x{at}", "last": 50})),
    ),
    of(
        Refusal.MALFORMED,
        QUOTE,
        TIMES.map(lambda at: json.dumps({"at": at.isoformat(), "last": 50})),
    ),
    of(Refusal.TOO_LONG, QUOTE, st.integers(1025, 3000).map(lambda n: b" " * n)),
    of(Refusal.UNKNOWN_SYMBOL, "tm/md/quote/XX", WHOLE),
    of(Refusal.UNKNOWN_SYMBOL, "tm/md/bar/5m/KO", st.binary(max_size=20)),
    *(
        of(reason, QUOTE, quote(numbers.map(lambda number: f'"last": {number}')))
        for reason, numbers in NO_PRICES.items()
    ),
    *(
        of(reason, QUOTE, quote(numbers.map(lambda number: f'"bid": {number}, "last": 50')))
        for reason, numbers in NO_PRICES.items()
    ),
    *(
        of(reason, BAR, bar(numbers.map(lambda number: f'"close": {number}')))
        for reason, numbers in NO_PRICES.items()
    ),
    *(
        of(reason, BAR, bar(numbers.map(lambda number: f'"open": {number}, "close": 50')))
        for reason, numbers in NO_PRICES.items()
    ),
    of(Refusal.NO_PRICE, QUOTE, quote(GOOD.map(lambda price: f'"ask": {price}'))),
    of(Refusal.CROSSED, QUOTE, quote(GOOD.map(lambda price: f'"bid": 1{price}, "ask": {price}'))),
    of(Refusal.JUMP, QUOTE, quote(GOOD.map(lambda price: f'"last": 1{price}'))),
    of(Refusal.RANGE, BAR, bar(GOOD.map(lambda price: f'"close": {price}, "low": 1{price}'))),
    of(
        Refusal.VOLUME,
        BAR,
        bar(st.integers(max_value=-1).map(lambda volume: f'"close": 50, "volume": {volume}')),
    ),
    of(
        Refusal.FUTURE,
        QUOTE,
        st.datetimes(
            SOON,
            datetime(2999, 1, 1),  # noqa: DTZ001
        ).map(lambda at: f'{{"at": "{at.isoformat()}Z", "last": 50}}'),
    ),
    of(
        Refusal.FUTURE,
        BAR,
        st.dates(date(2021, 3, 1), date(2021, 12, 31))
        .filter(XNYS.is_session)
        .map(lambda day: f'{{"at": "{day}", "close": 50}}'),
    ),
    of(
        Refusal.NOT_A_SESSION,
        BAR,
        st.dates(date(1, 1, 1), date(2021, 2, 26))
        .filter(lambda day: not XNYS.is_session(day))
        .map(lambda day: f'{{"at": "{day}", "close": 50}}'),
    ),
    of(Refusal.OUT_OF_ORDER, BAR, st.just('{"at": "2021-02-25", "close": 50}')),
    of(Refusal.DUPLICATE, BAR, st.just('{"at": "2021-02-26", "close": 50}')),
    of(Refusal.OUT_OF_ORDER, QUOTE, st.just('{"at": "2021-02-26T16:00:00Z", "last": 50}')),
)


def listening():
    """A feed that knows of Friday's close, on a Monday."""
    clock = FakeClock(WALL, runs=False)
    memory = Memory(XNYS.close_of(FRIDAY), {"KO": Level(XNYS.close_of(FRIDAY), 50.0)})
    gathering = Gathering(
        ("KO",), XNYS, max_jump=0.5, grace=60, follows_feed=False, after=FRIDAY, memory=memory
    )
    feed = MqttFeed(
        ("KO",),
        None,
        Reading("tm", ("KO",), XNYS),
        gathering,
        Past(("KO",), None, XNYS, max_jump=0.5),
        clock,
        MarketClock(clock, follows_feed=False),
        prefix="tm",
        qos=1,
    )
    return feed, gathering


def follows(messages):
    """What bad messages lead to: each is counted by its reason, no close and no quote is told."""
    feed, gathering = listening()
    for _, topic, payload in messages:
        feed.take(topic, payload, False)

    assert feed.refused == Counter(reason for reason, _, _ in messages)
    assert gathering.due(WALL, 0.0) is None
    assert not gathering.fresh()
    assert (feed.stream.bars, feed.stream.quotes) == (0, 0)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(BAD, min_size=50, max_size=60))
def test_bad_payloads_are_counted_by_reason_and_nothing_follows(messages):
    follows(messages)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(BAD, min_size=50, max_size=60))
def test_a_hundred_thousand_bad_payloads(messages):
    follows(messages)
