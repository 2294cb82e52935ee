"""The daemon over the network: tasks with a token from an Airflow connection, in TLS."""

import json
import secrets
import subprocess

import pytest

from state.authority import RIGHTS, right_of
from tests.airflow.conftest import CANARIES
from tests.airflow.seen import each_once, orders
from tests.airflow.waiting import AT_ONCE
from tests.engine import ROOT, Daemon, until
from tests.socket.rights import ASKED

pytestmark = pytest.mark.timeout(420)
TOKEN = CANARIES["token"]
CONN = "trade_manager_control"
PORT = 7464
ROLES = """
[[principal]]
name = "local"
uid = 10001
role = "admin"
[[principal]]
name = "airflow"
token_file = "/run/secrets/token-airflow"
role = "operator"
operations = ["audit", "plan", "execute", "rebalance", "report", "status", "wait", "ping"]
[[principal]]
name = "watcher"
uid = 21001
role = "viewer"
[[principal]]
name = "trader"
uid = 21002
role = "operator"
"""
CONTROL = {
    "TM_CONTROL__TCP": f"0.0.0.0:{PORT}",
    "TM_CONTROL__TLS_CERT": "/run/secrets/server.pem",
    "TM_CONTROL__TLS_KEY": "/run/secrets/server.key",
    "TM_CONTROL__TLS_CA": "/run/secrets/ca.pem",
    "TM_CONTROL__ROLES_FILE": "/run/secrets/roles.toml",
    "TM_CONTROL__UNKNOWN_UID": "none",
    "TM_REPLAY__PACE": "0.5",
}


class Networked(Daemon):
    """A daemon that also listens on a network, where it is called `tmd`."""

    network = ""

    @property
    def socket(self):
        return ("--volume", f"{self.run_volume}:/run/trade-manager", "--network", self.network)


@pytest.fixture(scope="module")
def secrets_folder(tmp_path_factory):
    """Certificates, roles and the token, as the daemon's user may read them."""
    folder = tmp_path_factory.mktemp("secrets") / "ours"
    folder.mkdir()
    (folder / "roles.toml").write_text(ROLES)
    (folder / "token-airflow").write_text(TOKEN + "\n")
    script = ROOT / "scripts" / "certificates"
    words = (folder, "--host", "tmd", "--client", "visitor", "--owner", "10001:10001")
    subprocess.run([script, *words], check=True, capture_output=True)
    for name in ("roles.toml", "token-airflow", "client-visitor.key"):
        (folder / name).chmod(0o600)
    return folder


@pytest.fixture
def networked(docker, image, secrets_folder):
    network = f"tm-{secrets.token_hex(4)}"
    docker("network", "create", "--internal", network)
    options = [word for name, value in CONTROL.items() for word in ("--env", f"{name}={value}")]
    running = Networked(docker, image, *options)
    running.options += ("--network-alias", "tmd", "--volume", f"{secrets_folder}:/run/secrets:ro")
    running.network = network
    try:
        running.start()
        yield running
    finally:
        running.remove()
        docker("network", "rm", network, check=False)


def test_a_rebalance_runs_over_tls_and_its_token_is_nowhere(hub, networked, docker, secrets_folder):
    extra = {"tls_ca": (secrets_folder / "ca.pem").read_text(), "network": networked.network}
    hub.airflow(
        *("connections", "add", CONN, "--conn-type", "generic", "--conn-host", "tmd"),
        *("--conn-port", str(PORT), "--conn-password", TOKEN, "--conn-extra", json.dumps(extra)),
    )
    hub.variable("trade_manager_control_conn_id", CONN)
    try:
        hub.unpause(AT_ONCE)
        run = hub.trigger(AT_ONCE)
        assert hub.finished(AT_ONCE, run) == "success"
        answer = json.loads(hub.xcom(AT_ONCE, run, "rebalance"))
        assert answer["ok"]
        assert each_once(orders(networked))
        said = networked.log()
        taken = [
            one
            for one in networked.ask("events", "--limit", "1000")["data"]["events"]
            if one["type"] == "command_received" and one["op"] == "rebalance"
        ]
        assert {one["principal"] for one in taken} == {"airflow"}
        assert {one["uid"] for one in taken} == {None}
    finally:
        hub.variable("trade_manager_control_conn_id", "")
    docker("cp", f"{networked.container}:/var/lib/trade-manager/journal.db", hub.home)
    assert TOKEN not in said
    assert TOKEN not in json.dumps(answer)
    until(lambda: hub.log(AT_ONCE, run, "rebalance"), "the log is written")
    for file in hub.home.rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            try:
                assert TOKEN.encode() not in file.read_bytes(), file
            except FileNotFoundError:
                assert file.name.startswith("airflow.db-"), file


def rights(docker, networked, who, *options):
    """Ask for one of each right from a container; return the codes by right."""
    asker = ROOT / "tests" / "socket" / "rights.py"
    done = docker(
        *("run", "--rm", "--read-only", "--volume", f"{asker}:/rights.py:ro", *options),
        *(networked.image, "python3", "/rights.py", who),
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("who", "user", "role"),
    [
        ("owner", "10001:10001", 3),
        ("trader", "21002:10001", 2),
        ("watcher", "21001:10001", 1),
        ("nobody", "21099:10001", 0),
    ],
)
def test_the_matrix_holds_through_a_shared_socket_volume(docker, networked, who, user, role):
    volume = ("--volume", f"{networked.run_volume}:/run/trade-manager:ro", "--network", "none")
    told = rights(docker, networked, who, "--user", user, *volume)

    refused = {right_of(q) for q, reply in zip(ASKED[:-1], told, strict=True) if reply["exit"] == 4}
    assert refused == {right for right, needs in RIGHTS.items() if role < needs} - (
        {"shutdown"} if role < 3 else set()
    )


def test_the_matrix_holds_over_tls(docker, networked, secrets_folder):
    env = {
        "TM_SOCKET": f"tcp://tmd:{PORT}",
        "TM_TLS_CA": "/run/secrets/ca.pem",
        "TM_TOKEN_FILE": "/run/secrets/token-airflow",
    }
    options = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
    options += ["--volume", f"{secrets_folder}:/run/secrets:ro", "--network", networked.network]
    told = rights(
        docker,
        networked,
        "airflow",
        "--user",
        "10001:10001",
        *options,
    )

    allowed = {right_of(q) for q, r in zip(ASKED[:-1], told, strict=True) if r["exit"] != 4}
    named = {"audit", "plan", "execute", "rebalance", "report", "status", "wait", "ping", "halt"}
    assert allowed == named & set(RIGHTS)
