"""The mind across kills: what it believes and wants in the end is what it would have anyway."""

import asyncio
import os
import signal
from random import Random

import pytest

from state.belief import instruments
from strategies.belief import belief_of
from tests.kills.books import faults
from tests.kills.lives import Forked
from tests.kills.test_restart import left
from tests.tmd import Tmd

pytestmark = [pytest.mark.area("evolution and beliefs"), pytest.mark.timeout(900)]

YEARS = """\
[trading]
mode = "autonomous"
rebalance = "1w"
[replay]
start = {start}-01-02
end = 2019-12-31
pace = {pace}
at_end = "stop"
[strategy]
name = "active_inference"
parameters = {{ band = 0.001 }}
[beliefs]
engine = "numpy"
learning = "{learning}"
[execution]
band = 0.001
[risk]
max_day_turnover = 1.0
max_day_loss = 0.2
max_drawdown = 0.5
"""


def undisturbed(folder, years, **words):
    """What the years leave in one go."""
    with Tmd(folder, years.format(pace=0, **words)) as tmd:
        assert tmd.start().ended(600) == 0, tmd.said()
    assert faults(tmd) == []
    return left(tmd)


async def disturbed(folder, years, kills, **words):
    """What they leave with so many kills, each at a random moment."""
    text = years.format(pace=100, **words)
    tmd, chance, done = Tmd(folder, text), Random(11), 0
    async with Forked(tmd) as lives:
        while True:
            await lives.begin()
            life = asyncio.create_task(lives.ended())
            if done < kills:
                await asyncio.wait([life], timeout=chance.uniform(0.2, 0.7))
                if not life.done():
                    os.kill(lives.pid, signal.SIGKILL)
            if (code := await life) == 0:
                break
            assert code == -signal.SIGKILL, tmd.said()
            done += 1
    assert done == kills
    assert faults(tmd) == []
    assert "belief_refused" not in tmd.said()
    return left(tmd)


@pytest.mark.parametrize(
    ("start", "kills", "learning"),
    [
        (2019, 3, "off"),
        (2019, 2, "A"),
        pytest.param(2003, 100, "off", marks=pytest.mark.nightly),
        pytest.param(2003, 20, "A", marks=pytest.mark.nightly),
    ],
)
async def test_what_is_believed_and_wanted_is_bit_for_bit_what_it_would_have_been(
    tmp_path, start, kills, learning
):
    whole = undisturbed(tmp_path / "whole", YEARS, start=start, learning=learning)
    killed = await disturbed(tmp_path / "killed", YEARS, kills, start=start, learning=learning)

    assert killed["belief"] == whole["belief"]  # its bytes, and all that is shown of them
    assert killed["targets"] == whole["targets"]
    assert killed == whole
    told = list(instruments(whole["belief"]))
    assert all(one.ok for one in told)
    assert (belief_of(whole["belief"].memory).learned is not None) == (learning == "A")
    assert any(one.learned for one in told) == (learning == "A")
    assert len(whole["ledger"].positions) > 10
