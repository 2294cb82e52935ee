"""`tmd` on a wall clock that a test moves: its offset in seconds is in a file of its folder.

    python -m tests.ib.moved TMD ARGUMENT...

The first argument, the program itself, is left out. Who sleeps wakes when the moved clock says so.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from daemon import __main__, clock

OFFSET = Path(os.environ["HOME"]) / "moved"  # the folder of the test's daemon
WALL = clock.SystemClock.wall


def wall(self):
    """The machine's, and what the file adds to it."""
    return WALL(self) + timedelta(seconds=float(OFFSET.read_text()))


async def sleep(self, seconds):
    """Return after `seconds` of the moved clock."""
    end = self.wall() + timedelta(seconds=seconds)
    await asyncio.sleep(0)
    while (left := (end - self.wall()).total_seconds()) > 0:  # noqa: ASYNC110  the file says it
        await asyncio.sleep(min(left, 0.05))


if __name__ == "__main__":
    clock.SystemClock.wall, clock.SystemClock.sleep = wall, sleep
    __main__.run(sys.argv[2:])
