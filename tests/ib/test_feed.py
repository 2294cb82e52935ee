"""Prices over a real socket: closes from the gateway's history, quotes from its stream.

Both sides have the same wall clock, which stands until a test moves it.
"""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal as D

import numpy as np
import pytest

from daemon.brokers.ib.gateway import Address
from daemon.calendar import open_calendar
from daemon.clock import MarketClock, SystemClock
from daemon.feeds.bar_check import Memory, Refusal
from daemon.feeds.ib.feed import IbFeed, Terms
from daemon.feeds.ib.line import OwnLine
from daemon.feeds.past import Past
from state.instrument import Instrument as Listed
from tests.ib.awaiting import until
from tests.ib.conftest import ACCOUNT
from tests.ib.gateway.domain import Instrument
from tests.ib.gateway.server import FakeIBGateway

XNYS = open_calendar("XNYS", first=date(2020, 1, 1), last=date(2026, 12, 31))
WEDNESDAY, THURSDAY, FRIDAY = date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 6)
MONDAY = date(2026, 3, 9)


class Time:
    """A wall that stands, and waits that take a moment each."""

    def __init__(self, day, hour, minute=0):
        self.passed = 0.0
        self.put(day, hour, minute)

    def put(self, day, hour, minute=0):
        self.now = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)

    def wall(self):
        return self.now

    def mono(self):
        return self.passed

    async def sleep(self, seconds):
        self.passed += seconds
        await asyncio.sleep(0.002)


def row(day, close):
    return (day, close - 1, close + 2, close - 2, close, 1000.0)


def shares(until_day, symbols=("KO", "PG")):
    """Instruments with a bar of each session of 2026: the first at 40, the second at 41."""
    days = XNYS.sessions_between(date(2026, 1, 2), until_day)
    return [
        Instrument(1001 + n, symbol, 50.0, "NYSE", daily=[row(day, 40.0 + n) for day in days])
        for n, symbol in enumerate(symbols)
    ]


class Prices:
    """A feed on a fake gateway, with what it delivered."""

    def __init__(
        self,
        fake,
        time,
        after=None,
        symbols=("KO", "PG", "NESN"),
        lines=100,
        clock=None,
        patience=30.0,
        warms=True,
    ):
        self.time, self.closes, self.quotes = time, [], []
        listed = [Listed(s, currency="CHF" if s == "NESN" else "USD") for s in symbols]
        address = Address("127.0.0.1", fake.port, 18, ACCOUNT)
        self.line = OwnLine(address, listed, "USD", clock or SystemClock(), lambda: 0, patience)
        self.feed = IbFeed(
            symbols,
            XNYS,
            time,
            MarketClock(time, follows_feed=False),
            Past(symbols, None, XNYS, max_jump=0.8),
            Terms(0.8, 60.0, lines, patience),
            after=after,
            memory=lambda past, before: Memory(),
            warms=warms,
        )
        self.feed.follow(self.line)
        self.running = asyncio.create_task(self.feed.run(self.on_close, self.on_quotes))

    async def on_close(self, close):
        self.closes.append(close)

    async def on_quotes(self, quotes):
        self.quotes += quotes

    async def sees(self, true):
        await until(lambda: self.running.done() or true(), 30)
        assert true(), self.running.exception()

    def told(self):
        return [close.session for close in self.closes]


@pytest.fixture
async def desk():
    """Open a gateway of `shares` and a feed on it; all is closed at the end."""
    opened = []

    async def opening(time, made=None, *, gateway=None, **how):
        fake = FakeIBGateway(
            instruments=made or shares(FRIDAY),
            clock=lambda: time.now.timestamp(),
            tz="America/New_York",
            **(gateway or {}),
        )
        await fake.start()
        opened.append((fake, prices := Prices(fake, time, **how)))
        return fake, prices

    yield opening
    for fake, prices in opened:
        prices.running.cancel()
        await asyncio.gather(prices.running, return_exceptions=True)
        await prices.line.aclose()
        await fake.stop()


async def test_a_day_a_night_and_an_outage(desk):
    time = Time(THURSDAY, 17)  # open, so that Wednesday's is the last close
    fake, prices = await desk(time)
    await prices.sees(lambda: prices.closes)

    first = prices.closes[0]
    assert (first.session, first.at) == (WEDNESDAY, XNYS.close_of(WEDNESDAY))
    assert [(bar.symbol, bar.close, bar.high) for bar in first.bars] == [
        ("KO", D(40), D(42)),
        ("PG", D(41), D(43)),
    ]
    _, days, matrix = prices.feed.history(THURSDAY, 500)
    assert (len(days), days[-1]) == (41, date(2026, 3, 3))  # the bar of today was in the answer
    assert matrix[-1][:2].tolist() == [40.0, 41.0]
    assert "nothing here converts" in prices.line.contracts.refused["NESN"]

    fake.set_price("KO", 41.5)
    await prices.sees(lambda: any(quote.last == D("41.5") for quote in prices.quotes))
    last = prices.quotes[-1]
    assert (last.symbol, last.at, last.bid, last.ask) == ("KO", time.now, D("41.49"), D("41.51"))

    fake.set_price("KO", 400.0)  # nobody believes this
    await prices.sees(lambda: prices.feed.refused.get(Refusal.JUMP))

    prices.quotes.clear()
    fake.connectivity_lost()
    await prices.sees(lambda: not prices.feed.connected)
    fake.connectivity_restored(data_lost=True)
    await prices.sees(lambda: prices.quotes)  # subscribed again
    assert len(fake.messages("reqMktData", "in")) == 4

    await fake.refuse_connections(0.2)
    await prices.sees(lambda: not prices.feed.connected)
    time.put(FRIDAY, 22)
    await prices.sees(lambda: len(prices.closes) == 3)
    assert prices.told() == [WEDNESDAY, THURSDAY, FRIDAY]
    assert not any(close.missed for close in prices.closes)
    assert prices.feed.stream.connections >= 2


async def test_what_the_journal_has_is_not_told_again_and_what_never_was_is_missed(desk):
    made = shares(FRIDAY)
    made[1].daily = [one for one in made[1].daily if one[0] != THURSDAY]
    time = Time(FRIDAY, 22)
    _, prices = await desk(time, made, after=date(2026, 3, 3), symbols=("KO", "PG"))
    await prices.sees(lambda: len(prices.closes) == 3)

    assert prices.told() == [WEDNESDAY, THURSDAY, FRIDAY]
    thursday = prices.closes[1]
    assert [bar.symbol for bar in thursday.bars] == ["KO"]
    assert [(gap.session, gap.symbols) for gap in thursday.missed] == [(THURSDAY, ("PG",))]


async def test_delayed_prices_are_no_quotes_and_lines_are_not_passed(desk, caplog):
    _, prices = await desk(
        Time(THURSDAY, 17), symbols=("KO", "PG"), lines=1, gateway={"market_data": "none"}
    )
    await prices.sees(lambda: prices.feed.refused.get(Refusal.NOT_LIVE))

    assert not prices.quotes
    said = [record.message for record in caplog.records]
    assert {"ib_prices_not_live", "ib_no_live_prices", "ib_lines_used_up"} <= set(said)


async def test_a_session_seen_whole_is_built_of_quotes_where_there_is_no_history(desk):
    time = Time(THURSDAY, 14)  # half an hour before the open
    fake, prices = await desk(time, shares(WEDNESDAY), symbols=("KO", "PG"))
    await prices.sees(lambda: prices.feed.watched)
    time.put(THURSDAY, 15)
    for symbol in ("KO", "PG"):
        fake.set_price(symbol, 41.0)
    await prices.sees(lambda: len({quote.symbol for quote in prices.quotes}) == 2)
    for _ in range(20):
        fake.hist_error_next(162, "Historical data request pacing violation")
    time.put(THURSDAY, 22)

    await prices.sees(lambda: len(prices.closes) == 2)
    assert prices.closes[1].session == THURSDAY
    assert [bar.close for bar in prices.closes[1].bars] == [D(41), D(41)]


class Sleeper(Time):
    """A machine that is suspended until Monday in each wait of more than 20 seconds."""

    async def sleep(self, seconds):
        if seconds > 20:
            self.put(MONDAY, 22)
        await super().sleep(seconds)


async def test_a_question_that_waited_for_days_reaches_back_as_far(desk):
    time = Sleeper(THURSDAY, 22)
    fake, prices = await desk(
        time,
        shares(MONDAY),
        after=date(2026, 3, 3),
        symbols=("KO", "PG"),
        warms=False,
    )
    fake.hist_error_next(162, "Historical data request pacing violation")
    await prices.sees(lambda: prices.told()[-1:] == [MONDAY])

    assert prices.told() == list(XNYS.sessions_between(WEDNESDAY, MONDAY))


class Hurried(SystemClock):
    """Waits a twentieth: who comes back after a minute comes back after three seconds."""

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / 20)


def troubled(fake, chance):
    """Let one thing go wrong at the gateway, or nothing."""
    match chance.integers(10):
        case 0:
            fake.drop()
        case 1 | 2:
            when = ("before", "after", "mid")[chance.integers(3)]
            fake.drop_on("historicalData", when)
        case 3:
            fake.hist_error_next(162, "Historical data request pacing violation")
        case 4:
            fake.hist_error_next()  # no data: it seems that there was no trade
        case 5:
            fake.swallow("historicalData")
        case 6:
            fake.duplicate("historicalData")
        case 7:
            fake.connectivity_lost()
            fake.connectivity_restored(data_lost=bool(chance.integers(2)))
        case 8:
            fake.set_price("KO", 40.0 + float(chance.integers(10)))
        case _:
            return


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
async def test_whatever_goes_wrong_every_session_comes_once_in_order_and_true(desk, seed):
    chance = np.random.default_rng(seed)
    days = XNYS.sessions_between(date(2026, 1, 2), date(2026, 3, 31))
    truth = {day: (40.0 + n / 10, 60.0 - n / 10) for n, day in enumerate(days)}
    made = [
        Instrument(1001 + n, symbol, 50.0, daily=[row(day, truth[day][n]) for day in days])
        for n, symbol in enumerate(("KO", "PG"))
    ]
    time = Time(days[9], 22)
    fake, prices = await desk(
        time, made, after=days[5], symbols=("KO", "PG"), clock=Hurried(), patience=1.0
    )
    at = 9
    while at + 3 < len(days):
        for _ in range(chance.integers(4)):
            troubled(fake, chance)
            await asyncio.sleep(0.05 * chance.random())
        at += int(chance.integers(1, 4))
        time.put(days[at], 22)
    fake.clear_faults()
    time.put(days[-1], 22)
    await until(lambda: prices.running.done() or prices.told()[-1:] == [days[-1]], 60)

    assert prices.told() == list(days[6:])
    for close in prices.closes:
        missed = {symbol for gap in close.missed for symbol in gap.symbols}
        bars = {bar.symbol: float(bar.close) for bar in close.bars}
        whole = dict(zip(("KO", "PG"), truth[close.session], strict=True))
        assert bars == {s: p for s, p in whole.items() if s not in missed}
