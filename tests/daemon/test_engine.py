"""The single writer: durable before answered, once per key, and honest when it can't be."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from control.protocol import Exit, decode_reply
from daemon.clock import FakeClock
from daemon.engine import INBOX, Engine
from daemon.message import EngineEnded
from daemon.store import open_inline
from state.command import (
    CancelOrders,
    Claim,
    CloseBars,
    Halt,
    MoveCash,
    RecordFill,
    RecordReconciliation,
    RecordStart,
    Shutdown,
    SubmitOrder,
)
from state.event import CancelRequested, Halted
from state.history import unfinished
from state.journal import CommitInDoubt
from state.order import Status, request_id
from tests.given import CLOSE, MOMENT, bars, cause, start


class Room:
    """A disk that is full when told so; the ballast makes room for the halt."""

    def __init__(self):
        self.why, self.ballast = "", True

    def tight(self):
        return self.why

    def hold(self):
        self.ballast = not self.why
        return self.ballast

    def release(self):
        released, self.ballast = self.ballast, False
        self.why = "" if released else self.why
        return released


@asynccontextmanager
async def engine(path, *, funded=True, space=None, factory=sqlite3.Connection, acted=None):
    """Run an engine on the journal in `path`; a fresh one gets cash, prices and agreeing books."""
    store, snapshot, head = open_inline(path, space, factory)
    open_commands = await store.read(unfinished)
    clock = FakeClock()
    one = Engine(snapshot, head, store, clock, lambda now: MOMENT, open_commands)
    if acted is not None:
        one.act = lambda events, now: acted.extend(events)
    running = asyncio.create_task(one.run())
    try:
        if funded and not snapshot.seq:
            await one.tell(RecordStart(start()))
            await one.tell(RecordReconciliation(opening=D(100_000)))
            close = bars(50, 100)
            targets = {"KO": 0.5, "PG": 0.25}
            await one.tell(CloseBars(close.at, close.session, close.bars, targets))
        yield one
    finally:
        running.cancel()
        await asyncio.wait([running])
        await store.aclose()


BUY = SubmitOrder("buy", "KO", D(100))
ORDER = f"{request_id('key')}.0"


def fill(quantity, execution="x1"):
    return RecordFill(execution, ORDER, "KO", D(quantity), D(50), D(0), CLOSE)


async def test_a_command_is_durable_when_it_is_answered(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        reply = await one.ask(BUY, cause("order"))
        assert (reply.ok, reply.status, reply.exit) == (True, "accepted", Exit.DONE)
        assert reply.data["orders"][0]["quantity"] == "100"
    async with engine(tmp_path / "j.db") as again:
        assert again.snapshot.orders[ORDER].status is Status.PENDING


async def test_the_same_key_gets_the_stored_reply_across_a_restart(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        first = await one.ask(BUY, cause("order"))
        second = await one.ask(BUY, cause("order"))
        assert replace(second, replayed=False) == first
        assert second.replayed
    async with engine(tmp_path / "j.db") as again:
        third = await again.ask(BUY, cause("order"))
        assert third == second
        assert len(again.snapshot.orders) == 1


async def test_the_same_key_with_other_arguments_is_a_conflict(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        await one.ask(BUY, cause("order"))
        reply = await one.ask(BUY, replace(cause("order"), digest="other"))
        assert reply.exit is Exit.CONFLICT
        assert len(one.snapshot.orders) == 1


async def test_the_same_key_a_hundred_times_at_once_is_one_order(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        replies = await asyncio.gather(*(one.ask(BUY, cause("order")) for _ in range(100)))
        assert len(one.snapshot.orders) == 1
        assert sum(not reply.replayed for reply in replies) == 1
        assert len({replace(reply, replayed=False).seq for reply in replies}) == 1


async def test_the_reply_is_rewritten_once_when_the_last_order_is_final(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        await one.ask(BUY, cause("order"))
        assert one.in_flight(request_id("key"))
        waiting = asyncio.ensure_future(one.finished(request_id("key")))
        await one.tell(Claim((ORDER,)))
        one.report(fill(100))
        final = await waiting
        assert (final.status, final.exit) == ("completed", Exit.DONE)
        assert final.data["orders"][0]["status"] == "filled"
        assert not one.in_flight(request_id("key"))
    async with engine(tmp_path / "j.db") as again:
        assert replace(await again.ask(BUY, cause("order")), replayed=False) == final


async def test_a_command_still_in_flight_finishes_after_a_restart(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        await one.ask(BUY, cause("order"))
        await one.tell(Claim((ORDER,)))
    async with engine(tmp_path / "j.db") as again:
        assert again.in_flight(request_id("key"))
        await again.tell(fill(100))
        reply = await again.ask(BUY, cause("order"))
        assert (reply.status, reply.replayed) == ("completed", True)


async def test_an_order_that_was_not_wholly_filled_is_partial(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        await one.ask(BUY, cause("order"))
        await one.ask(CancelOrders(ORDER), cause("cancel", "k2"))
        reply = await one.ask(BUY, cause("order"))
        assert (reply.ok, reply.status, reply.exit) == (False, "partial", Exit.PARTIAL)
        assert "KO cancelled" in reply.error.message


async def test_a_refusal_is_durable(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        unknown = SubmitOrder("buy", "XX", D(1))
        reply = await one.ask(unknown, cause("order"))
        assert (reply.exit, reply.error.code) == (Exit.REFUSED, "UNKNOWN_SYMBOL")
        assert (await one.ask(unknown, cause("order"))).replayed


async def test_what_cannot_be_answered_now_is_not_written(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        before = one.head
        reply = await one.ask(CancelOrders("nobody.0"), cause("cancel"))
        assert (reply.exit, reply.status) == (Exit.NOT_FOUND, "not_found")
        assert one.head == before


async def test_one_command_too_many_is_told_busy(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        asked = [
            asyncio.create_task(one.ask(MoveCash("deposit", D(1)), cause("cash", f"k{n}")))
            for n in range(INBOX + 1)
        ]
        replies = await asyncio.gather(*asked)
        assert [reply.error.code for reply in replies if reply.error] == ["BUSY"]
        assert one.snapshot.ledger.cash == D(100_000 + INBOX)


async def test_commands_that_wait_together_are_committed_together(tmp_path):
    batches = []
    async with engine(tmp_path / "j.db") as one:
        one.act = lambda events, now: batches.append(len(events))
        await asyncio.gather(
            *(one.ask(MoveCash("deposit", D(1)), cause("cash", f"k{n}")) for n in range(50))
        )
    assert sum(batches) == 100
    assert len(batches) < 5


async def test_effects_follow_the_commit_and_see_what_it_left(tmp_path):
    acted = []
    async with engine(tmp_path / "j.db", acted=acted) as one:
        await one.ask(Shutdown(), cause("shutdown"))
        assert type(acted[-1]).__name__ == "ShutdownRequested"


class GhostCommit(sqlite3.Connection):
    """A connection whose COMMIT writes, and then says that it failed."""

    armed = False

    def execute(self, sql, *arguments):
        result = super().execute(sql, *arguments)
        if type(self).armed and sql.strip().upper().startswith("COMMIT"):
            raise sqlite3.OperationalError("disk I/O error")
        return result


async def test_a_commit_in_doubt_answers_nobody_and_ends_the_engine(tmp_path):
    store, snapshot, head = open_inline(tmp_path / "j.db", factory=GhostCommit)
    one = Engine(snapshot, head, store, FakeClock(), lambda now: MOMENT)
    running = asyncio.create_task(one.run())
    await one.tell(RecordStart(start()))
    await one.tell(RecordReconciliation(opening=D(0)))
    GhostCommit.armed = True
    try:
        asked = asyncio.create_task(one.ask(MoveCash("deposit", D(1)), cause("cash")))
        await asyncio.wait([running])
        assert isinstance(running.exception(), CommitInDoubt)
        for nobody_knows in (asked, one.ask(MoveCash("deposit", D(1)), cause("cash"))):
            with pytest.raises(EngineEnded):
                await nobody_knows
    finally:
        GhostCommit.armed = False
    assert one.snapshot.ledger.cash == 0  # nothing believed
    store, snapshot, _ = open_inline(tmp_path / "j.db")
    assert snapshot.ledger.cash == 1  # and yet it was durable: the next start knows
    known = await store.commands([request_id("key")])
    assert decode_reply(known[request_id("key")].reply).ok


class TestFullDisk:
    async def test_new_orders_are_turned_away_and_the_halt_is_recorded(self, tmp_path):
        room, acted = Room(), []
        async with engine(tmp_path / "j.db", space=room, acted=acted) as one:
            room.why = "12 bytes are free"
            reply = await one.ask(BUY, cause("order"))
            assert (reply.exit, reply.error.code) == (Exit.NOT_READY, "DISK_FULL")
            await one.settled()
            assert one.snapshot.halting().code == "DISK_FULL"
            assert any(isinstance(event, Halted) for event in acted)
            again = await one.ask(BUY, cause("order"))
            assert again.error.code == "DISK_FULL"
            assert not one.snapshot.orders

    async def test_what_the_broker_says_is_kept(self, tmp_path):
        room = Room()
        async with engine(tmp_path / "j.db", space=room) as one:
            await one.ask(BUY, cause("order"))
            await one.tell(Claim((ORDER,)))
            room.why = "12 bytes are free"
            one.report(fill(100))
            await one.settled()
            assert one.snapshot.ledger.held("KO") == D(100)

    async def test_cancels_go_out_even_when_nothing_at_all_can_be_written(self, tmp_path):
        room, acted = Room(), []
        async with engine(tmp_path / "j.db", space=room, acted=acted) as one:
            await one.ask(BUY, cause("order"))
            await one.tell(Claim((ORDER,)))
            room.ballast, room.why = False, "0 bytes are free"
            reply = await one.ask(CancelOrders(), cause("cancel", "k2"))
            assert reply.ok
            assert "asked back all the same" in reply.warnings[0]
            assert isinstance(acted[-1], CancelRequested)
            room.why = ""  # space returns: the report of the halt was waiting in memory
            await one.settled()
            assert one.snapshot.halting().code == "DISK_FULL"

    async def test_a_halt_is_still_taken(self, tmp_path):
        room = Room()
        async with engine(tmp_path / "j.db", space=room) as one:
            room.why = "12 bytes are free"
            await one.ask(BUY, cause("order"))
            await one.settled()
            reply = await one.ask(Halt("drill", scope="symbol:KO"), cause("halt", "h"))
            assert reply.ok
            assert one.snapshot.halting("KO") is not None


async def test_who_waits_for_the_journal_to_grow_is_told(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        waiting = asyncio.create_task(one.beyond(one.head.seq))
        await one.ask(MoveCash("deposit", D(1)), cause("cash"))
        await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("count", [1, 3])
async def test_settled_returns_once_everything_sent_is_durable(tmp_path, count):
    async with engine(tmp_path / "j.db") as one:
        before = one.head.seq
        for n in range(count):
            one.report(fill(1, f"x{n}"))
        await one.settled()
        assert one.head.seq == before + count
        assert not one.busy


async def test_who_waits_for_a_reply_is_told_however_late_it_gets_its_turn(tmp_path):
    async with engine(tmp_path / "j.db") as one:
        await one.ask(BUY, cause("order"))
        await one.tell(Claim((ORDER,)))
        one.report(fill(100))  # the engine's turn is before the one who waits
        waiting = one.finished(request_id("key"))
        assert (await asyncio.wait_for(waiting, 5)).status == "completed"
