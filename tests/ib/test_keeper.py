import asyncio

import pytest

from daemon.brokers.ib.gateway import State
from daemon.brokers.ib.keeper import BACK_OFF, Keeper, back_off
from daemon.brokers.ib.recovery_reads import book


class Hurried:
    """The real loop's time, a hundred times as fast where somebody sleeps."""

    def mono(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / 100)


@pytest.fixture
async def kept(connections):
    """A keeper at work, and the connections it made that were compared."""
    ready = asyncio.Queue()

    async def compare(gateway):
        await book(gateway)
        gateway.compared()
        ready.put_nowait(gateway)

    keeper = Keeper(lambda: connections(patience=1.0), compare, Hurried(), lambda: 0.5)
    task = asyncio.create_task(keeper.run())
    yield keeper, ready
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_after_a_break_there_is_another_connection_with_a_higher_number(fake, kept):
    keeper, ready = kept
    async with asyncio.timeout(20):
        first = await ready.get()
        number = keeper.connection
        fake.drop(7)
        second = await ready.get()
    assert second is not first
    assert second.ib is not first.ib
    assert (keeper.connection > number, second.state) == (True, State.READY)


async def test_the_same_client_id_is_tried_until_it_is_free(fake, kept):
    _keeper, ready = kept
    async with asyncio.timeout(20):
        await ready.get()
        fake.hold_client_id(7, 0.3)
        fake.drop(7)
        again = await ready.get()
    assert again.address.client_id == 7


async def test_it_comes_back_after_the_nightly_restart(fake, kept):
    keeper, ready = kept
    async with asyncio.timeout(20):
        await ready.get()
        await fake.restart(0.2)
        await ready.get()
    assert not keeper.alarming(60.0)


def test_tries_are_spread_and_never_further_apart_than_the_last():
    assert back_off(0, 0.0) == 0.5
    assert back_off(999, 0.5) == BACK_OFF[-1]
