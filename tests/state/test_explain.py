"""The chain behind an order, from what was believed to what was filled."""

from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from control.protocol import Exit, Explain
from state.command import ExecutePlan, MakePlan, SubmitOrder
from state.event import BarsClosed
from state.explain import wanted
from tests.desk import desk
from tests.given import CLOSE, bars
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
