"""`kill -9` at any moment: what was acknowledged stays, once, and the books agree."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from random import Random

import pytest

from tests.kills.books import ASKED_BACK, faults
from tests.kills.lives import Executed, Forked
from tests.kills.load import Link, Tally, Writer, same
from tests.tmd import DEADLINE, Tmd

WRITERS = 8
SEED = 20260
EARLY = 0.2  # of the kills come while the daemon starts and recovers
AT_LEAST = 0.4  # of the kills, and of a hundred 0.6, come between receipt and reply of a command


@asynccontextmanager
async def writing(tmd, tally, seed):
    """Eight writers at work while the block runs; after it all they asked is acknowledged."""
    writers = [Writer(n, seed, tmd.socket, tally) for n in range(WRITERS)]
    async with asyncio.TaskGroup() as tasks:
        for writer in writers:
            tasks.create_task(writer.run())
        yield
        for writer in writers:
            writer.enough = True


async def replayed(tmd, tally, keys):
    """Ask once more for what was acknowledged: the stored reply comes back, and it is the same."""
    link = await Link.open(tmd.socket)
    for key in keys:
        kept = tally.acknowledged[key]
        again = await link.ask(kept.request)
        assert again.replayed, (kept, again)
        assert same(kept.reply, again), (kept.reply, again)
    await link.close()


async def answering(tally):
    """Return once somebody was acknowledged in this life."""
    async with asyncio.timeout(DEADLINE):
        await tally.first.wait()


async def killed(tmd, lives, kills, *, early, late=0.15, seed=SEED):
    """Kill `kills` lives at random moments under load, and hold the last one to all promises.

    early  how long after its start a life may be killed while it starts, seconds
    late   how long after it first acknowledged something one may be killed otherwise
    """
    chance, tally, began = Random(seed), Tally(), time.monotonic()
    async with lives:
        async with writing(tmd, tally, seed):
            for _ in range(kills):
                tally.begin()
                await lives.begin()
                if chance.random() < EARLY:
                    await asyncio.sleep(chance.uniform(0, early))
                else:
                    await answering(tally)
                    await replayed(tmd, tally, [chance.choice(sorted(tally.acknowledged))])
                    await asyncio.sleep(chance.uniform(0, late))
                os.kill(lives.pid, signal.SIGKILL)
                assert await lives.ended() == -signal.SIGKILL, tmd.said()[-3000:]
            tally.begin()
            await lives.begin()
            await answering(tally)
        seconds, keys = time.monotonic() - began, sorted(tally.acknowledged)
        await asyncio.gather(*(replayed(tmd, tally, keys[n::WRITERS]) for n in range(WRITERS)))
        # what the broker would say after the stop, it says again at the next start
        await asyncio.to_thread(tmd.until, lambda: not tmd.rows(ASKED_BACK), 3 * DEADLINE)
        os.kill(lives.pid, signal.SIGTERM)
        assert await lives.ended() == 0, tmd.said()[-3000:]
    assert faults(tmd) == []
    between = sum(tally.unanswered[life] > 0 for life in range(1, kills + 1))
    print(
        f"{kills} kills in {seconds:.0f} s, {between / kills:.0%} between receipt and reply; "
        f"{len(keys)} commands acknowledged, none lost, none doubled; "
        f"{sum(tally.unanswered.values())} sent and not answered, "
        f"{sum(tally.durable.values())} of them durable"
    )
    assert between >= (AT_LEAST if kills < 100 else 0.6) * kills
    trades = tally.outcomes["SubmitOrder accepted"] + tally.outcomes["SubmitOrder pending"]
    assert trades > kills, tally.outcomes  # the load is one that trades


NIGHT = [pytest.mark.nightly, pytest.mark.timeout(1800)]
RUNS = [  # kills, seed: a thousand at night
    pytest.param(25, SEED, marks=pytest.mark.timeout(900)),
    *(pytest.param(200, SEED + n, marks=NIGHT) for n in range(1, 6)),
]


@pytest.mark.parametrize(("kills", "seed"), RUNS)
async def test_no_kill_loses_what_was_acknowledged_or_doubles_an_order(tmp_path, kills, seed):
    with Tmd(tmp_path / "d") as tmd:
        await killed(tmd, Forked(tmd), kills, early=0.3, seed=seed)


@pytest.mark.nightly  # by day the installed program is killed elsewhere: restarts, full disks
@pytest.mark.timeout(600)
async def test_nor_does_any_kill_of_the_installed_program(tmp_path):
    with Tmd(tmp_path / "d") as tmd:
        await killed(tmd, Executed(tmd), 5, early=0.7)
