"""News of an order long over: the reply stays, the books and the lists follow the broker."""

from datetime import timedelta
from decimal import Decimal as D

from msgspec.structs import replace

from control import protocol as ask
from state.command import CancelOrders, RecordFill, RecordStatus, ReportKind, SubmitOrder
from state.integrity import verify
from state.order import request_id
from tests.desk import desk

BUY = SubmitOrder("buy", "KO", D(10))
ORDER = f"{request_id('b')}.0"


async def over(one):
    """Play an order that was cancelled before anything of it traded; return its final reply."""
    await one.close(50, 100)
    await one.say(BUY, key="b")
    await one.quiet()
    await one.say(CancelOrders(ORDER), key="c")
    await one.quiet()
    assert not one.now.orders
    return await one.say(BUY, key="b")


def late(one, quantity=4, name="late", revision=0):
    at = one.now.at - timedelta(minutes=1)
    return RecordFill(name, ORDER, "KO", D(quantity), D(50), D(1), at, revision)


async def listed(one):
    (order,) = (await one.say(ask.Orders())).data["orders"]
    return order


async def sound(one):
    assert (await one.store.read(verify)).ok


async def test_an_execution_after_the_final_reply_is_in_the_books_and_in_the_lists(tmp_path):
    async with desk(tmp_path) as one:
        final = await over(one)
        assert final.data["orders"][0]["filled"] == "0"

        await one.engine.tell(late(one))
        assert (one.now.ledger.held("KO"), one.now.ledger.cash) == (4, 100_000 - 201)
        order = await listed(one)
        assert (order["filled"], order["status"], order["fees"]) == ("4", "cancelled", "1")
        assert len((await one.say(ask.Fills())).data["fills"]) == 1
        assert await one.say(BUY, key="b") == final  # to the byte, and for ever
        await sound(one)
    async with desk(tmp_path, opened=False) as again:
        assert again.now.ledger.held("KO") == 4
        assert not again.now.orders


async def test_a_correction_after_the_final_reply_too(tmp_path):
    async with desk(tmp_path) as one:
        final = await over(one)
        await one.engine.tell(late(one, 4))
        await one.engine.tell(late(one, 3, revision=2))
        await one.engine.tell(late(one, 9, revision=1))  # overtaken by the one above
        assert one.now.ledger.held("KO") == 3
        assert (await listed(one))["filled"] == "3"
        (fill,) = (await one.say(ask.Fills())).data["fills"]
        assert fill["quantity"] == "3"
        assert await one.say(BUY, key="b") == final
        await sound(one)


async def test_an_execution_the_broker_repeats_after_weeks_is_known(tmp_path):
    async with desk(tmp_path) as one:
        await over(one)
        said = late(one)
        await one.engine.tell(said)
        for _ in range(20):  # sessions: more than memory holds
            await one.close(50, 100)
        assert not one.now.executions
        seq = one.engine.head.seq
        assert (await one.engine.tell(said)).events == ()
        assert one.engine.head.seq == seq
        assert one.now.ledger.held("KO") == 4


async def test_one_batch_may_end_an_order_and_bring_news_of_it(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
        one.engine.report(RecordStatus(ORDER, ReportKind.CANCELLED, "P1", D(0)))
        one.engine.report(late(one))
        one.engine.report(late(one))
        one.engine.report(late(one, 6, "rest"))
        await one.engine.settled()
        assert one.now.ledger.held("KO") == 10
        assert (await listed(one))["status"] == "filled"
        await sound(one)


async def test_more_than_was_ordered_halts_although_the_order_is_long_over(tmp_path):
    async with desk(tmp_path) as one:
        await over(one)
        await one.engine.tell(late(one, 11))
        assert one.now.ledger.held("KO") == 11
        assert one.now.halting().code == "OVERFILLED"


async def test_the_brokers_own_count_of_what_was_over_is_waited_for(tmp_path):
    async with desk(tmp_path) as one:
        await over(one)
        count = RecordStatus(ORDER, ReportKind.CANCELLED, "P1", D(4))
        await one.engine.tell(count)
        assert one.now.working("KO") == (4, 0)
        await one.engine.tell(replace(count, filled=D(4)))
        await one.engine.tell(late(one, 4))
        assert not one.now.orders
