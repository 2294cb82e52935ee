"""A real scheduler, a real engine, the built image: what the hub's owners will see."""

import json

import pytest

from state.connection import connection
from tests.airflow.conftest import CANARIES, KEPT, LOGIN, reached
from tests.airflow.publishing import FILE, USER, guarded, publishing
from tests.airflow.seen import each_once, in_flight, last_line, orders
from tests.airflow.waiting import DAG, WAITING
from tests.engine import inside, until

TASKS = ["audit", "plan", "execute", "report"]
pytestmark = pytest.mark.timeout(420)


def test_the_run_that_unpausing_starts_trades_nothing(hub, trading, unpaused):
    """Airflow starts the last missed slot at once, catchup or not."""
    (run,) = until(lambda: hub.runs(DAG), "unpausing starts a run")

    assert hub.finished(DAG, run) == "success"

    states = hub.states(DAG, run)
    assert (states["plan"], states["execute"]) == ("skipped", "skipped")
    assert any("TOO_LATE" in line for line in hub.log(DAG, run, "plan"))
    assert trading.ask("orders")["data"]["orders"] == []


def test_a_rebalance_runs_green_and_clearing_it_replays(hub, trading, unpaused):
    run = hub.trigger(DAG)

    assert hub.finished(DAG, run) == "success"

    assert hub.states(DAG, run) == dict.fromkeys(TASKS, "success")
    first = json.loads(hub.xcom(DAG, run, "execute"))
    assert first["key"] == f"{DAG}|{run}|execute|-1|execute"
    assert (first["ok"], first["replayed"]) == (True, False)
    sent = orders(trading)
    assert each_once(sent)

    hub.clear(DAG, run, "execute")
    until(lambda: hub.tasks(DAG, run)["execute"]["try_number"] == 2, "the task runs again")
    assert hub.finished(DAG, run) == "success"

    second = json.loads(hub.xcom(DAG, run, "execute"))
    assert second["replayed"] is True
    assert second["command_id"] == first["command_id"]
    assert orders(trading) == sent


def test_a_daemon_killed_in_the_middle_comes_back_and_nothing_is_doubled(hub, trading, unpaused):
    run = hub.trigger(WAITING)
    sent = in_flight(hub, trading, run)

    trading.kill()
    trading.replace("--env", "TM_REPLAY__PACE=0.5")

    assert hub.finished(WAITING, run) == "success"
    said = json.loads(hub.xcom(WAITING, run, "execute"))
    assert (said["ok"], said["replayed"], said["status"]) == (True, True, "completed")
    filled = orders(trading)
    assert [one["order_id"] for one in filled] == [one["order_id"] for one in sent]
    assert {one["status"] for one in filled} == {"filled"}
    assert each_once(filled)


def test_a_halt_fails_at_once_with_its_reason_last(hub, trading, unpaused):
    trading.tm("halt", "--reason", "drill")
    run = hub.trigger(WAITING)

    assert hub.finished(WAITING, run) == "failed"

    failed = next(t for t in hub.tasks(WAITING, run).values() if t["state"] == "failed")
    assert failed["try_number"] == 1, "no retry where a retry can't help"
    last = last_line(hub.log(WAITING, run, failed["task_id"]))
    assert "TRADING_HALTED (exit 6)" in last
    assert "drill" in last
    assert trading.ask("orders")["data"]["orders"] == []


def contents(folder):
    """What each file holds; Airflow's database last, since its log is emptied into it meanwhile."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    kept = {}
    for file in sorted(files, key=lambda file: file.name == "airflow.db"):
        try:
            kept[file] = file.read_bytes()
        except FileNotFoundError:
            assert file.name.startswith("airflow.db-"), file
    return kept


@pytest.fixture
def password_file(tmp_path):
    file = tmp_path / "mqtt_password"
    file.write_text(CANARIES["mqtt"] + "\n")
    file.chmod(0o644)  # the container's user reads it; nobody else gets into the folder
    return file


def test_no_secret_is_anywhere(hub, docker, image, tmp_path, password_file):
    """In no log, no result, no rendered field, not in Airflow's database, not in the daemon's.

    The password is used: it lets the daemon in, and is refused once it is another one. The login is
    one that the daemon holds and can be read as one; on paper nobody logs in with it.
    """
    assert connection(LOGIN).password == CANARIES["login"]
    with inside(docker) as (network, gateway):
        broker, port = guarded(tmp_path / "broker", gateway, CANARIES["mqtt"])
        daemon = publishing(docker, image, network, gateway, port, password_file, *KEPT)
        with broker, reached(hub, daemon):
            until(lambda: "mqtt_connected" in daemon.log(), "the password lets the daemon in")
            assert f"u'{USER}'" in (broker.folder / "mosquitto.log").read_text()
            hub.unpause(DAG)
            run = hub.trigger(DAG)
            assert hub.finished(DAG, run) == "success"
            assert each_once(orders(daemon))

            told = daemon.log()
            password_file.write_text(CANARIES["mqtt"] + "-and-more\n")
            daemon.replace()
            until(lambda: "uthori" in daemon.log(), "another password is refused, and that is told")
            shown = daemon.tm("config", "show", "--json").stdout
            told += shown + daemon.log()
            docker("cp", f"{daemon.container}:/var/lib/trade-manager/journal.db", hub.home)
    values = json.loads(shown)["data"]
    assert values["broker.conn"]["value"] == "***", "the daemon holds the login"
    assert values["mqtt.password_file"]["value"] == FILE
    kept = contents(hub.home)
    assert {"airflow.db", "journal.db", "attempt=1.log"} <= {file.name for file in kept}
    for canary in CANARIES.values():
        assert canary not in told
        assert [file for file, content in kept.items() if canary.encode() in content] == []
