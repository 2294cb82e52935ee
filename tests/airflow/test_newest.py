"""The newest Airflow 3: the same rebalance, and what it does otherwise than the hub's own."""

import json

import pytest

from tests.airflow.conftest import running_hub
from tests.airflow.seen import each_once, in_flight, orders
from tests.airflow.waiting import DAG, WAITING
from tests.engine import until

NEWEST = "3.3.2"
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def hub(docker, image, tmp_path_factory):
    with running_hub(NEWEST, tmp_path_factory.mktemp("newest"), docker, image) as running:
        yield running


def test_a_rebalance_runs_green_and_clearing_it_replays(hub, trading, unpaused):
    for stale in until(lambda: hub.runs(DAG), "unpausing starts a run"):
        hub.finished(DAG, stale)
    run = hub.trigger(DAG)

    assert hub.finished(DAG, run) == "success"

    assert set(hub.states(DAG, run).values()) == {"success"}
    first = json.loads(hub.xcom(DAG, run, "execute"))
    sent = orders(trading)
    assert each_once(sent)
    hub.clear(DAG, run, "execute")
    until(lambda: hub.tasks(DAG, run)["execute"]["try_number"] == 2, "the task runs again")
    assert hub.finished(DAG, run) == "success"
    second = json.loads(hub.xcom(DAG, run, "execute"))
    assert (second["replayed"], second["command_id"]) == (True, first["command_id"])
    assert orders(trading) == sent


def test_marked_failed_the_client_leaves_word_and_the_command_goes_on(hub, trading, unpaused):
    """Here the container is sent SIGTERM, which Airflow 3.0 does not do."""
    run = hub.trigger(WAITING)
    sent = in_flight(hub, trading, run)

    hub.mark(WAITING, run, "execute", "failed")
    assert hub.finished(WAITING, run) == "failed"

    said = until(
        lambda: [line for line in hub.log(WAITING, run, "execute") if "re-attaches" in line],
        "the client says how to re-attach",
    )
    assert "OUTCOME_PENDING" in said[0]
    assert orders(trading) == sent
