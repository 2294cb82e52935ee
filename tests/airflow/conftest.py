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


# As the daemon is given it. It is kept and never shown; the paper broker logs in to nothing.
LOGIN = f"ib://trader:{CANARIES['login']}@gateway:4002"
KEPT = ("--env", f"TM_BROKER__CONN={LOGIN}", "--env", f"TM_REPLAY__PACE={NEVER}")


@contextmanager
def reached(hub, daemon):
    """Start a daemon that the hub's tasks reach; remove it afterwards."""
    try:
        daemon.start()
        hub.variable("trade_manager_socket_volume", daemon.run_volume)
        hub.variable("trade_manager_report_volume", daemon.state_volume)
        yield daemon
    finally:
        daemon.remove()


@pytest.fixture
def trading(docker, image, hub):
    """A daemon that the hub's tasks reach, on its first close, with a login it must keep."""
    with reached(hub, Daemon(docker, image, *KEPT)) as running:
        yield running


@pytest.fixture
def unpaused(hub, trading):
    """The DAGs unpaused, now that there is a daemon for the run which that starts."""
    for dag in (DAG, WAITING):
        hub.unpause(dag)
