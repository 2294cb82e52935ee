"""The link to the broker: what happens when it goes, comes back, and says something odd."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal as D
from functools import partial

import pytest

from control import protocol as ask
from daemon.brokers.recording import BookRead
from daemon.link import COMPARE, Link
from daemon.recovery import check
from daemon.seams import BrokerBook, BrokerOrder
from state.command import Claim, Halt, RecordFill, RecordStatus, ReportKind, SubmitOrder
from state.event import OrderAdopted, OrderClaimed, OrderSettled, ReconcileStarted
from state.history import last_not_placed
from state.order import Status, request_id
from tests.desk import desk

BUY = SubmitOrder("buy", "KO", D(10))
ORDER = f"{request_id('b')}.0"
SECOND = 1.0


def made(one):
    resume = partial(one.trader.resume, partial(one.store.read, last_not_placed))
    return Link(one.engine, one.broker, one.sender, one.clock, 0.0, resume)


@asynccontextmanager
async def linked(state, **how):
    """Run a desk that a link opens, with its gate open."""
    async with desk(state, opened=False, **how) as one:
        one.link = made(one)
        task = asyncio.create_task(one.link.run())
        await one.link.tried.wait()
        await one.quiet()
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.wait([task])


async def pass_time(one, seconds):
    """Let time pass, a round at a time, and what it leads to happen as far as nobody else is asked.

    The paper broker answers from a thread of its own: `until` waits for it.
    """
    for _ in range(int(seconds)):
        one.clock.advance(SECOND)
        for _ in range(20):
            await asyncio.sleep(0)
        await one.engine.settled()


async def until(one, true):
    """Let time pass until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await pass_time(one, 1)
            await one.broker.settle()


def reconciled(one):
    return lambda: one.now.reconciled


async def test_the_gate_closes_when_the_connection_goes_and_opens_when_it_is_back(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        one.broker.connected = False
        await pass_time(one, 2)
        assert not one.now.reconciled
        reply = await one.say(BUY, key="b")
        assert (reply.exit, reply.error.code) == (5, "RECONCILE_PENDING")

        one.broker.connected = True
        await until(one, reconciled(one))
        assert one.now.reconciled
        assert (await one.say(BUY, key="b")).ok
        await one.quiet()
        assert len(one.broker.placed) == 1


async def test_nothing_is_sent_over_a_connection_that_came_back_unseen(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        looks = len(one.broker.calls)
        one.broker.connected = False
        one.broker.connected = True
        await one.say(BUY, key="b")
        await one.quiet()
        assert not one.broker.placed

        await until(one, lambda: one.broker.placed)
        assert len(one.broker.placed) == 1
        assert isinstance(one.broker.calls[looks], BookRead)


async def test_nothing_is_sent_between_the_loss_and_the_gates_closing(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        one.broker.connected = False
        await one.say(BUY, key="b")
        await one.quiet()
        assert not one.broker.placed


async def test_what_is_asked_for_in_a_pause_is_sent_when_it_ends(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        one.broker.paused = "the gateway restarts"
        assert (await one.say(BUY, key="b")).status == "accepted"
        await pass_time(one, 5)
        assert not one.broker.placed
        assert one.now.orders[ORDER].status is Status.PENDING
        one.broker.paused = ""
        await until(one, lambda: one.broker.placed)


async def test_a_pause_that_ends_while_the_gate_opens_leaves_no_order_behind(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)

        async def opened():
            await one.say(BUY, key="b")
            await one.quiet()
            assert not one.broker.placed
            one.broker.paused = ""

        one.broker.paused = "the gateway restarts"
        link = Link(one.engine, one.broker, one.sender, one.clock, 0.0, opened)
        holding = asyncio.create_task(link.run())
        await until(one, lambda: one.broker.placed)
        holding.cancel()


async def test_a_pause_that_begins_after_the_claim_sends_nothing(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        act = one.engine.act

        def act_and_pause(events, now):
            if any(isinstance(event, OrderClaimed) for event in events):
                one.broker.paused = "the gateway restarts"
            act(events, now)

        one.engine.act = act_and_pause
        await one.say(BUY, key="b")
        await one.quiet()
        assert not one.broker.placed
        (order,) = (await one.say(BUY, key="b")).data["orders"]
        assert (order["status"], order["reason"]) == ("not_placed", "never reached the broker")


async def test_what_is_at_the_broker_when_a_pause_begins_is_left_there(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
        one.broker.paused = "the gateway restarts"
        one.broker.connected = False
        await pass_time(one, 5)
        one.broker.connected = True
        await until(one, reconciled(one))
        assert not one.broker.cancelled
        assert one.now.orders[ORDER].status is Status.LIVE


async def test_an_order_on_its_way_when_the_connection_goes_is_unknown_and_freezes_its_symbol(
    tmp_path,
):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        one.sender.close()
        await one.say(BUY, key="b")
        await one.engine.tell(Claim((ORDER,)))
        one.broker.connected = False
        await pass_time(one, 2)

        assert one.now.orders[ORDER].status is Status.UNKNOWN
        assert one.now.working("KO") == (10, 0)
        assert (await one.say(ask.Status())).data["unknown_orders"] == 1

        one.broker.connected = True
        await until(one, reconciled(one))
        assert not one.now.orders
        assert (await one.say(BUY, key="b")).data["orders"][0]["status"] == "not_placed"


async def test_a_broker_that_is_away_at_the_start_is_waited_for(tmp_path):
    async with desk(tmp_path, opened=False) as one:
        one.broker.connected = False
        link = made(one)
        task = asyncio.create_task(link.run())
        await link.tried.wait()
        assert not one.now.reconciled
        one.broker.connected = True
        await until(one, reconciled(one))
        assert one.now.reconciled
        task.cancel()
        await asyncio.wait([task])


async def test_a_rebalance_that_was_due_while_the_broker_was_away_is_made_up_for(tmp_path):
    async with linked(tmp_path, due=lambda session: True) as one:
        one.broker.connected = False
        await pass_time(one, 2)
        await one.close(50, 100)
        assert not one.now.orders
        one.broker.connected = True
        await until(one, reconciled(one))
        await until(one, lambda: len(one.broker.placed) == 2)


async def test_an_outage_of_hours_leaves_few_records(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        one.broker.connected = False
        await pass_time(one, 2)
        seq = one.engine.head.seq
        await pass_time(one, 300)
        assert one.engine.head.seq == seq
        assert len(one.events(ReconcileStarted)) == 1


async def test_the_minutes_comparison_finds_a_difference_and_halts(tmp_path):
    async with linked(tmp_path) as one:
        await one.close(50, 100)
        one.paper.move_cash("gift", D(1))
        await until(one, lambda: one.now.halting() is not None)
        assert one.now.halting().code == "RECONCILE_PENDING"
        seq = one.engine.head.seq
        await pass_time(one, 3 * COMPARE)  # the same difference is not journaled again
        assert one.engine.head.seq == seq


def answering(one, *orders, executions=(), positions=None):
    """Let the broker answer with these orders, and the book as we have it."""
    held = {s: p.quantity for s, p in one.now.ledger.positions.items() if p.quantity}
    one.broker.behind = None
    positions = held if positions is None else positions
    one.broker.answer = BrokerBook(orders, executions, positions, one.now.ledger.cash)


async def looked(one):
    await check(one.engine, one.broker, one.clock, 0.0)


FOREIGN = BrokerOrder("", 7, "P7", "KO", D(5), D(0), "open")


async def test_somebody_elses_order_is_adopted_counted_and_left_alone(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        answering(one, FOREIGN)
        await looked(one)
        await looked(one)
        assert len(one.events(OrderAdopted)) == 1
        assert one.now.working("KO") == (5, 0)
        assert (await one.say(ask.Status())).data["open_orders"] == 1
        (listed,) = (await one.say(ask.Orders())).data["orders"]
        assert (listed["order_id"], listed["source"]) == ("EXT.P7", "external")
        checks = (await one.say(ask.Audit())).data["checks"]
        assert {c["name"]: c["severity"] for c in checks}["orders_external"] == "warn"

        await one.say(Halt("drill"), key="h")
        assert not one.broker.cancelled

        answering(one)
        await looked(one)
        assert not one.now.orders
        (listed,) = (await one.say(ask.Orders())).data["orders"]
        assert listed["status"] == "cancelled"


async def test_somebody_elses_execution_moves_book_and_order(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        answering(one, FOREIGN)
        await looked(one)
        fill = RecordFill("e1", "EXT.P7", "KO", D(5), D(50), D(0), one.now.at)
        await one.engine.tell(fill)
        assert one.now.ledger.held("KO") == 5
        (listed,) = (await one.say(ask.Orders())).data["orders"]
        assert (listed["status"], listed["filled"]) == ("filled", "5")


async def test_an_order_thought_never_placed_that_is_open_there_counts_and_is_asked_back(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.sender.close()
        await one.say(BUY, key="b")
        await one.engine.tell(Claim((ORDER,)))
        await one.engine.tell(RecordStatus(ORDER, ReportKind.NOT_SEEN))
        assert not one.now.orders
        answering(one, BrokerOrder(f"TM1.{ORDER}", 1, "P1", "KO", D(10), D(0), "open"))
        await looked(one)
        assert one.now.orders[ORDER].status is Status.PENDING_CANCEL
        assert one.now.working("KO") == (10, 0)
        assert {order.order_id for order in one.broker.cancelled} == {ORDER}

        await one.engine.tell(RecordStatus(ORDER, ReportKind.CANCELLED, "P1", D(0)))
        assert not one.now.orders
        reply = await one.say(BUY, key="b")  # a final reply stays what it was
        assert reply.data["orders"][0]["status"] == "not_placed"
        (listed,) = (await one.say(ask.Orders())).data["orders"]
        assert listed["status"] == "cancelled"


async def test_an_order_the_broker_no_longer_has_is_over(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
        assert one.now.orders[ORDER].status is Status.LIVE
        answering(one)
        await looked(one)
        (order,) = (await one.say(BUY, key="b")).data["orders"]
        assert order["status"] == "cancelled"
        assert order["reason"] == "the broker has it no longer"


@pytest.mark.parametrize("filled", [D(0), D(4)])
async def test_an_accepted_order_that_never_got_a_brokers_id_is_over_when_it_is_gone(
    tmp_path, filled
):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.broker.behind = None  # nobody says anything but what is said here
        await one.say(BUY, key="b")
        one.engine.report(RecordStatus(ORDER, ReportKind.ACCEPTED))
        told = [RecordFill("e1", ORDER, "KO", filled, D(50), D(0), one.clock.wall())][
            : bool(filled)
        ]
        for fill in told:
            one.engine.report(fill)
        await one.engine.settled()
        assert one.now.orders[ORDER].status is Status.LIVE
        answering(one, executions=told)
        await looked(one)
        (order,) = (await one.say(BUY, key="b")).data["orders"]
        assert (order["status"], D(order["filled"])) == ("cancelled", filled)


@pytest.mark.parametrize("said", ["cancelled", "filled"])
async def test_executions_that_never_come_do_not_keep_a_command_open_for_ever(tmp_path, said):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
        count = D(10) if said == "filled" else D(4)
        answering(one, BrokerOrder(f"TM1.{ORDER}", 1, "P1", "KO", D(10), count, said))
        await looked(one)
        assert one.now.orders[ORDER].owed == count
        assert one.engine.in_flight(request_id("b"))

        await check(one.engine, one.broker, one.clock, 0.0, owing=(ORDER,))
        assert len(one.events(OrderSettled)) == 1
        assert not one.now.orders
        reply = await one.say(BUY, key="b")
        assert reply.status in {"completed", "partial"}
        assert "the books agree at 0" in reply.data["orders"][0]["reason"]


async def test_a_gateway_that_forgets_at_midnight_is_no_broker_without_executions(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.close(50, 100)
        assert one.now.ledger.held("KO") == 10
        answering(one)
        forgetful = one.broker.answer
        one.broker.answer = BrokerBook(
            (),
            (),
            forgetful.positions,
            forgetful.cash,
            executions_from=one.now.at + timedelta(hours=1),
        )
        assert await check(one.engine, one.broker, one.clock, 0.0) == ()


async def test_holdings_ahead_of_their_executions_are_waited_for(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.quiet()
        there = BrokerOrder(f"TM1.{ORDER}", 1, "P1", "KO", D(10), D(0), "open")
        answering(one, there, positions={"KO": D(10)})
        fill = RecordFill("e1", ORDER, "KO", D(10), D(50), D(0), one.now.at)
        late = BrokerBook((there,), (fill,), {"KO": D(10)}, D(99_500))
        looks = []

        async def book(since):
            looks.append(since)
            return late if len(looks) > 2 else one.broker.answer

        one.broker.book = book
        assert await check(one.engine, one.broker, one.clock, 0.0) == ()
        assert one.now.halting() is None
