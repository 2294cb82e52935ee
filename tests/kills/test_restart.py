"""A restart goes on exactly where the last run was, whether that one was stopped or killed."""

import asyncio
import os
import signal
from contextlib import ExitStack, suppress
from decimal import Decimal as D
from functools import cache
from random import Random

import pytest
from msgspec.structs import replace

from control.protocol import Asked, Events, Exit, Orders, encode
from state.chain import load
from state.command import ExecutePlan, Halt, MakePlan, MoveCash, Rebalance, Resume, SubmitOrder
from state.journal import reader
from tests.daemon.wire import Wire
from tests.kills.books import faults
from tests.kills.lives import Forked
from tests.tmd import Tmd

YEAR = """\
[trading]
mode = "autonomous"
rebalance = "{period}"
[replay]
start = 2019-01-02
end = 2019-12-31
pace = {pace}
at_end = "stop"
[risk]
max_day_turnover = 1.0
max_day_loss = 0.2
max_drawdown = 0.5
"""
STILL = """\
[replay]
start = 2019-01-02
pace = 0.001
[risk]
max_day_orders = 4
max_order_notional = "1000000"
"""
FALLING = """\
[trading]
mode = "autonomous"
[replay]
start = 2019-11-01
end = 2020-03-31
pace = 0
[risk]
max_day_turnover = 1.0
max_day_loss = 0.5
max_drawdown = 0.1
"""
OF_THE_RUN = {"seq", "at", "start", "recent", "next_oid", "executions", "cash_moves", "plans"}


def left(tmd):
    """What the next run goes on with, but for what counts events, sends and executions."""
    db = reader(tmd.state / "journal.db")
    try:
        now, _ = load(db)
    finally:
        db.close()
    return {name: getattr(now, name) for name in now.__struct_fields__ if name not in OF_THE_RUN}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a year in one go leaves, by how often it rebalances."""

    @cache
    def run(period):
        with Tmd(tmp_path_factory.mktemp("year") / "d", YEAR.format(period=period, pace=0)) as tmd:
            assert tmd.start().ended() == 0, tmd.said()
        assert faults(tmd) == []
        found = left(tmd)
        assert found["bars"] == 252
        assert len(found["ledger"].positions) == 20
        return found

    return run


@pytest.mark.nightly  # by day it is killed, which is worse
@pytest.mark.parametrize("period", ["1w", "1d"])
def test_a_year_with_stops_ends_as_one_without(tmp_path, undisturbed, period):
    with Tmd(tmp_path / "d", YEAR.format(period=period, pace=200)) as tmd:
        for stop in range(1, 6):
            tmd.start()
            tmd.until(lambda stop=stop: tmd.data()["journal"]["seq"] > 90 * stop)
            assert tmd.stop() == 0, tmd.said()
        assert left(tmd)["bars"] < 252
        assert tmd.start().ended() == 0, tmd.said()
        assert faults(tmd) == []
        assert left(tmd) == undisturbed(period)


@pytest.mark.parametrize("period", ["1w", pytest.param("1d", marks=pytest.mark.nightly)])
async def test_a_year_with_kills_ends_as_one_without(tmp_path, undisturbed, period):
    """What a kill keeps from being sent is decided anew, so that nothing is missing in the end."""
    tmd, chance, kills = Tmd(tmp_path / "d", YEAR.format(period=period, pace=100)), Random(7), 0
    async with Forked(tmd) as lives:
        while True:
            await lives.begin()
            life = asyncio.create_task(lives.ended())
            await asyncio.wait([life], timeout=chance.uniform(0.1, 0.6))
            if not life.done():
                with suppress(ProcessLookupError):  # it ended by itself just now
                    os.kill(lives.pid, signal.SIGKILL)
            if (code := await life) == 0:
                break
            assert code == -signal.SIGKILL, tmd.said()
            kills += 1
    assert kills >= 5
    assert faults(tmd) == []
    assert left(tmd) == undisturbed(period)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_halts_budgets_open_orders_and_plans_survive(tmp_path, how):
    with Tmd(tmp_path / "d", STILL) as tmd:
        tmd.start().ready()
        for n, (symbol, size) in enumerate([("KO", 10), ("PG", 20), ("WMT", 30)]):
            assert tmd.ask(SubmitOrder("buy", symbol, D(size)), key=f"o{n}").ok
        assert tmd.ask(MoveCash("deposit", D("12.34")), key="m").ok
        assert tmd.ask(Halt("drill", scope="symbol:PG"), key="h").ok
        tmd.until(lambda: len(tmd.data(Orders(open_only=True))["orders"]) == 2)
        plan = tmd.ask(MakePlan(only=("AAPL",)), key="p").data["plan_id"]
        status, orders, books = tmd.data(), tmd.data(Orders()), tmd.books()

        tmd.process.send_signal(how)
        assert tmd.ended() in {0, -how}, tmd.said()
        tmd.start().ready()

        again = tmd.data()
        assert (tmd.data(Orders()), tmd.books()) == (orders, books)
        for name in ("halts", "day", "limits", "open_orders", "clock", "cash", "equity"):
            assert again[name] == status[name], name
        halted = tmd.ask(SubmitOrder("buy", "PG", D(1)), key="a")
        assert halted.error.code == "TRADING_HALTED"
        assert tmd.ask(ExecutePlan(plan), key="e").ok  # the fourth order of the day
        over = tmd.ask(SubmitOrder("buy", "XOM", D(1)), key="b")
        assert over.error.code == "DAY_ORDERS", over
        tmd.stop()
        assert faults(tmd) == []


def test_a_drawdown_halt_stays_until_somebody_answers_for_it(tmp_path):
    with Tmd(tmp_path / "d", FALLING) as tmd:
        for life in range(3):
            tmd.start().ready()
            halted = tmd.until(lambda: tmd.data()["halted"])
            assert halted["code"] == "DRAWDOWN"
            assert (tmd.state / "halt").exists()
            assert tmd.ask(Rebalance(), key=f"r{life}").error.code == "TRADING_HALTED"
            tmd.kill()
        tmd.start().ready()
        assert tmd.ask(Resume("looked at it", "ann"), key="resume").ok
        tmd.kill()
        tmd.start().ready()
        assert tmd.data()["halted"] is None
        assert tmd.stop() == 0


def test_what_is_in_flight_is_answered_before_a_stop(tmp_path):
    with Tmd(tmp_path / "d", STILL) as tmd:
        tmd.start().ready()
        with ExitStack() as wires:
            waiting, following, *moving = (wires.enter_context(Wire(tmd.socket)) for _ in range(34))
            order = SubmitOrder("buy", "KO", D(10))
            waiting.say(encode(Asked(order, key="o", wait=60.0)))
            following.say(encode(Asked(Events(since=10_000, wait=60.0))))
            tmd.until(lambda: tmd.data(Orders(open_only=True))["orders"])
            for n, wire in enumerate(moving):
                wire.say(encode(Asked(MoveCash("deposit", D(1)), key=f"m{n}")))
            booked = [moving[0].reply()]  # by now the others are under way
            tmd.process.send_signal(signal.SIGTERM)

            assert following.reply().data["events"] == []
            pending = waiting.reply()
            assert (pending.exit, pending.error.code) == (Exit.PENDING, "STOPPING")
            for wire in moving[1:]:
                with suppress(EOFError):  # hung up on before it was read: the key is unused
                    booked.append(wire.reply())
            assert tmd.ended(5.0) == 0, tmd.said()
        assert all(reply.ok for reply in booked)
        assert faults(tmd) == []
        tmd.start().ready()
        assert tmd.ask(order, key="o").command_id == pending.command_id
        for reply in booked:
            assert replace(tmd.ask(MoveCash("deposit", D(1)), key=reply.key), replayed=False) == (
                reply
            )
        assert D(tmd.books()["cash"]) >= 1_000_000 + len(booked)
        assert tmd.stop() == 0
