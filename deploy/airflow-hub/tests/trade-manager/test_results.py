"""What the tasks make of what `tm` said, and of the time a run was meant for."""

import json
from datetime import UTC, datetime

import pytest
from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.operators.docker import DockerOperator

from trade_manager.tm_alert import failed
from trade_manager.tm_operator import AirflowFailException, over_network, tm
from trade_manager.tm_result import NoResult, exit_code, reason, result
from trade_manager.tm_slot import slot

PLAN = {"schema": "trade-manager/1", "command": "plan", "ok": True, "data": {"plan_id": "3k7q2m"}}
HALTED = {
    "schema": "trade-manager/1",
    "command": "execute",
    "ok": False,
    "status": "refused",
    "error": {
        "code": "TRADING_HALTED",
        "message": "trading is halted: drill",
        "hint": "`tm resume`",
    },
}
LINE = json.dumps(PLAN)


@pytest.mark.parametrize(
    "output",
    [
        LINE,
        LINE + "\n",
        "a line before\n" + LINE + "\n\n",
        LINE.encode(),
        ["key: plan-1", LINE],
        ["key: plan-1\n" + LINE + "\n", ""],
    ],
    ids=["line", "newline", "chunk of several lines", "bytes", "log lines", "log chunks"],
)
def test_the_result_is_the_last_line_that_is_one(output):
    assert result(output)["data"]["plan_id"] == "3k7q2m"


@pytest.mark.parametrize("output", [None, "", "Killed", '{"schema": "other/1"}', "[1]", "7"])
def test_what_is_no_result_is_said_to_be_none(output):
    with pytest.raises(NoResult):
        result(output)


def test_a_failure_is_told_with_its_reason_and_remedy():
    assert reason([json.dumps(HALTED)], 6) == (
        "execute: TRADING_HALTED (exit 6): trading is halted: drill; `tm resume`"
    )
    assert "no result" in reason(["Killed"], 137)


def test_the_exit_code_is_read_from_what_docker_operator_says():
    assert exit_code("Docker container failed: {'Error': None, 'StatusCode': 12}") == 12
    assert exit_code("something else") is None


def ended(monkeypatch, code, output):
    """Run a task whose container ended so, and return what it raised."""

    def execute(self, context):
        message = f"Docker container failed: {{'Error': None, 'StatusCode': {code}}}"
        raise DockerContainerFailedException(message, logs=output)

    monkeypatch.setattr(DockerOperator, "execute", execute)
    context = {}
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is what is asked
        tm("execute", "execute", "P1", control_conn_id="").execute(context)
    assert context.get("exception") is raised.value, f"the callback says why: {raised.value!r}"
    return raised.value


@pytest.mark.parametrize("code", [2, 4, 6, 7, 8, 9, 11, 12, 127])
def test_what_a_retry_cannot_help_is_not_retried(monkeypatch, code):
    raised = ended(monkeypatch, code, [json.dumps(HALTED)])

    assert isinstance(raised, AirflowFailException)
    assert "trading is halted: drill" in str(raised)


@pytest.mark.parametrize("code", [1, 3, 5, 10, 137, 143])
def test_what_may_pass_is_left_to_the_retries(monkeypatch, code):
    raised = ended(monkeypatch, code, [json.dumps(HALTED)])

    assert not isinstance(raised, AirflowFailException)
    assert raised.logs == [json.dumps(HALTED)]


def test_a_failure_is_logged_in_one_line(caplog):
    class Task:
        dag_id, task_id, run_id = "a_dag", "execute", "manual__1"

    failed({"ti": Task(), "exception": RuntimeError("trading is halted; `tm resume`")})

    assert caplog.messages == [
        "trade-manager: a_dag.execute failed in manual__1: trading is halted; `tm resume`"
    ]


SLOT = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)
OTHER = datetime(2026, 11, 19, 20, 30, tzinfo=UTC)


class Run3:
    """A run of Airflow 3: triggered without a logical date, or by a schedule."""

    run_type, logical_date, data_interval_end, run_after = "manual", None, None, SLOT


class Scheduled2:
    """A run of Airflow 2: the logical date is the slot before."""

    run_type, logical_date, data_interval_end = "scheduled", OTHER, SLOT


class Manual2:
    """A run of Airflow 2 by hand: its interval is one that ended before."""

    run_type, logical_date, data_interval_end = "manual", SLOT, OTHER


@pytest.mark.parametrize("run", [Run3, Scheduled2, Manual2], ids=lambda run: run.__name__)
def test_a_slot_is_when_the_run_was_meant_to_begin(run):
    assert slot(run) == "2026-11-20T20:30:00+00:00"


def test_a_task_over_the_network_gets_its_token_where_nothing_renders_or_logs_it():
    class Control:
        host, port, password = "tmd", None, "a token that nobody may see"

        @property
        def extra_dejson(self):
            return {"tls_ca": "-----BEGIN", "network": "inside"}

    task = tm("status", "status")
    over_network(task, Control())

    assert task.environment["TM_SOCKET"] == "tcp://tmd:7464"
    assert task.environment["TM_TLS_CA"] == "-----BEGIN"
    assert task._private_environment == {"TM_TOKEN": Control.password}
    assert task.network_mode == "inside"
    assert task.mounts == []
    rendered = [getattr(task, name, None) for name in task.template_fields]
    assert Control.password not in repr(rendered)
