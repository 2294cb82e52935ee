"""One view for all readers: new when something changed, and nothing while nobody looks."""

import asyncio

import pytest

from daemon.clock import FakeClock
from daemon.page.live import EVERY, QUIET, Live


class World:
    """A view that the test changes, and how often it was made."""

    def __init__(self):
        self.view, self.made = b"1", 0

    async def make(self):
        self.made += 1
        return self.view


@pytest.fixture
async def parts():
    world, clock = World(), FakeClock(runs=False)
    live = Live(world.make, clock)
    task = asyncio.get_running_loop().create_task(live.run())
    yield world, clock, live
    task.cancel()
    await asyncio.wait([task])


async def turn(clock, seconds=EVERY):
    for _ in range(5):
        await asyncio.sleep(0)
    clock.advance(seconds)
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nothing_is_made_while_nobody_looks(parts):
    world, clock, _ = parts
    await turn(clock, 60)

    assert world.made == 0


async def test_the_first_view_comes_at_once_and_the_next_when_something_changed(parts):
    world, clock, live = parts
    stream = live.stream()
    assert await anext(stream) == b"event: view\ndata: 1\n\n"
    await turn(clock)
    assert await anext(stream) == b"event: view\ndata: 1\n\n"  # the loop's own first

    following = asyncio.ensure_future(anext(stream))
    await turn(clock)
    assert not following.done()
    world.view = b"2"
    await turn(clock)
    assert await following == b"event: view\ndata: 2\n\n"
    await stream.aclose()


async def test_a_quiet_world_still_gives_a_sign_of_life(parts):
    _, clock, live = parts
    stream = live.stream()
    await anext(stream)
    await turn(clock)
    await anext(stream)
    following = asyncio.ensure_future(anext(stream))
    await turn(clock)
    assert not following.done()
    for _ in range(int(QUIET / EVERY) + 2):
        await turn(clock)

    assert await following == b"event: view\ndata: 1\n\n"
    await stream.aclose()


async def test_a_slow_reader_gets_the_newest_and_nothing_piles_up(parts):
    world, clock, live = parts
    slow = live.stream()
    await anext(slow)
    for n in range(50):
        world.view = str(n).encode()
        await turn(clock)

    assert await anext(slow) == b"event: view\ndata: 49\n\n"
    await slow.aclose()


async def test_a_view_that_comes_while_the_first_is_made_does_not_turn_the_reader_away():
    asked = []

    def make():
        asked.append(asyncio.get_running_loop().create_future())
        return asked[-1]

    clock = FakeClock(runs=False)
    live = Live(make, clock)
    loop = asyncio.get_running_loop().create_task(live.run())
    one, other = live.stream(), live.stream()
    there = asyncio.ensure_future(anext(one))
    await turn(clock, 0)
    comes = asyncio.ensure_future(anext(other))
    await turn(clock, 0)
    for view, wanted in zip(
        b"123", asked, strict=True
    ):  # the one who was there, the loop, who comes
        wanted.set_result(bytes([view]))
        await turn(clock, 0)

    assert await there == b"event: view\ndata: 1\n\n"
    assert await comes == b"event: view\ndata: 3\n\n"
    await one.aclose()
    await other.aclose()
    loop.cancel()
    await asyncio.wait([loop])


async def test_when_the_last_reader_leaves_no_more_is_made(parts):
    world, clock, live = parts
    stream = live.stream()
    await anext(stream)
    await turn(clock)
    await stream.aclose()
    await turn(clock)
    before = world.made
    await turn(clock, 60)

    assert world.made == before
