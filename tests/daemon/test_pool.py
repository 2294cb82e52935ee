"""A thread beside the event loop, which keeps nobody from leaving."""

import subprocess
import sys

import pytest

from daemon.pool import InlinePool, ThreadPool, still_working

STUCK = """
import asyncio, time
from daemon.__main__ import End, leave
from daemon.pool import ThreadPool

async def main():
    pool = ThreadPool("stuck")
    working = asyncio.ensure_future(pool.run(time.sleep, 3600))
    await pool.aclose(0.1)
    working.cancel()

asyncio.run(main())
leave(End.CLEAN)
"""


@pytest.mark.parametrize("made", [InlinePool, lambda: ThreadPool("test")], ids=["inline", "thread"])
async def test_what_is_returned_or_raised_comes_back(made):
    pool = made()
    assert await pool.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 7, 0)
    await pool.aclose(5.0)
    assert not still_working()


async def test_work_is_done_in_order():
    pool, done = ThreadPool("test"), []
    for n in range(20):
        await pool.run(done.append, n)
    await pool.aclose(5.0)
    assert done == list(range(20))


def test_work_that_never_ends_does_not_keep_the_process():
    ended = subprocess.run([sys.executable, "-c", STUCK], timeout=60, check=False)
    assert ended.returncode == 0
