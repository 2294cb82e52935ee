"""The watchdog lets a loop live that shows itself, and no other."""

import subprocess
import sys

import pytest

from daemon.clock import FakeClock
from daemon.watchdog import LOOKS, watched

STUCK = """
import asyncio, time
from daemon.clock import SystemClock
from daemon.watchdog import watched

async def main():
    async with watched(SystemClock(), 0.6):
        await asyncio.sleep(1.5)
        print("alive", flush=True)
        {stall}
        print("never", flush=True)

asyncio.run(main())
"""
HOLDING_THE_LOCK = "import re; re.match('(a*)*b', 'a' * 40)"


async def test_it_is_put_off_as_long_as_the_loop_runs():
    clock, armed, disarmed = FakeClock(runs=True), [], []
    async with watched(clock, 60.0, armed.append, lambda: disarmed.append(len(armed))):
        await clock.sleep(600.0)
    assert set(armed) == {60.0}
    assert len(armed) >= 10 * LOOKS
    assert disarmed == [len(armed)]


@pytest.mark.parametrize("stall", ["time.sleep(30)", HOLDING_THE_LOCK])
def test_a_loop_that_stands_still_ends_the_process_with_every_threads_traceback(stall):
    done = subprocess.run(
        [sys.executable, "-c", STUCK.format(stall=stall)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "alive\n")
    assert "Timeout" in done.stderr
    assert "in main" in done.stderr


async def test_it_can_be_left_out():
    armed = []
    async with watched(FakeClock(), 0.0, armed.append, armed.clear):
        pass
    assert armed == []
