"""What kills a task, its container, its scheduler or its daemon never doubles an order."""

import json

import pytest

from tests.airflow.seen import each_once, in_flight, last_line, orders
from tests.airflow.waiting import DAG, WAITING
from tests.engine import until

FASTER = ("--env", "TM_REPLAY__PACE=0.5")  # orders fill at the next close, two seconds away
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(600)]


def container_of(docker, task):
    """The container in which a task's command runs."""
    shown = docker("ps", "--no-trunc", "--format", "{{.ID}} {{.Command}}").stdout.splitlines()
    found = [line.split()[0] for line in shown if f" tm {task}" in line]
    return found[0] if found else None


def completed_once(hub, daemon, run, sent):
    """The run ends green, its command is the first one, and each order is held once."""
    assert hub.finished(WAITING, run, 180) == "success"
    said = json.loads(hub.xcom(WAITING, run, "execute"))
    assert (said["ok"], said["replayed"], said["status"]) == (True, True, "completed")
    filled = orders(daemon)
    assert [one["order_id"] for one in filled] == [one["order_id"] for one in sent]
    assert {one["status"] for one in filled} == {"filled"}
    assert each_once(filled)


def test_the_tasks_container_is_killed(hub, trading, unpaused, docker):
    run = hub.trigger(WAITING)
    sent = in_flight(hub, trading, run)

    docker("kill", until(lambda: container_of(docker, "execute"), "the task's container runs"))
    until(lambda: hub.tasks(WAITING, run)["execute"]["try_number"] == 2, "the task is retried")
    trading.replace(*FASTER)

    completed_once(hub, trading, run, sent)


def test_the_task_is_marked_failed_while_it_runs_and_then_cleared(hub, trading, unpaused, docker):
    run = hub.trigger(WAITING)
    sent = in_flight(hub, trading, run)

    hub.mark(WAITING, run, "execute", "failed")
    assert hub.finished(WAITING, run) == "failed"
    assert container_of(docker, "execute"), "Airflow 3.0 lets the container run"
    trading.replace(*FASTER)
    hub.clear(WAITING, run, "execute", "report")

    completed_once(hub, trading, run, sent)


def test_the_scheduler_is_killed_with_its_workers(hub, trading, unpaused):
    run = hub.trigger(WAITING)
    sent = in_flight(hub, trading, run)
    began = hub.tasks(WAITING, run)["execute"]["start_date"]

    hub.kill("scheduler")
    hub.process("scheduler")
    until(
        lambda: hub.tasks(WAITING, run)["execute"]["start_date"] not in (began, None),
        "the task is started again",
        150,
    )
    trading.replace(*FASTER)

    completed_once(hub, trading, run, sent)


def test_the_daemon_is_down(hub, trading, unpaused):
    """Retried, then failed, with what to do about it in the log."""
    trading.kill()
    run = hub.trigger(WAITING)

    assert hub.finished(WAITING, run, 420) == "failed"

    audit = hub.tasks(WAITING, run)["audit"]
    assert (audit["state"], audit["try_number"]) == ("failed", 3)
    last = last_line(hub.log(WAITING, run, "audit", attempt=3))
    assert "UNREACHABLE (exit 3)" in last
    assert "docker start" in last


def test_there_is_no_session_left_to_trade_in(hub, trading, unpaused):
    """Skipped, as with a market that is closed; the report is made all the same."""
    trading.replace("--env", "TM_REPLAY__END=2019-01-03", "--env", "TM_REPLAY__PACE=20")
    until(lambda: trading.ask("status")["data"]["feed"]["ended"], "the feed ends")
    run = hub.trigger(WAITING)

    assert hub.finished(WAITING, run) == "success"

    states = hub.states(WAITING, run)
    assert (states["execute"], states["report"]) == ("skipped", "success")
    assert any("FEED_ENDED" in line for line in hub.log(WAITING, run, "execute"))
    assert trading.ask("orders")["data"]["orders"] == []


def test_a_breach_halts_trading(hub, trading, unpaused):
    """The intraday audit, on a book that breaks a limit after it was tightened."""
    run = hub.trigger(DAG)
    assert hub.finished(DAG, run) == "success"
    trading.replace(*FASTER)
    until(lambda: trading.ask("fills")["data"]["fills"], "the orders are filled")
    trading.replace("--env", "TM_RISK__MAX_POSITION_WEIGHT=0.01", "--env", "TM_REPLAY__PACE=0.0001")

    hub.unpause("trade_manager_risk_audit")
    until(lambda: hub.runs("trade_manager_risk_audit"), "unpausing starts a run")
    (first,) = hub.runs("trade_manager_risk_audit")

    assert hub.finished("trade_manager_risk_audit", first) == "failed"
    assert hub.tasks("trade_manager_risk_audit", first)["audit"]["try_number"] == 1
    last = last_line(hub.log("trade_manager_risk_audit", first, "audit"))
    assert "the verdict is breach" in last
    assert "trading is halted" in last
    assert "audit: the verdict is breach" in trading.ask("status")["data"]["halted"]["reason"]


@pytest.mark.parametrize("word", ["approve", "reject"])
def test_a_plan_waits_for_a_persons_word(hub, trading, unpaused, word):
    dag = "trade_manager_rebalance_approved"
    run = hub.trigger_after_stale(dag)
    until(lambda: hub.states(dag, run).get("execute") == "up_for_retry", "it asks", 120)
    plan = json.loads(hub.xcom(dag, run, "plan"))["data"]["plan_id"]
    assert trading.ask("orders")["data"]["orders"] == []

    trading.tm(word, plan)

    if word == "approve":
        assert hub.finished(dag, run, 180) == "success"
        assert each_once(orders(trading))
    else:
        assert hub.finished(dag, run, 180) == "failed"
        assert trading.ask("orders")["data"]["orders"] == []
        assert "exit 6" in last_line(hub.log(dag, run, "execute", attempt=2))


@pytest.mark.parametrize("kind", ["daily", "monthly"])
def test_a_report_is_written_whole_to_its_volume(hub, trading, unpaused, docker, kind):
    dag = f"trade_manager_{kind}_report"
    hub.unpause(dag)
    run = hub.trigger(dag)

    assert hub.finished(dag, run) == "success"

    listed = docker("exec", trading.container, "sh", "-c", f"cat /var/lib/trade-manager/{kind}-*")
    written = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {"total_return", "sharpe", "max_drawdown"} <= set(written[-1]["data"]["metrics"])
    assert len(hub.xcom(dag, run, "report").encode()) <= 4096


def test_books_are_reconciled_at_the_open(hub, trading, unpaused):
    hub.unpause("trade_manager_reconcile")
    run = hub.trigger("trade_manager_reconcile")

    assert hub.finished("trade_manager_reconcile", run) == "success"
    assert json.loads(hub.xcom("trade_manager_reconcile", run, "reconcile"))["ok"]
