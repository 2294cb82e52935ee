"""daemon/telemetry/lifesign.py: signs while there is progress, and only then."""

import asyncio
import socket
from collections import Counter

import pytest

from daemon.telemetry.delivery import NotDelivered
from daemon.telemetry.lifesign import Service, pinging, settles


class Rounds:
    """A clock that ends a task after some waits."""

    def __init__(self, rounds):
        self.left, self.waits = rounds, []

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.left -= 1
        if not self.left:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


def answering(*answers):
    """Return a question that is answered so, in turn."""
    left = iter(answers)

    async def ask():
        return next(left)

    return ask


async def test_a_ping_is_sent_only_while_there_is_progress():
    sent, noted = [], Counter()

    async def send(content):
        sent.append(content)
        if len(sent) == 2:
            raise NotDelivered("away")

    def note(outcome):
        noted[outcome] += 1

    clock = Rounds(4)
    with pytest.raises(asyncio.CancelledError):
        await pinging(clock, 60.0, send, answering(True, False, True, False), note)
    assert sent == [None, None]
    assert noted == {"delivered": 1, "failed": 1}
    assert clock.waits == [60.0] * 4


async def test_an_engine_that_never_gets_there_makes_no_progress():
    assert not await settles(asyncio.Event().wait, 0.05)

    async def at_once():
        pass

    assert await settles(at_once, 30)


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "n"))
        one.settimeout(30)
        yield one


async def test_systemd_hears_progress_four_times_in_its_patience(listener):
    env = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"}
    clock, service = Rounds(2), Service(env, 7)
    with pytest.raises(asyncio.CancelledError):
        await service.watched(clock, answering(False, True))
    assert clock.waits == [0.5, 0.5]
    service.say("READY=1")
    assert [listener.recv(100), listener.recv(100)] == [b"WATCHDOG=1", b"READY=1"]


async def test_without_systemd_nothing_is_said(tmp_path):
    for env in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        service = Service(env, 7)
        service.say("READY=1")
        await service.watched(Rounds(1), answering())
    meant_for_another = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "8"}
    assert Service(meant_for_another, 7).watchdog == 0
