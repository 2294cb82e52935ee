"""Halts as operators rely on them: by file, on a full disk, and with a flattening."""

import asyncio
import json
from decimal import Decimal as D

from control.protocol import Exit
from state.command import Halt, HaltForDisk, MoveCash, Resume, SubmitOrder
from state.denial import Code
from tests.desk import desk

BUY = SubmitOrder("buy", "KO", D(10))
FULL, ROOM = HaltForDisk(full=True, detail="full"), HaltForDisk(full=False)


def write(folder, scope):
    (folder / "halt").write_text(json.dumps({"scope": scope, "reason": "offline"}))


class TestTheFile:
    async def test_one_written_while_the_disk_is_full_outlasts_that(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.engine.tell(FULL)
            write(tmp_path, "account")
            await one.engine.tell(ROOM)
            assert (tmp_path / "halt").exists()
            await one.watch.heed_halt_file()
            assert one.now.halting().reason == "offline"

    async def test_one_is_heeded_although_the_disk_is_full(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.engine.tell(FULL)
            write(tmp_path, "account")
            await one.watch.heed_halt_file()
            await one.engine.tell(ROOM)
            assert one.now.halting().reason == "offline"

    async def test_one_of_a_symbol_stops_that_symbol_alone(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.close(50, 100)
            write(tmp_path, "symbol:PG")
            await one.watch.heed_halt_file()
            await one.say(BUY, key="b")
            await one.quiet()
            assert [order.symbol for order in one.broker.placed] == ["KO"]
            assert one.now.halting("PG").reason == "offline"

    async def test_one_of_a_symbol_is_kept_beside_the_accounts_halt(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.say(Halt("drill"), key="h")
            write(tmp_path, "symbol:PG")
            await one.watch.heed_halt_file()
            await one.say(Resume("ok", "ann"), key="r")
            assert list(one.now.halts) == ["symbol:PG"]

    async def test_one_of_a_symbol_nobody_knows_stops_everything(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.close(50, 100)
            write(tmp_path, "symbol:TYPO")
            await one.watch.heed_halt_file()
            await one.say(BUY, key="b")
            await one.quiet()
            assert not one.broker.placed


async def test_a_disk_that_was_full_in_the_last_run_is_looked_at_in_this_one(tmp_path):
    async with desk(tmp_path) as one:
        await one.engine.tell(FULL)
    async with desk(tmp_path) as again:
        await again.watch.look_for_room()
        await again.quiet()
        assert again.now.halting() is None
        assert (await again.say(MoveCash("deposit", D(1)), key="d")).ok


class TestFlattening:
    async def test_what_could_not_be_closed_is_no_success(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.close(50, 100)
            await one.say(BUY, key="b")
            await one.close(50, 100)
            one.feed.ended = True  # so there is no session to sell in
            reply = await one.say(Halt("out", flatten=True), key="h")
            assert one.now.halting().reason == "out"
            assert (reply.ok, reply.exit) == (False, Exit.PARTIAL)
            assert reply.data["denied"][0]["code"] == Code.NO_SESSION

    async def test_it_is_not_decided_on_a_close_that_has_traded_already(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.close(50, 100)
            await one.say(BUY, key="b")
            await one.close(50, 100)
            assert (await (await during_a_close(one, Halt("out", flatten=True)))).ok
            await one.close(50, 100)
            assert one.now.ledger.held("KO") == 0

    async def test_a_plain_halt_is_never_held(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.close(50, 100)
            with one.engine.closing():
                assert (await one.say(Halt("drill"), key="h")).ok

    async def test_one_is_held_for_a_moment_only(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.close(50, 100)
            with one.engine.closing():
                assert (await one.say(Halt("drill", flatten=True), key="h")).ok


async def during_a_close(one, command):
    """Ask for something while the broker has traded a close that the engine has not seen."""
    on_close = one.broker.on_close
    asked = []

    async def and_asked(close):
        await on_close(close)
        asked.append(asyncio.create_task(one.say(command, key="h")))
        for _ in range(20):
            await asyncio.sleep(0)
        await one.engine.settled()

    one.broker.on_close = and_asked
    await one.close(50, 100)
    one.broker.on_close = on_close
    return asked[0]
