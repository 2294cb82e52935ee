import asyncio

import pytest

from daemon.brokers.ib.gateway import State
from daemon.brokers.ib.keeper import ALARM, BACK_OFF, Keeper, back_off
from daemon.brokers.ib.recovery_reads import book
from tests.ib.awaiting import until
from tests.ib.conftest import by_letters


class Hurried:
    """The real loop's time, a hundred times as fast where somebody sleeps."""

    def mono(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / 100)


class Leaping:
    """A clock that is where somebody sleeps to at once."""

    def __init__(self):
        self._at = 0.0

    def mono(self):
        return self._at

    async def sleep(self, seconds):
        self._at += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def kept(connections):
    """A keeper at work, and the connections it made that were compared."""
    ready = asyncio.Queue()

    async def compare(gateway):
        await book(gateway, by_letters)
        gateway.compared()
        ready.put_nowait(gateway)

    keeper = Keeper(lambda: connections(patience=1.0), compare, Hurried(), lambda: 0.5)
    task = asyncio.create_task(keeper.run())
    yield keeper, ready
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_after_a_break_there_is_another_connection(fake, kept):
    _keeper, ready = kept
    async with asyncio.timeout(20):
        first = await ready.get()
        fake.drop(7)
        second = await ready.get()
    assert second is not first
    assert second.ib is not first.ib
    assert second.state is State.READY


async def test_the_same_client_id_is_tried_until_it_is_free(fake, kept):
    _keeper, ready = kept
    async with asyncio.timeout(20):
        await ready.get()
        fake.hold_client_id(7)
        fake.drop(7)
        await until(lambda: len(fake.messages("startApi", "in")) >= 3, 20)
        fake.hold_client_id(7, 0.0)
        await ready.get()
    assert {client_id for _kind, _version, client_id, *_ in fake.messages("startApi", "in")} == {
        "7"
    }


async def test_it_comes_back_after_the_nightly_restart(fake, kept):
    keeper, ready = kept
    async with asyncio.timeout(20):
        await ready.get()
        await fake.restart(0.2)
        await ready.get()
    assert keeper.alarm == ""


async def test_a_person_is_told_of_a_gateway_that_stays_away_and_told_again(
    fake, connections, caplog
):
    await fake.stop()

    async def nothing(_gateway):
        raise AssertionError("nobody listens")

    keeper = Keeper(connections, nothing, Leaping(), lambda: 0.5)
    task = asyncio.create_task(keeper.run())
    try:
        await until(lambda: [r.message for r in caplog.records].count("gateway_down") >= 2, 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    first, second, *_ = (r.seconds for r in caplog.records if r.message == "gateway_down")
    assert ALARM <= first <= ALARM + 90
    assert first + ALARM <= second <= first + ALARM + 90


def test_tries_are_spread_and_never_further_apart_than_the_last():
    assert back_off(0, 0.0) == 0.5
    assert back_off(999, 0.5) == BACK_OFF[-1]
