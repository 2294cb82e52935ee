"""Requests and their replies, over the whole desk."""

import asyncio
from datetime import timedelta
from decimal import Decimal as D

import pytest

from control import protocol as ask
from control.protocol import Exit
from state.command import (
    ApprovePlan,
    CancelOrders,
    ExecutePlan,
    Halt,
    MakePlan,
    MoveCash,
    Rebalance,
    Resume,
    Shutdown,
    SubmitOrder,
)
from state.journal import CommitInDoubt
from state.order import request_id
from tests.desk import desk

BUY = SubmitOrder("buy", "KO", D(10))


async def test_a_dry_run_has_no_side_effect_at_all(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        calls, head, now = list(one.broker.calls), one.engine.head, one.now
        reply = await one.say(ask.DryRun())
        assert (reply.status, reply.exit) == ("planned", Exit.DONE)
        assert [line["symbol"] for line in reply.data["lines"]] == ["KO", "PG"]
        await one.quiet()
        assert one.broker.calls == calls
        assert (one.engine.head, one.now) == (head, now)


async def test_a_rebalance_waits_for_its_fills(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        waiting = asyncio.create_task(one.say(Rebalance(), key="k", wait=60))
        await one.placed(2)
        await one.close(50, 100)
        reply = await waiting
        assert (reply.status, reply.exit) == ("completed", Exit.DONE)
        assert {order["status"] for order in reply.data["orders"]} == {"filled"}
        assert one.now.ledger.held("KO") == D(1000)


async def test_orders_not_final_in_time_are_pending_under_the_same_key(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        reply = await one.say(BUY, key="k", wait=0.01)
        assert (reply.status, reply.exit) == ("pending", Exit.PENDING)
        assert request_id("k") in reply.error.hint
        await one.close(50, 100)
        again = await one.say(BUY, key="k", wait=0.01)
        assert (again.status, again.replayed) == ("completed", True)
        awaited = await one.say(ask.Await("k"), wait=0.01)
        assert awaited.data == again.data
        assert (await one.say(ask.Await(request_id("k")))).data == again.data


async def test_waiting_for_what_never_came_is_not_found(tmp_path):
    async with desk(tmp_path) as one:
        assert (await one.say(ask.Await("nobody"))).exit is Exit.NOT_FOUND


async def test_a_command_without_a_key_is_invalid(tmp_path):
    async with desk(tmp_path) as one:
        reply = await one.say(BUY)
        assert (reply.exit, reply.error.code) == (Exit.INVALID, "NO_KEY")


async def test_a_run_that_comes_too_late_does_nothing(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        meant = one.clock.wall() - timedelta(hours=1)
        late = await one.say(BUY, key="k", scheduled_for=meant, max_lateness=60.0)
        assert (late.exit, late.error.code) == (Exit.NOTHING, "TOO_LATE")
        assert not one.now.orders
        first = await one.say(BUY, key="k", scheduled_for=meant, max_lateness=7200.0)
        assert first.status == "accepted"
        replayed = await one.say(BUY, key="k", scheduled_for=meant, max_lateness=60.0)
        assert replayed.replayed  # what was done in time stays done


@pytest.mark.parametrize(
    ("question", "fields"),
    [
        pytest.param(ask.Ping(), {"version", "pid"}, id="ping"),
        pytest.param(
            ask.Status(),
            {"mode", "ready", "halted", "clock", "feed", "broker", "equity", "cash", "gross", "net"}
            | {"drawdown", "open_orders", "unknown_orders", "strategy", "evolution", "journal"},
            id="status",
        ),
        pytest.param(
            ask.Portfolio(),
            {"as_of", "base_currency", "equity", "cash", "realized", "unrealized", "fees"}
            | {"positions"},
            id="portfolio",
        ),
        pytest.param(ask.Orders(), {"orders"}, id="orders"),
        pytest.param(ask.Fills(), {"fills"}, id="fills"),
        pytest.param(ask.Audit(), {"verdict", "checks"}, id="audit"),
        pytest.param(
            ask.Report(),
            {"period", "metrics", "equity", "drawdown", "monthly", "by_symbol", "orders"}
            | {"evolution"},
            id="report",
        ),
        pytest.param(ask.Events(), {"events", "head"}, id="events"),
        pytest.param(ask.Verify(), {"ok", "seq", "hash"}, id="verify"),
        pytest.param(ask.ShowConfig(), {"risk.max_gross"}, id="config"),
        pytest.param(ask.Health(), {"verdict", "reasons"}, id="health"),
    ],
)
async def test_a_question_is_answered_with_the_contracts_fields(tmp_path, question, fields):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(Rebalance(), key="k")
        await one.close(51, 100)
        reply = await one.say(question)
        assert (reply.ok, reply.exit) == (True, Exit.DONE), reply
        assert fields <= reply.data.keys()
        assert "E" not in str(reply.data.get("cash", ""))


async def test_orders_and_fills_carry_their_key(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="mine")
        assert (await one.say(ask.Orders(open_only=True))).data["orders"][0]["key"] == "mine"
        await one.close(51, 100)
        assert (await one.say(ask.Orders(open_only=True))).data["orders"] == []
        (fill,) = (await one.say(ask.Fills())).data["fills"]
        assert (fill["quantity"], fill["price"]) == ("10", "51")


async def test_before_the_first_close_it_is_not_ready(tmp_path):
    async with desk(tmp_path) as one:
        assert (await one.say(ask.Health())).exit is Exit.NOT_READY
        assert (await one.say(ask.DryRun())).exit is Exit.NOT_READY
        assert (await one.say(Rebalance(), key="k")).exit is Exit.NOT_READY
        assert (await one.say(ask.Report())).exit is Exit.NOT_READY


async def test_a_broker_that_is_gone_is_unhealthy_and_not_flat(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.broker.connected = False
        assert (await one.say(ask.Health())).exit is Exit.FINDINGS
        reply = await one.say(ask.Reconcile(), key="r")
        assert (reply.exit, reply.error.code) == (Exit.NOT_READY, "BROKER_UNAVAILABLE")
        audit = await one.say(ask.Audit())
        assert audit.data["verdict"] == "breach"


async def test_a_pause_of_the_broker_is_not_ready_with_its_reason_and_no_illness(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.broker.paused = "the restart, until 04:00 UTC"
        for one.broker.connected in (True, False):
            health = await one.say(ask.Health())
            assert (health.exit, health.data["reasons"]) == (
                Exit.NOT_READY,
                ("the restart, until 04:00 UTC",),
            )
            status = (await one.say(ask.Status())).data
            assert (status["ready"], status["broker"]["paused"]) == (False, one.broker.paused)


async def test_books_that_differ_halt_and_can_be_looked_at(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        one.paper.move_cash("a dividend nobody told us of", D("12.5"))
        reply = await one.say(ask.Reconcile(), key="r")
        assert (reply.exit, reply.error.code) == (Exit.FINDINGS, "BOOKS_DIFFER")
        assert reply.data["differences"] == [
            {"subject": "cash", "ours": "100000", "broker": "100012.5"}
        ]
        assert one.now.halting().code == "RECONCILE_PENDING"
        assert (await one.say(ask.Reconcile(), key="r")).replayed


async def test_a_plan_is_approved_and_executed(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        plan = (await one.say(MakePlan(), key="p")).data
        wanted = ExecutePlan(plan["plan_id"], require_approval=True)
        assert (await one.say(wanted, key="e")).exit is Exit.NOT_READY
        approved = await one.say(ApprovePlan(plan["plan_id"]), key="a")
        assert (approved.data["state"], approved.data["by"]) == ("approved", "ann")
        reply = await one.say(wanted, key="e")  # the same key: nothing was written before
        assert (reply.status, len(reply.data["orders"])) == ("accepted", 2)


async def test_a_dry_run_at_target_or_of_nobody_says_so(tmp_path):
    async with desk(tmp_path, weights=(0.0, 0.0)) as one:
        await one.close(50, 100)
        assert (await one.say(ask.DryRun())).exit is Exit.NOTHING
        assert (await one.say(ask.DryRun(only=("XX",)))).exit is Exit.INVALID


async def test_halt_cancel_resume_cash_and_shutdown(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        order = (await one.say(BUY, key="b")).data["orders"][0]["order_id"]
        await one.quiet()
        assert (await one.say(CancelOrders(order), key="c")).data["asked_back"] == [order]
        await one.quiet()
        assert one.broker.cancelled[0].order_id == order
        assert (await one.say(ask.Orders())).data["orders"][0]["status"] == "cancelled"
        halted = await one.say(Halt("drill"), key="h")
        assert halted.data["halts"][0]["reason"] == "drill"
        assert one.halt_file.read().reason == "drill"
        assert (await one.say(BUY, key="b2")).exit is Exit.REFUSED
        await one.say(Resume("over", accept_risk="ann"), key="r")
        assert not one.halt_file.exists()
        cash = await one.say(MoveCash("deposit", D(5)), key="m")
        assert cash.data["cash"] == "100005"
        await one.quiet()
        assert (await one.say(ask.Reconcile(), key="r2")).data["differences"] == []
        await one.say(Shutdown(), key="s")
        assert one.stop.is_set()


async def test_events_can_be_followed(tmp_path):
    async with desk(tmp_path) as one:
        following = asyncio.create_task(one.say(ask.Events(since=one.engine.head.seq, wait=60.0)))
        await asyncio.sleep(0)
        await one.close(50, 100)
        reply = await following
        assert reply.data["events"][0]["type"] == "bars_closed"
        nothing = await one.say(ask.Events(since=one.engine.head.seq, wait=0.01))
        assert nothing.data["events"] == []


@pytest.mark.parametrize("period", [("5y", None), ("all", "yesterday")])
async def test_a_period_nobody_can_read_is_invalid(tmp_path, period):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        reply = await one.say(ask.Report(period=period[0], start=period[1]))
        assert reply.exit is Exit.INVALID


async def test_who_waits_is_answered_when_the_daemon_ends(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        waiting = asyncio.create_task(one.say(BUY, key="b", wait=60.0))
        await one.placed(1)
        following = asyncio.create_task(one.say(ask.Events(since=one.engine.head.seq, wait=60.0)))
        await asyncio.wait({waiting, following}, timeout=0.05)
        assert not waiting.done()
        assert not following.done()
        one.handlers.end()
        reply = await asyncio.wait_for(waiting, 5)
        assert (reply.exit, reply.error.code) == (Exit.PENDING, "STOPPING")
        assert (await asyncio.wait_for(following, 5)).data["events"] == []


@pytest.mark.parametrize("what", [ask.Orders(), ask.Reconcile()], ids=["question", "command"])
async def test_between_a_commit_in_doubt_and_the_end_everybody_is_told_to_ask_again(tmp_path, what):
    async with desk(tmp_path) as one:
        one.store._writer._doubt = CommitInDoubt("disk I/O error")
        reply = await one.say(what, key="k" if isinstance(what, ask.Reconcile) else None)
        one.store._writer._doubt = None
        assert (reply.exit, reply.error.code) == (Exit.PENDING, "STOPPING")
