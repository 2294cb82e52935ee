"""`tm plan` and a dry run with the daemon's own process, on a gateway that is asked beforehand."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D

import pytest

from control import protocol
from control.client import NoReply
from control.commands import explain
from control.render import Ink
from control.trades import page
from state.command import ExecutePlan, MakePlan, Rebalance
from tests.ib.desk import Desk, gateway


@pytest.fixture
def made():
    with gateway() as one:
        yield one


@pytest.fixture
def desk(tmp_path, made):
    with Desk(tmp_path / "desk", made.port) as one:
        yield one


def hasty(desk, limit):
    """Let a desk wait no longer than `limit` seconds for what is said beforehand."""
    text = desk.file.read_text()
    desk.file.write_text(text.replace("settle = 0.5", f"settle = 0.5\npreview_limit = {limit}"))
    return desk


@pytest.fixture
def beside():
    """Ask for a plan, for three seconds unless told, and go on meanwhile."""
    with ThreadPoolExecutor(1) as threads:
        yield lambda desk, seconds=3.0: threads.submit(desk.ask, MakePlan(), seconds, key="p")


def outcomes(made):
    return Counter(received.outcome for received in made.truth().received)


def test_a_plan_tells_what_each_order_would_cost_and_tie_up(desk, made):
    plan = desk.trading().ask(MakePlan(), key="p")

    assert plan.ok, plan
    told = {one["symbol"]: one for one in plan.data["previews"]}
    assert set(told) == {line["symbol"] for line in plan.data["lines"]} == {"KO", "PG"}
    for line in plan.data["lines"]:
        one = told[line["symbol"]]
        assert (one["unknown"], one["quantity"]) == ("", line["quantity"])
        assert D(one["commission_least"]) == max(D(1), D(line["quantity"]) * D("0.005"))
        assert abs(D(one["initial_margin"]) / D(line["notional"]) - D("0.5")) < D("0.01")
    assert "equity with loan" in page(plan, Ink())
    assert outcomes(made) == {"whatif": 2}

    again = desk.ask(MakePlan(), key="p")
    assert (again.replayed, again.data) == (True, plan.data)
    assert outcomes(made) == {"whatif": 2}

    done = desk.ask(ExecutePlan(plan.data["plan_id"]), key="e")
    assert done.ok, done
    desk.until(lambda: desk.agrees_with(made))
    assert outcomes(made) == {"whatif": 2, "new": 2}
    assert [o.client_id for o in made.truth().orders] == [17, 17]
    paid = {fill.order.inst.symbol: 0.0 for fill in made.truth().executions}
    for fill in made.truth().executions:
        paid[fill.order.inst.symbol] += fill.commission
    assert {s: float(one["commission_least"]) for s, one in told.items()} == pytest.approx(paid)
    chain = desk.ask(protocol.Explain(plan.data["plan_id"]))
    assert chain.data["plan"]["previews"] == plan.data["previews"]
    assert "what the broker said beforehand" in explain.page(chain, Ink())


def test_a_dry_run_tells_it_and_changes_nothing(desk, made):
    before = desk.trading().data()["journal"]
    dry = desk.ask(protocol.DryRun())
    assert [one["unknown"] for one in dry.data["previews"]] == ["", ""]
    assert outcomes(made) == {"whatif": 2}
    assert desk.data()["journal"] == before
    assert desk.orders() == []


def test_a_plan_is_made_when_nothing_is_said_and_a_later_try_says_the_same(desk, made):
    hasty(desk, 1.0).trading()
    for _ in range(2):
        made.whatif_next("hang")
    plan = desk.ask(MakePlan(), key="p")
    assert plan.ok
    assert [one["unknown"] for one in plan.data["previews"]] == [
        "not known, because the gateway did not answer within 1 s"
    ] * 2
    assert [one["commission_least"] for one in plan.data["previews"]] == [None, None]
    assert "KO: not known, because the gateway did not answer" in page(plan, Ink())
    assert desk.ask(MakePlan(), key="p").data == plan.data


def test_killed_while_the_gateway_is_asked_it_has_no_plan_and_no_order(desk, made, beside):
    hasty(desk, 30.0).trading()
    for _ in range(2):
        made.whatif_next("hang")
    asked = beside(desk)
    desk.until(lambda: outcomes(made) == {"whatif": 2})
    desk.kill()
    assert isinstance(asked.exception(60), NoReply)

    desk.trading()
    plan = desk.ask(MakePlan(), key="p")
    assert (plan.ok, plan.replayed) == (True, False)
    assert outcomes(made) == {"whatif": 4}
    assert made.truth().orders == []


def test_orders_go_while_the_gateway_is_asked(desk, made, beside):
    hasty(desk, 30.0).trading()
    for _ in range(2):
        made.whatif_next("hang")
    asked = beside(desk)
    desk.until(lambda: outcomes(made) == {"whatif": 2})
    assert desk.ask(Rebalance(), key="k").ok
    desk.until(lambda: desk.agrees_with(made))
    assert outcomes(made) == {"whatif": 2, "new": 2}
    desk.kill()
    assert isinstance(asked.exception(60), NoReply)


def test_a_daemon_that_stops_waits_for_no_answer_of_the_gateway(desk, made, beside):
    hasty(desk, 30.0).trading()
    for _ in range(2):
        made.whatif_next("hang")
    asked = beside(desk, 60.0)
    desk.until(lambda: outcomes(made) == {"whatif": 2})
    assert desk.stop(deadline=15.0) == 0
    plan = asked.result(60)
    assert plan.ok, plan
    assert {one["unknown"] for one in plan.data["previews"]} == {
        "not known, because the daemon is stopping"
    }
