import asyncio
import contextlib
import logging
from datetime import UTC, date, datetime
from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.calendar import open_calendar
from daemon.clock import FakeClock, MarketClock, SystemClock
from daemon.feeds.bar_check import Refusal
from daemon.feeds.bundle import STOCKS, bundled
from daemon.feeds.price_file import read_prices
from daemon.feeds.prices import PriceFileInvalid
from daemon.feeds.replay import ReplayFeed, open_replay
from state.quote import Bar
from state.settings import Replay, Settings, Universe

XNYS = open_calendar("XNYS")
INDEX = read_prices(bundled("sp500_index_daily"))
WEEK = ["2021-11-22", "2021-11-23", "2021-11-24", "2021-11-26", "2021-11-29"]  # 25th: Thanksgiving


@pytest.fixture
def prices(tmp_path):
    def write(rows):
        file = tmp_path / "prices.csv"
        file.write_text("date,KO\n" + "".join(f"{day},{price}\n" for day, price in rows))
        return str(file)

    return write


@pytest.fixture
def week(prices):
    return prices((day, 50 + n) for n, day in enumerate(WEEK))


def feed_of(file, *, after=None, clock=None, symbols=(), **replay):
    clock = clock or FakeClock()
    settings = Settings(
        replay=Replay(file=file, **{"start": date(1990, 1, 1), "pace": 0, **replay}),
        universe=Universe(symbols=symbols),
    )
    market = MarketClock(clock, follows_feed=True)
    feed = open_replay(settings, calendar=XNYS, clock=clock, market=market, after=after)
    return feed, market


async def played(feed, most=1000):
    """What the feed delivers, `most` closes of it: (session, price) each."""
    closes = []

    async def deliver(close):
        closes.append(close)
        if len(closes) == most:
            raise Enough

    with contextlib.suppress(Enough):
        await feed.run(deliver)
    return [(one.session.isoformat(), float(one.bars[0].close)) for one in closes]


class Enough(Exception):
    """A test has seen what it came for."""


def numbered(days, first=50.0):
    return [(day, first + n) for n, day in enumerate(days)]


@pytest.mark.asyncio
async def test_every_close_is_played_in_order(week):
    feed, _ = feed_of(week)

    assert await played(feed) == numbered(WEEK)
    assert feed.refused == {}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("span", "days"),
    [
        pytest.param({"start": date(2021, 11, 24)}, WEEK[2:], id="from a session"),
        pytest.param(
            {"start": date(2021, 11, 25)}, WEEK[3:], id="from the session after a holiday"
        ),
        pytest.param({"end": date(2021, 11, 25)}, WEEK[:3], id="to the session before a holiday"),
        pytest.param(
            {"start": date(2021, 11, 23), "end": date(2021, 11, 26)}, WEEK[1:4], id="from, and to"
        ),
    ],
)
async def test_only_what_is_asked_for_is_played(week, span, days):
    feed, _ = feed_of(week, **span)

    assert [day for day, _ in await played(feed)] == days


@pytest.mark.asyncio
async def test_the_market_clock_is_at_each_close_on_half_days_and_after_clocks_change(prices):
    feed, market = feed_of(
        prices(numbered(["2021-11-05", "2021-11-08", "2021-11-26", "2022-03-11", "2022-03-14"]))
    )
    seen = []

    async def deliver(close):
        assert market.now() == close.at == feed.last_at
        assert XNYS.moment(market.now(), close.at).session == close.session
        seen.append(f"{close.at:%m-%d %H:%M}")

    await feed.run(deliver)

    assert seen == ["11-05 20:00", "11-08 21:00", "11-26 18:00", "03-11 21:00", "03-14 20:00"]


@pytest.mark.asyncio
async def test_the_market_clock_stands_still_while_a_close_is_delivered_and_before_the_next(week):
    clock = FakeClock()
    feed, market = feed_of(week, clock=clock, pace=0.001)

    async def deliver(close):
        await clock.sleep(250)
        assert market.now() == close.at

    await feed.run(deliver)


@pytest.mark.asyncio
async def test_nothing_outruns_the_trader(week):
    feed, _ = feed_of(week)
    under_way = []

    async def deliver(close):
        assert not under_way
        under_way.append(close)
        await asyncio.sleep(0.001)
        under_way.pop()

    await feed.run(deliver)


def test_before_the_first_close_it_is_the_close_before_it(week):
    feed, market = feed_of(week, start=date(2021, 11, 26))

    assert market.now() == datetime(2021, 11, 24, 21, tzinfo=UTC)
    assert XNYS.moment(market.now(), market.now()).target == date(2021, 11, 26)
    assert (feed.connected, feed.ended, feed.last_at) == (True, False, None)


@pytest.mark.asyncio
@pytest.mark.parametrize("stop", range(1, 6))
async def test_a_restart_goes_on_as_if_it_had_never_stopped(week, stop):
    whole = await played(feed_of(week)[0])
    first = await played(feed_of(week)[0], most=stop)
    after = date.fromisoformat(first[-1][0])
    feed, market = feed_of(week, after=after)

    assert market.now() == feed.last_at == XNYS.close_of(after)
    assert feed.ended is (stop == len(WEEK))
    assert first + await played(feed) == whole


@pytest.mark.asyncio
@pytest.mark.parametrize("at_end", ["hold", "stop"])
async def test_at_its_end_there_is_no_other_close(week, at_end):
    feed, market = feed_of(week, at_end=at_end)
    ended = []

    async def deliver(close):
        ended.append(feed.ended)

    await feed.run(deliver)

    assert ended == [False, False, False, False, True]
    assert (feed.ended, feed.connected) == (True, False)
    assert market.now() == XNYS.close_of(date(2021, 11, 29))


@pytest.mark.asyncio
async def test_refused_closes_at_the_end_do_not_put_off_the_end(prices):
    feed, _ = feed_of(prices([*numbered(WEEK), ("2021-11-30", "nan"), ("2021-12-01", -1)]))
    ended = []

    async def deliver(close):
        ended.append(feed.ended)

    await feed.run(deliver)

    assert ended == [False, False, False, False, True]
    assert feed.refused == {Refusal.NAN: 1, Refusal.NON_POSITIVE: 1}


@pytest.mark.asyncio
async def test_a_loop_plays_the_same_prices_as_the_sessions_that_follow(week):
    feed, _ = feed_of(week, at_end="loop", start=date(2021, 11, 24))

    assert await played(feed, most=7) == [
        ("2021-11-24", 52), ("2021-11-26", 53), ("2021-11-29", 54),
        ("2021-11-30", 52), ("2021-12-01", 53), ("2021-12-02", 54), ("2021-12-03", 52),
    ]  # fmt: skip
    assert not feed.ended


@pytest.mark.asyncio
async def test_where_a_loop_begins_again_no_jump_is_refused(prices):
    feed, _ = feed_of(prices(zip(WEEK, [1, 1.75, 3, 5, 9], strict=True)), at_end="loop")

    assert (await played(feed, most=6))[-2:] == [("2021-11-29", 9), ("2021-11-30", 1)]
    assert feed.refused == {}


@pytest.mark.asyncio
@pytest.mark.parametrize("stop", [2, 5, 6, 9, 10, 11, 23])
async def test_a_loop_goes_on_where_it_stopped(week, stop):
    whole = await played(feed_of(week, at_end="loop")[0], most=25)
    after = date.fromisoformat(whole[stop - 1][0])
    feed, market = feed_of(week, at_end="loop", after=after)

    assert market.now() == XNYS.close_of(after)
    assert await played(feed, most=25 - stop) == whole[stop:]


@pytest.mark.asyncio
@pytest.mark.parametrize("pace", [2.0, 7.0, 0.1, 300.0])
async def test_the_pace_is_kept_without_drift(pace):
    clock = FakeClock()
    feed, _ = feed_of("bundled", clock=clock, pace=pace, start=date(2018, 1, 2))
    times = []

    async def deliver(close):
        times.append(clock.mono())
        clock.advance(0.3 / pace)  # work that takes a while, but less than an interval

    await feed.run(deliver)

    assert len(times) == 1257
    assert times == pytest.approx([n / pace for n in range(1257)], abs=1e-9)


@pytest.mark.asyncio
async def test_after_a_restart_the_first_close_waits_for_its_turn(week):
    clock = FakeClock()
    feed, _ = feed_of(week, clock=clock, pace=2.0, after=date(2021, 11, 23))
    times = []

    async def deliver(close):
        times.append(clock.mono())

    await feed.run(deliver)

    assert times == [0.5, 1.0, 1.5]


@pytest.mark.asyncio
async def test_a_feed_that_fell_far_behind_does_not_catch_up_in_a_burst(week):
    clock = FakeClock()
    feed, _ = feed_of(week, clock=clock, pace=2.0)
    times = []

    async def deliver(close):
        times.append(clock.mono())
        if len(times) == 2:
            clock.advance(100)  # the machine was asleep

    await feed.run(deliver)

    assert times == [0.0, 0.5, 100.5, 101.0, 101.5]


@pytest.mark.asyncio
async def test_as_fast_as_possible_still_lets_others_run():
    feed, _ = feed_of("bundled", clock=SystemClock(), start=date(2021, 1, 4))
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    delivered = await played(feed)
    beside.cancel()

    assert turns >= len(delivered) == 501


@pytest.mark.asyncio
async def test_bars_that_can_not_be_true_are_counted_by_reason_and_never_played(prices, caplog):
    feed, _ = feed_of(
        prices(
            [
                ("2021-11-22", 50),
                ("2021-11-23", "nan"),
                ("2021-11-24", "inf"),
                ("2021-11-25", 51),  # Thanksgiving
                ("2021-11-26", 0),
                ("2021-11-29", 52),
                ("2021-11-26", 53),  # late
                ("2021-11-29", 54),  # again
                ("2021-11-30", 5300),
                ("2021-12-01", 53),
            ]
        )
    )
    with caplog.at_level(logging.WARNING):
        assert await played(feed) == [("2021-11-22", 50), ("2021-11-29", 52), ("2021-12-01", 53)]

    assert feed.refused == {
        Refusal.NAN: 1, Refusal.INFINITE: 1, Refusal.NOT_A_SESSION: 1, Refusal.NON_POSITIVE: 1,
        Refusal.OUT_OF_ORDER: 1, Refusal.DUPLICATE: 1, Refusal.JUMP: 1,
    }  # fmt: skip
    said = [(record.message, record.row, record.session) for record in caplog.records]
    assert ("bars_refused", 9, "2021-11-29") in said


@pytest.mark.asyncio
async def test_a_level_that_shifted_is_logged(prices, caplog):
    days = XNYS.sessions_between(date(2021, 11, 1), date(2021, 11, 12))
    feed, _ = feed_of(prices((day, 500 if n < 5 else 50) for n, day in enumerate(days)))
    with caplog.at_level(logging.WARNING):
        await played(feed)

    shifted = [record for record in caplog.records if record.message == "price_level_shifted"]
    assert [(record.symbol, record.session) for record in shifted] == [("KO", "2021-11-10")]


def test_a_jump_is_judged_by_the_closes_before_the_start(prices):
    feed, _ = feed_of(
        prices([("2021-11-22", 50), ("2021-11-23", 51), ("2021-11-24", 9), ("2021-11-26", 52)]),
        start=date(2021, 11, 24),
    )
    assert feed.refused == {Refusal.JUMP: 1}


def test_history_is_what_was_played_before(week):
    feed, _ = feed_of(week)
    symbols, sessions, closes = feed.history(date(2021, 11, 29), 3)

    assert symbols == ("KO",)
    assert [day.isoformat() for day in sessions] == WEEK[1:4]
    assert closes.tolist() == [[51.0], [52.0], [53.0]]


def test_history_reaches_back_before_the_start():
    feed, _ = feed_of("bundled", start=date(2019, 1, 1), symbols=("KO", "AAPL"))
    symbols, sessions, closes = feed.history(date(2019, 1, 2), 300)

    table = read_prices(bundled(STOCKS), ("KO", "AAPL"))
    end = table.days.index(date(2018, 12, 31)) + 1
    assert symbols == ("KO", "AAPL")
    assert list(sessions) == table.days[end - 300 : end]
    assert np.array_equal(closes, table.close[end - 300 : end] / 1e6)


def test_history_leaves_out_what_was_refused(prices):
    feed, _ = feed_of(prices([("2021-11-22", 50), ("2021-11-23", "nan"), ("2021-11-24", 51)]))
    _, sessions, closes = feed.history(date(2021, 11, 26), 10)

    assert [day.isoformat() for day in sessions] == ["2021-11-22", "2021-11-24"]
    assert closes.tolist() == [[50.0], [51.0]]


def test_history_knows_the_closes_before_its_own_when_it_judges_a_jump(prices):
    rows = [("2021-11-22", 50), ("2021-11-23", 51), ("2021-11-24", 9), ("2021-11-26", 52)]
    _, sessions, closes = feed_of(prices(rows))[0].history(date(2021, 11, 26), 1)

    assert ([day.isoformat() for day in sessions], closes.tolist()) == (["2021-11-23"], [[51.0]])


def test_history_has_a_gap_where_a_symbol_had_no_price(tmp_path):
    file = tmp_path / "two.csv"
    file.write_text("date,KO,PEP\n2021-11-22,50,\n2021-11-23,51,160\n2021-11-24,52,161\n")
    _, _, closes = feed_of(str(file))[0].history(date(2021, 11, 24), 10)

    assert np.array_equal(closes, [[50, np.nan], [51, 160]], equal_nan=True)


@given(st.integers(1, 40), st.integers(0, 30), st.sampled_from(["hold", "loop"]))
def test_history_is_always_the_tail_of_what_was_played(bars, stop, at_end):
    """However often a loop has come round, a restart sees the closes that were."""
    clock = FakeClock()
    feed = ReplayFeed(
        INDEX,
        Replay(start=date(2018, 12, 3), end=date(2018, 12, 18), pace=0, at_end=at_end),
        max_jump=0.8,
        calendar=XNYS,
        clock=clock,
        market=MarketClock(clock, follows_feed=True),
    )
    closes = asyncio.run(played(feed, most=stop + 1))
    before = date.fromisoformat(closes[-1][0])
    _, sessions, matrix = feed.history(before, bars)

    replayed = closes[:-1][-bars:]
    tail = list(zip([day.isoformat() for day in sessions], matrix[:, 0].tolist(), strict=True))
    assert len(tail) == bars
    assert tail[len(tail) - len(replayed) :] == replayed


@pytest.mark.asyncio
async def test_another_bundled_file_is_played_by_its_name():
    feed, _ = feed_of("bundled:sp500_ohlcv_daily", start=date(2018, 12, 28))
    bars = []

    async def deliver(close):
        bars.extend(close.bars)

    await feed.run(deliver)

    assert bars[0] == Bar(
        "sp500_ohlcv_daily", D("2485.74"), D("2498.77"), D("2520.27"), D("2472.8899"), D(3702620000)
    )


@pytest.mark.parametrize(
    ("file", "options", "reason"),
    [
        pytest.param("bundled:bonds", {}, "'bonds' is not bundled; what is:", id="not bundled"),
        pytest.param("/nowhere/x.csv", {}, "can't be read", id="not there"),
        pytest.param("bundled", {"symbols": ("KO", "APPL")}, "did you mean 'AAPL'?", id="a typo"),
        pytest.param(
            "bundled", {"start": date(2022, 12, 28)},
            "1 sessions of XNYS between replay.start 2022-12-28 and its end, at least 2",
            id="a start on the last day",
        ),
        pytest.param(
            "bundled", {"start": date(2030, 1, 1)}, "it holds 1990-01-02 to 2022-12-28",
            id="a start past the end",
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_replayed_is_refused_before_anything_trades(file, options, reason):
    with pytest.raises(PriceFileInvalid) as refused:
        feed_of(file, **options)
    assert reason in str(refused.value)


def test_a_file_of_weekends_is_too_short(prices):
    with pytest.raises(PriceFileInvalid, match="too short: 0 sessions of XNYS"):
        feed_of(prices(numbered(["2021-11-27", "2021-11-28"])))
