import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from daemon.clock import FakeClock, MarketClock, MarketTimeUnknown, SystemClock

pytestmark = pytest.mark.asyncio

CLOSE = datetime(2019, 1, 2, 21, tzinfo=UTC)
NEXT_CLOSE = datetime(2019, 1, 3, 21, tzinfo=UTC)


async def test_the_system_clock_is_the_machines():
    clock = SystemClock()
    before = clock.mono()
    await clock.sleep(0.01)

    assert clock.mono() - before >= 0.01
    assert clock.wall().utcoffset() == timedelta(0)
    assert abs(clock.wall() - datetime.now(UTC)) < timedelta(minutes=1)


async def test_market_time_is_the_walls_unless_a_feed_sets_it():
    clock = FakeClock()
    market = MarketClock(clock, follows_feed=False)
    market.reached(CLOSE)
    clock.advance(60)

    assert market.now() == clock.wall()


async def test_market_time_of_a_feed_stands_still_between_closes():
    clock = FakeClock()
    market = MarketClock(clock, follows_feed=True)
    market.reached(CLOSE)
    clock.advance(3600)

    assert market.now() == CLOSE
    market.reached(NEXT_CLOSE)
    assert market.now() == NEXT_CLOSE


async def test_market_time_never_goes_back():
    market = MarketClock(FakeClock(), follows_feed=True)
    market.reached(NEXT_CLOSE)

    with pytest.raises(ValueError, match="can't go back"):
        market.reached(CLOSE)
    assert market.now() == NEXT_CLOSE


async def test_market_time_is_unknown_until_the_feed_says_it():
    with pytest.raises(MarketTimeUnknown):
        MarketClock(FakeClock(), follows_feed=True).now()


async def test_sleepers_wake_in_the_order_of_their_deadlines_at_their_deadlines():
    clock, woken = FakeClock(), []

    async def sleeper(name, seconds):
        await clock.sleep(seconds)
        woken.append((name, clock.mono()))

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in [("late", 30.0), ("early", 1.5), ("last", 1e6), ("now", 0.0)]:
            tasks.create_task(sleeper(name, seconds))

    assert woken == [("now", 0.0), ("early", 1.5), ("late", 30.0), ("last", 1e6)]


async def test_a_clock_that_does_not_run_waits_to_be_advanced():
    clock = FakeClock(runs=False)
    began = clock.wall()
    sleeping = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0.01)
    clock.advance(9.5)
    await asyncio.sleep(0.01)
    assert not sleeping.done()

    clock.advance(0.5)
    await sleeping
    assert (clock.mono(), clock.wall() - began) == (10.0, timedelta(seconds=10))


async def test_a_sleep_of_nothing_needs_no_advance():
    await asyncio.wait_for(FakeClock(runs=False).sleep(0), 5)


async def test_a_cancelled_sleeper_moves_no_clock():
    clock = FakeClock()
    sleeping = asyncio.create_task(clock.sleep(1000))
    await asyncio.sleep(0)
    sleeping.cancel()
    await clock.sleep(1)

    assert clock.mono() == 1.0


async def test_the_wall_can_jump_back_while_the_monotonic_clock_does_not():
    clock = FakeClock()
    began = clock.wall()
    clock.advance(5)
    clock.jump_wall(-3600)

    assert clock.wall() == began + timedelta(seconds=5 - 3600)
    assert clock.mono() == 5.0
