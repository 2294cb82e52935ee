"""Start, reconnect and the minute's check: ask, book, resolve, compare."""

import shutil
from decimal import Decimal as D
from functools import partial

import pytest

from control.protocol import Exit, Reconcile
from daemon.brokers.custodian import Custodian
from daemon.recovery import TRIES, compare, recover
from daemon.seams import BrokerOrder, BrokerUnavailable
from state.command import (
    CancelOrders,
    Claim,
    ExpectDifference,
    Halt,
    MoveCash,
    RecordReconciliation,
    Resume,
    SubmitOrder,
)
from state.event import Difference, SplitBooked
from state.order import Status, request_id
from tests.desk import desk

BUY = SubmitOrder("buy", "KO", D(10))
ORDER = f"{request_id('b')}.0"


async def test_the_first_start_adopts_the_brokers_cash(tmp_path):
    async with desk(tmp_path) as one:
        assert one.now.ledger.cash == D(100_000)
        assert one.now.reconciled


async def test_an_order_that_was_claimed_and_never_sent_was_not_placed(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.sender.close()  # the process dies between the claim and the send
        await one.say(BUY, key="b")
        await one.engine.tell(Claim((ORDER,)))
        assert one.now.orders[ORDER].status is Status.SENDING
    async with desk(tmp_path) as again:
        reply = await again.say(BUY, key="b")
        assert reply.data["orders"][0]["status"] == "not_placed"
        assert not again.broker.placed  # and it is never sent again under that key


async def test_an_order_that_was_never_sent_and_then_asked_back_is_cancelled(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.sender.close()
        await one.say(BUY, key="b")
        await one.engine.tell(Claim((ORDER,)))
        await one.say(CancelOrders(ORDER), key="c")
    async with desk(tmp_path) as again:
        reply = await again.say(BUY, key="b")
        assert reply.data["orders"][0]["status"] == "cancelled"
        assert not again.broker.placed


async def test_an_order_that_was_sent_is_found_again(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
    async with desk(tmp_path) as again:
        assert again.now.orders[ORDER].status is Status.LIVE
        await again.close(50, 100)
        assert again.now.ledger.held("KO") == D(10)
        assert not again.broker.placed


async def test_a_pending_order_is_sent_after_the_restart(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.sender.close()
        await one.say(BUY, key="b")
    async with desk(tmp_path) as again:
        await again.quiet()
        assert [order.order_id for order in again.broker.placed] == [ORDER]


async def test_fills_that_came_while_we_were_away_are_booked(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
        one.paper._tell = lambda report: None  # nobody hears the broker any more
        await one.close(50, 100)
        assert one.now.ledger.held("KO") == 0
    async with desk(tmp_path) as again:
        assert again.now.ledger.held("KO") == D(10)
        assert again.now.reconciled


async def test_a_deposit_the_broker_never_heard_of_is_made_again_once(tmp_path):
    async with desk(tmp_path) as one:
        one.engine.act = lambda events, now: None  # dies after the commit, before the effect
        await one.say(MoveCash("deposit", D(7)), key="m")
    for _ in range(2):
        async with desk(tmp_path) as again:
            assert again.now.ledger.cash == D(100_007)
            assert (await again.broker.book(None)).cash == D(100_007)


async def test_a_difference_halts_and_stays_across_restarts(tmp_path):
    async with desk(tmp_path) as one:
        one.paper.move_cash("gift", D(1))
        assert await compare(one.engine, one.broker) == (
            Difference("cash", D(100_000), D(100_001)),
        )
    async with desk(tmp_path) as again:
        assert again.now.halting().code == "RECONCILE_PENDING"
        assert not again.now.reconciled
        reply = await again.say(Resume("?", accept_risk="ann"), key="r")
        assert reply.error.code == "RECONCILE_PENDING"


async def test_no_answer_is_not_flat(tmp_path):
    async with desk(tmp_path) as one:
        one.broker.connected = False
        with pytest.raises(BrokerUnavailable):
            await recover(one.engine, one.broker, one.clock, 0.0)
        assert not one.now.reconciled


async def test_a_zombie_is_asked_back(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        zombie = BrokerOrder("TM1.NOBODY.0", 99, "P99", "KO", D(5), D(0), "open")
        one.broker.behind = None
        one.broker.answer = type(one.broker.answer)((zombie,), (), {}, D(100_000))
        for _ in range(2):  # and the second look adopts nothing again
            await compare(one.engine, one.broker)
            assert one.now.working("KO") == (5, 0)
            assert [order.broker_id for order in one.broker.cancelled] == ["P99"]
        one.broker.behind = one.paper


async def test_an_order_halted_at_the_last_check_is_not_sent(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        (tmp_path / "halt").write_text("anything at all")
        await one.say(BUY, key="b")
        await one.quiet()
        assert not one.broker.placed
        assert (await one.say(BUY, key="b")).data["orders"][0]["status"] == "halted"
        await one.watch.heed_halt_file()
        assert one.now.halting().reason == "halt file"
        await one.watch.heed_halt_file()
        assert one.events().count("Halted") == 1


async def test_the_halt_survives_in_file_and_journal(tmp_path):
    async with desk(tmp_path) as one:
        await one.say(Halt("drill"), key="h")
    assert (tmp_path / "halt").exists()
    async with desk(tmp_path) as again:
        assert again.now.halting().reason == "drill"


async def test_every_deposit_the_broker_never_heard_of_is_made_again(tmp_path):
    async with desk(tmp_path) as one:
        one.engine.act = lambda events, now: None
        for n in range(300):
            await one.say(MoveCash("deposit", D(1)), key=f"m{n}")
    async with desk(tmp_path) as again:
        assert again.now.reconciled
        assert (await again.broker.book(None)).cash == D(100_300)


async def test_a_client_who_compares_before_the_start_has_done_so_finds_no_difference(tmp_path):
    async with desk(tmp_path) as one:
        one.engine.act = lambda events, now: None
        await one.say(MoveCash("deposit", D(7)), key="m")
    async with desk(tmp_path, opened=False) as again:
        reply = await again.say(Reconcile(), key="r")
        assert reply.ok, reply
        assert again.now.halting() is None


async def test_what_agreed_before_an_earlier_start_is_not_told_again(tmp_path):
    async with desk(tmp_path) as one:
        await one.say(MoveCash("deposit", D(1)), key="m1")
    async with desk(tmp_path) as one:
        assert len(one.broker.effects) == 1
        await one.say(MoveCash("deposit", D(1)), key="m2")
    async with desk(tmp_path) as again:
        assert [call.ref for call in again.broker.effects] == [request_id("m2")]


def while_asked(one, before, after=()):
    """Let clients' commands be carried out whole before and after the broker reads its book."""
    book, commands = one.broker.book, {"before": list(before), "after": list(after)}

    async def carry_out(when):
        while commands[when]:
            await one.say(commands[when].pop(0), key=f"{when} {len(commands[when])}")
            await one.quiet()

    async def interrupted(since):
        await carry_out("before")
        found = await book(since)
        await carry_out("after")
        return found

    one.broker.book = interrupted


DEPOSIT, WITHDRAW = MoveCash("deposit", D(5)), MoveCash("withdraw", D(2))


@pytest.mark.parametrize("known", range(4))
async def test_cash_that_moves_while_the_broker_is_asked_is_no_difference(tmp_path, known):
    moves = [DEPOSIT, WITHDRAW, DEPOSIT]
    async with desk(tmp_path) as one:
        while_asked(one, moves[:known], moves[known:])
        assert await compare(one.engine, one.broker) == ()
        assert one.now.halting() is None


async def test_a_difference_is_found_although_cash_moves_while_the_broker_is_asked(tmp_path):
    async with desk(tmp_path) as one:
        one.paper.move_cash("gift", D(1))
        while_asked(one, [DEPOSIT], [WITHDRAW])
        assert await compare(one.engine, one.broker) == (
            Difference("cash", D(100_003), D(100_006)),
        )


def before_the_outcome(one, *happening):
    """Let each happen in turn just before the outcome of a comparison is decided."""
    tell, left = one.engine.tell, list(happening)

    async def overtaken(command, cause=None):
        if isinstance(command, RecordReconciliation) and command.differences and left:
            await left.pop(0)()
        return await tell(command, cause)

    one.engine.tell = overtaken


def deposits(one, times):
    """Make that many deposits, each to be awaited."""

    async def deposit():
        assert (await one.say(DEPOSIT, key=f"deposit at {one.now.seq}")).ok
        await one.quiet()

    return [deposit] * times


async def split_in_two(one, key):
    """Buy ten, announce a split of two for one, and let it happen at the broker."""
    await one.close(50, 100)
    await one.say(BUY, key="b")
    await one.quiet()
    await one.close(50, 100)
    assert one.now.ledger.held("KO") == 10
    announced = ExpectDifference("split:2", "announced", symbol="KO")
    assert (await one.say(announced, key=key)).ok
    await one.behind.split("KO", D(2), D(1))


async def test_a_split_that_another_comparison_booked_meanwhile_is_not_booked_again(tmp_path):
    async with desk(tmp_path, between=Custodian) as one:
        await split_in_two(one, "first")
        assert (await one.say(ExpectDifference("split:2", "again", symbol="KO"), key="2")).ok
        before_the_outcome(one, partial(compare, one.engine, one.broker))
        assert await compare(one.engine, one.broker) == ()
        assert [event.quantity for event in one.events(SplitBooked)] == [10]
        assert one.now.ledger.held("KO") == 20
        assert one.now.halting() is None


async def test_books_that_change_before_the_outcome_is_decided_are_compared_again(tmp_path):
    async with desk(tmp_path) as one:
        one.paper.move_cash("gift", D(1))
        before_the_outcome(one, *deposits(one, 1))
        left = await compare(one.engine, one.broker)
        assert left == (Difference("cash", D(100_005), D(100_006)),)


async def test_books_that_never_stand_still_are_no_books_that_agree(tmp_path):
    async with desk(tmp_path) as one:
        one.paper.move_cash("gift", D(1))
        before_the_outcome(one, *deposits(one, TRIES))
        with pytest.raises(BrokerUnavailable, match="changed during each of 10 comparisons: cash"):
            await compare(one.engine, one.broker)
        reply = await one.say(Reconcile(), key="look")
        assert (reply.status, reply.exit) == ("differs", Exit.FINDINGS)


async def test_a_client_whose_comparison_was_overtaken_is_answered_by_the_next(tmp_path):
    async with desk(tmp_path) as one:
        one.paper.move_cash("gift", D(1))
        before_the_outcome(one, *deposits(one, 2))
        reply = await one.say(Reconcile(), key="look")
        assert [found["ours"] for found in reply.data["differences"]] == ["100010"]
        before_the_outcome(one, *deposits(one, TRIES))
        reply = await one.say(Reconcile(), key="again")
        assert (reply.status, reply.exit) == ("not_ready", Exit.NOT_READY)
        assert reply.error.code == "POSITIONS_CHANGED"
        assert (await one.say(Reconcile(), key="again")).exit is Exit.FINDINGS


async def test_an_order_sent_while_the_broker_is_asked_is_no_zombie(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        while_asked(one, [BUY])
        await compare(one.engine, one.broker)
        assert not one.broker.cancelled
        assert [order.status for order in one.now.orders.values()] == [Status.LIVE]


async def test_a_cancel_the_broker_never_heard_of_is_sent_again(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
        one.engine.act = lambda events, now: None
        await one.say(CancelOrders(ORDER), key="c")
        assert one.now.orders[ORDER].status is Status.PENDING_CANCEL
    async with desk(tmp_path) as again:
        await again.quiet()
        reply = await again.say(BUY, key="b")
        assert reply.data["orders"][0]["status"] == "cancelled"


async def test_an_order_asked_back_between_claim_and_send_is_not_sent(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        tell = one.engine.tell

        async def and_asked_back(command, cause=None):
            if isinstance(command, Claim):
                one.engine.report(command)
                one.engine.report(CancelOrders(ORDER))
                await one.engine.settled()
                return None
            return await tell(command, cause)

        one.engine.tell = and_asked_back
        await one.say(BUY, key="b")
        await one.quiet()
        assert not one.broker.placed
        assert (await one.say(BUY, key="b")).data["orders"][0]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("backup", "halted"),
    [pytest.param(False, False, id="resumed since"), pytest.param(True, True, id="older backup")],
)
async def test_a_halt_file_left_by_a_kill_does_not_undo_a_resume(tmp_path, backup, halted):
    async with desk(tmp_path):
        pass
    shutil.copy(tmp_path / "journal.db", tmp_path / "older")
    async with desk(tmp_path) as one:
        await one.say(Halt("drill"), key="h")
        left = (tmp_path / "halt").read_bytes()
        await one.say(Resume("over", accept_risk="ann"), key="r")
    (tmp_path / "halt").write_bytes(left)
    if backup:
        shutil.copy(tmp_path / "older", tmp_path / "journal.db")
    async with desk(tmp_path) as again:
        await again.watch.heed_halt_file()
        assert (again.now.halting() is not None) is halted
        assert (tmp_path / "halt").exists() is halted
