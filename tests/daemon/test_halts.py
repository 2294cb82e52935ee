"""Halts as operators rely on them: by file, on a full disk, and with a flattening."""

import asyncio
import json
from contextlib import asynccontextmanager
from decimal import Decimal as D

import pytest

from control.protocol import Exit
from state.command import (
    Halt,
    HaltForDisk,
    MoveCash,
    RecordFill,
    RecordReconciliation,
    Resume,
    SubmitOrder,
)
from state.denial import Code
from state.order import request_id
from tests.desk import CONFIG, desk

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


class TestFlatteningWhileTheBooksAreCompared:
    async def test_it_waits_for_what_is_held_to_be_known(self, tmp_path):
        async with holding(tmp_path) as one:
            await one.engine.tell(RecordReconciliation(started=True))
            reply = await one.say(Halt("out", flatten=True), key="h")
            assert (reply.ok, reply.status) == (True, "accepted")
            assert reply.data["flatten"].startswith("queued")
            assert not one.now.open_orders

            sold = RecordFill("elsewhere", "EXT.1", "KO", D(-4), D(50), D(0), one.now.at)
            await one.engine.tell(sold)  # found while we look: six are left
            await one.engine.tell(RecordReconciliation())
            (order,) = one.now.open_orders
            assert (order.quantity, order.source, order.rid) == (-6, "flatten", request_id("h"))
            assert "flatten" not in (await one.say(Halt("out", flatten=True), key="h2")).data

    async def test_it_outlasts_a_restart(self, tmp_path):
        async with holding(tmp_path) as one:
            await one.engine.tell(RecordReconciliation(started=True))
            await one.say(Halt("out", flatten=True), key="h")
        async with desk(tmp_path) as again:
            await again.quiet()
            await again.close(50, 100)
            assert again.now.ledger.held("KO") == 0
            reply = await again.say(Halt("out", flatten=True), key="h")
            assert (reply.ok, reply.status, reply.replayed) == (True, "completed", True)

    async def test_with_nothing_to_close_it_is_over_when_the_books_agree(self, tmp_path):
        async with desk(tmp_path) as one:
            await one.close(50, 100)
            await one.engine.tell(RecordReconciliation(started=True))
            await one.say(Halt("out", flatten=True), key="h")
            await one.engine.tell(RecordReconciliation())
            reply = await one.say(Halt("out", flatten=True), key="h")
            assert (reply.status, reply.exit) == ("completed", Exit.DONE)

    async def test_a_resume_takes_it_back(self, tmp_path):
        async with holding(tmp_path) as one:
            await one.engine.tell(RecordReconciliation(started=True))
            await one.say(Halt("out", flatten=True), key="h")
            await one.say(Resume("not after all", "ann"), key="r")
            await one.engine.tell(RecordReconciliation())
            assert one.now.ledger.held("KO") == 10
            assert not one.now.open_orders


@asynccontextmanager
async def holding(state):
    """Run a desk that holds 10 KO."""
    async with desk(state) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.close(50, 100)
        assert one.now.ledger.held("KO") == 10
        yield one


FALLEN = CONFIG.replace("[risk]", "[risk]\nmax_drawdown = 0.1\nmax_day_loss = 1.0")
LOST = CONFIG.replace("[risk]", "[risk]\nmax_drawdown = 1.0\nmax_day_loss = 0.1")


@pytest.mark.parametrize(("config", "code"), [(FALLEN, "DRAWDOWN"), (LOST, "DAY_LOSS")])
async def test_a_loss_halts_through_restarts_new_days_and_a_clock_set_back(tmp_path, config, code):
    async with desk(tmp_path, config=config) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(1000)), key="b")
        await one.close(50, 100)
        await one.close(35, 100)
        assert one.now.halting().code == code
    for n in range(20):
        async with desk(tmp_path, config=config) as again:
            again.clock.jump_wall(-86_400 * n)
            assert again.now.halting().code == code
            if n % 5 == 0:
                await again.close(36 + n, 100)  # a new day, and a better one
            reply = await again.say(BUY, key=f"b{n}")
            assert (reply.exit, reply.error.code) == (Exit.REFUSED, "TRADING_HALTED")
    async with desk(tmp_path, config=config) as last:
        assert (await last.say(Resume("looked at", "ann"), key="r")).ok
        assert (await last.say(BUY, key="after")).ok
