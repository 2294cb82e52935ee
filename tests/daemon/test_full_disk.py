"""What the engine promises while nothing at all can be written, and what it keeps of it."""

import asyncio
from contextlib import suppress
from decimal import Decimal as D

import pytest

from control.protocol import Exit
from state.command import Claim, Halt, MoveCash, Rebalance, SubmitOrder
from state.event import Halted
from state.order import request_id
from tests.daemon.test_engine import BUY, ORDER, Room, engine
from tests.given import cause


def nothing_fits(room):
    room.ballast, room.why = False, "0 bytes are free"


async def test_a_halt_is_pending_until_it_is_written(tmp_path):
    room, acted = Room(), []
    async with engine(tmp_path / "j.db", space=room, acted=acted) as one:
        nothing_fits(room)
        reply = await one.ask(Halt("drill"), cause("halt", "h"))
        assert (reply.ok, reply.exit, reply.error.code) == (False, Exit.PENDING, "DISK_FULL")
        assert isinstance(acted[-1], Halted)  # for the halt file
        room.why = ""
        await one.settled()
        assert one.snapshot.halting().reason == "drill"
        again = await one.ask(Halt("drill"), cause("halt", "h"))
        assert (again.ok, again.replayed) == (True, True)


async def test_commands_held_by_a_close_that_cannot_end_are_turned_away(tmp_path):
    room = Room()
    async with engine(tmp_path / "j.db", space=room) as one:
        with one.closing():
            held = asyncio.create_task(one.ask(BUY, cause("order")))
            await asyncio.sleep(0)
            nothing_fits(room)
            stuck = one.send(Claim((ORDER,)))
            deposit = await one.ask(MoveCash("deposit", D(1)), cause("cash", "c"))
            assert deposit.error.code == "DISK_FULL"
            assert (await asyncio.wait_for(held, 5)).error.code == "DISK_FULL"
            with one.closing():
                again = await asyncio.wait_for(one.ask(Rebalance(), cause("r", "r")), 5)
            assert again.error.code == "DISK_FULL"
        stuck.cancel()


async def test_a_command_that_cannot_be_decided_is_its_own_and_nobody_elses(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        moment, one._moment = one._moment, None
        with pytest.raises(TypeError):
            await one.ask(BUY, cause("order"))
        one._moment = moment
        assert (await one.ask(BUY, cause("order"))).ok


async def test_who_has_waited_is_forgotten(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        await one.ask(SubmitOrder("buy", "KO", D(1)), cause("order"))
        for _ in range(10):
            with suppress(TimeoutError):
                await asyncio.wait_for(one.finished(request_id("key")), 0.001)
        assert not one._waiting[request_id("key")]
