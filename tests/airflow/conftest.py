"""One hub for all its tests, with the daemon in a container of its own for each."""

from contextlib import contextmanager

import pytest

from tests.airflow.hub import Hub, copied
from tests.airflow.waiting import DAG, WAITING, add_waiting_dag
from tests.engine import Daemon

NEVER = "0.0001"  # bars a second: the first close comes at once, and the next in three hours
CANARIES = {
    "login": "canary-gateway-login-5d0e",
    "mqtt": "canary-mqtt-password-91aa",
    "token": "canary-control-token-7c3b5f0e9d2a4418",
}


@contextmanager
def running_hub(version, home, docker, image):
    """A hub with our DAGs, unpaused by nobody yet, that holds the broker's login."""
    running = Hub(version, home, DOCKER_HOST=docker.host)
    copied(home)
    add_waiting_dag(home)
    try:
        running.start()
        running.variable("trade_manager_image", image)
        running.airflow(
            *("connections", "add", "trade_manager_broker_conn", "--conn-type", "ib"),
            *("--conn-login", "trader", "--conn-password", CANARIES["login"]),
        )
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def hub(docker, image, tmp_path_factory):
    """The hub at its own pin."""
    with running_hub("3.0.0", tmp_path_factory.mktemp("hub"), docker, image) as running:
        yield running


@pytest.fixture
def trading(docker, image, hub):
    """A daemon that the hub's tasks reach, on its first close, with secrets it must keep."""
    conn = f"ib://trader:{CANARIES['login']}@gateway:4002"
    secrets = ("--env", f"TM_BROKER__CONN={conn}", "--env", f"CANARY_MQTT={CANARIES['mqtt']}")
    running = Daemon(docker, image, *secrets, "--env", f"TM_REPLAY__PACE={NEVER}")
    try:
        running.start()
        hub.variable("trade_manager_socket_volume", running.run_volume)
        hub.variable("trade_manager_report_volume", running.state_volume)
        yield running
    finally:
        running.remove()


@pytest.fixture
def unpaused(hub, trading):
    """The DAGs unpaused, now that there is a daemon for the run which that starts."""
    for dag in (DAG, WAITING):
        hub.unpause(dag)
