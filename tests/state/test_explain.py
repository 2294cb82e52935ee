"""The chain behind an order, from what was believed to what was filled."""

from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from control.protocol import Exit, Explain
from state.command import ExecutePlan, Halt, MakePlan, Rebalance, Resume, SubmitOrder
from state.event import (
    BarsClosed,
    BarsMissed,
    Difference,
    OrderCancelled,
    OrderDenied,
    OrderLost,
    OrderRejected,
    OrderStopped,
    PlanRejected,
    Reconciled,
)
from state.explain import wanted
from state.history import recorded
from state.reasons import reason
from state.record import Recorded
from state.risk import GUARDS
from tests.desk import desk
from tests.given import CLOSE, MONDAY, bars
from tests.state.test_belief_answers import CALM, WILD, belief


async def test_a_filled_order_is_explained_from_its_target_to_its_execution(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        planned = (await one.say(MakePlan(), key="p")).data["plan_id"]
        await one.say(ExecutePlan(planned), key="e")
        await one.close(51, 100)
        orders = (await one.say(Explain("e"))).data["orders"]
        order_id = next(o["order_id"] for o in orders if o["symbol"] == "KO")
        told = (await one.say(Explain(order_id))).data

    assert (told["subject"], told["command"]["op"], told["command"]["key"]) == (
        "order",
        "execute",
        "e",
    )
    assert [(w["symbol"], w["target"]) for w in told["wanted"]] == [("KO", 0.5)]
    assert [g["passed"] for g in told["gate"]] == [True]
    assert [s["what"] for s in told["steps"]] == [
        "order_submitted",
        "order_claimed",
        "order_accepted",
        "order_filled",
    ]
    assert told["fills"][0]["price"] == "51"
    assert told["orders"][0]["status"] == "filled"


async def test_a_plan_is_explained_with_or_without_its_orders(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        planned = (await one.say(MakePlan(), key="p")).data["plan_id"]
        before = (await one.say(Explain(planned))).data
        await one.say(ExecutePlan(planned), key="e")
        after = (await one.say(Explain(planned))).data

    assert (before["subject"], before["plan"]["plan_id"]) == ("plan", planned)
    assert {w["symbol"]: w["target"] for w in before["wanted"]} == {"KO": 0.5, "PG": 0.25}
    assert not before["orders"]
    assert {o["symbol"] for o in after["orders"]} == {"KO", "PG"}


async def test_what_the_gate_denied_is_explained_with_the_value_and_the_limit(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        refused = await one.say(SubmitOrder("buy", "KO", D(1900)), key="big")
        told = (await one.say(Explain("big"))).data

    assert refused.exit is Exit.REFUSED
    (denied,) = told["gate"]
    assert not denied["passed"]
    assert denied["code"] == refused.error.code
    assert denied["limit"]


async def test_an_unknown_id_is_not_found(tmp_path):
    async with desk(tmp_path) as one:
        reply = await one.say(Explain("nothing"))

    assert (reply.exit, reply.error.code) == (Exit.NOT_FOUND, "NOT_FOUND")


@pytest.mark.parametrize("believed", [True, False])
def test_a_target_is_told_with_the_belief_behind_it(believed):
    close = replace(
        bars(50, 100, targets={"KO": 0.3}),
        belief=belief({"KO": CALM, "PG": WILD}) if believed else None,
    )
    assert isinstance(close, BarsClosed)
    (ko, pg) = wanted(close, ["KO", "PG"])

    assert (ko.close, ko.target, pg.target) == (CLOSE, 0.3, None)
    assert (ko.belief is not None) == believed
    if believed:
        assert (ko.belief.regime, pg.belief.regime) == ("calm", "stressed")
        assert ko.belief.free_energy


async def test_a_denied_order_is_explained_by_its_own_id_and_the_guards_that_passed(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(1900)), key="big")
        (denied,) = one.events(OrderDenied)
        told = (await one.say(Explain(denied.order_id))).data

    (gate,), (why,) = told["gate"], told["why"]
    assert (told["subject"], told["command"]["key"], told["orders"]) == ("order", "big", ())
    guards = [code.value for code, _ in GUARDS]
    assert list(gate["asked"]) == guards[: guards.index(gate["code"])]
    assert (why["code"], why["value"], why["limit"]) == (
        denied.denial.code,
        denied.denial.value,
        denied.denial.limit,
    )
    assert why["hint"]


async def test_a_refused_command_is_explained_by_its_key(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(Halt("looking"), key="h")
        refused = await one.say(Rebalance(), key="r")
        told = (await one.say(Explain("r"))).data

    assert told["subject"] == "command"
    assert refused.error.code in [why["code"] for why in told["why"]]


async def test_a_skipped_command_is_explained_by_why_there_was_nothing_to_do(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(Rebalance(), key="first")
        await one.close(50, 100)
        skipped = await one.say(Rebalance(), key="again")
        told = (await one.say(Explain("again"))).data

    assert skipped.exit is Exit.NOTHING
    assert [why["code"] for why in told["why"]] == ["AT_TARGET"]


async def test_a_halt_is_explained_by_its_reason_the_account_and_what_it_held_up(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(Halt("looking"), key="h")
        await one.say(SubmitOrder("buy", "KO", D(1)), key="o")
        await one.say(Resume("it was nothing", "ann"), key="over")
        await one.say(SubmitOrder("buy", "KO", D(1900)), key="later")
        told = (await one.say(Explain("halt"))).data
        same = (await one.say(Explain(told["id"]))).data

    assert same == told
    assert (told["subject"], D(told["close"]["equity"])) == ("halt", 100_000)
    assert [why["code"] for why in told["why"]] == ["HALTED", "TRADING_HALTED", "RESUMED"]
    assert "looking" in told["why"][0]["message"]
    assert told["why"][0]["hint"].startswith("when the cause is gone: tm resume")


async def test_a_day_is_explained_by_its_trades_or_by_why_it_had_none(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)  # Monday 3 March
        await one.close(50, 100)  # nobody asked
        await one.say(Rebalance(), key="r")
        await one.close(51, 100)  # traded
        await one.say(Halt("looking"), key="h")
        await one.close(51, 100)  # halted in the day
        await one.close(51, 100)  # halted since before
        told = {
            day: (await one.say(Explain(f"2025-03-{day:02}"))).data for day in (3, 4, 5, 6, 7, 8)
        }
        long_ago = await one.say(Explain("2020-03-16"))

    codes = {day: [why["code"] for why in one["why"]] for day, one in told.items()}
    assert codes == {
        3: ["FIRST_CLOSE", "NOBODY_ASKED"],
        4: ["NOBODY_ASKED", "NOT_BY_THE_CLOCK"],
        5: [],
        6: ["HALTED", "NOBODY_ASKED", "NOT_BY_THE_CLOCK"],
        7: ["HALTED", "NOBODY_ASKED", "NOT_BY_THE_CLOCK"],
        8: ["HALTED", "NO_CLOSE", "NOBODY_ASKED", "NO_MARKET_DAY", "NOT_BY_THE_CLOCK"],
    }
    assert {fill["symbol"] for fill in told[5]["fills"]} == {"KO", "PG"}
    assert told[5]["close"]["session"] == "2025-03-05"
    assert {w["symbol"]: w["target"] for w in told[5]["wanted"]} == {"KO": 0.5, "PG": 0.25}
    assert told[8]["close"] is None
    assert long_ago.exit is Exit.NOT_FOUND


async def test_a_day_without_targets_says_how_the_strategy_failed(tmp_path):
    def broken(closes, held):
        raise ZeroDivisionError("no room")

    async with desk(tmp_path, propose=broken) as one:
        await one.close(50, 100)
        await one.close(50, 100)
        told = (await one.say(Explain("2025-03-04"))).data["why"]

    assert [why["code"] for why in told] == ["TARGETS_STALE", "NOBODY_ASKED", "NOT_BY_THE_CLOCK"]
    assert "2025-03-03" in told[0]["message"]
    assert "no room" in told[0]["message"]


async def test_a_record_is_explained_by_its_number(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(10)), key="o")
        await one.close(51, 100)
        by = {r.event.__class__.__name__: r.seq for r in await one.store.read(recorded)}
        told = {
            kind: (await one.say(Explain(str(by[kind])))).data["subject"]
            for kind in ("OrderFilled", "CommandReceived", "BarsClosed")
        }

    assert told == {"OrderFilled": "order", "CommandReceived": "command", "BarsClosed": "day"}


MANY = [
    (BarsMissed(MONDAY, ("KO", "PG"), CLOSE), "BARS_MISSED", "KO, PG"),
    (
        Reconciled((Difference("cash", D(1), D(2)),), CLOSE),
        "BOOKS_DIFFER",
        "cash: ours 1, broker 2",
    ),
    (PlanRejected("P", "ann", CLOSE), "PLAN_REJECTED", "ann"),
    (OrderStopped("O", "expired", "too late", CLOSE), "EXPIRED", "too late"),
    (OrderRejected("O", D(0), "no margin", CLOSE), "REJECTED", "no margin"),
    (OrderLost("O", "no answer", CLOSE), "LOST", "no answer"),
    (OrderCancelled("O", D(0), "day order", CLOSE), "CANCELLED", "day order"),
]


@pytest.mark.parametrize(("event", "code", "text"), MANY, ids=[code for _, code, _ in MANY])
def test_each_thing_that_holds_trading_up_is_told_with_its_words(event, code, text):
    told = reason(Recorded(7, CLOSE, event, b""))
    assert (told.seq, told.code) == (7, code)
    assert text in told.message


def test_books_that_agree_hold_nothing_up():
    assert reason(Recorded(7, CLOSE, Reconciled((), CLOSE), b"")) is None
