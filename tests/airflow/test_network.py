"""The daemon over the network: tasks with a token from an Airflow connection, in TLS."""

import json
import subprocess
from collections import Counter
from contextlib import contextmanager

import pytest

from state.authority import RIGHTS, Role, op_of, right_of
from tests.airflow.conftest import CANARIES
from tests.airflow.seen import each_once, orders
from tests.airflow.waiting import AT_ONCE
from tests.engine import ROOT, Daemon, environment, inside, until
from tests.socket.rights import ASKED

# the test alone: whoever comes first also waits for the hub and the image, which have own bounds
pytestmark = pytest.mark.timeout(420, func_only=True)
TOKEN = CANARIES["token"]
TOKENS = {
    "airflow": TOKEN,
    "far-viewer": "canary-far-viewer-token-1f0a6b27c9d84e53",
    "far-operator": "canary-far-operator-token-8be2417d0c6f953a",
    "far-admin": "canary-far-admin-token-c47d90f15b3e6a28",
}
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
[[principal]]
name = "far-viewer"
token_file = "/run/secrets/token-far-viewer"
role = "viewer"
[[principal]]
name = "far-operator"
token_file = "/run/secrets/token-far-operator"
role = "operator"
[[principal]]
name = "far-admin"
token_file = "/run/secrets/token-far-admin"
role = "admin"
[[principal]]
name = "visitor"
certificate = "visitor"
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


@pytest.fixture(scope="module")
def secrets_folder(tmp_path_factory):
    """Certificates, roles and the tokens, as the daemon's user may read them."""
    folder = tmp_path_factory.mktemp("secrets") / "ours"
    folder.mkdir()
    (folder / "roles.toml").write_text(ROLES)
    for name, token in TOKENS.items():
        (folder / f"token-{name}").write_text(token + "\n")
    script = ROOT / "scripts" / "certificates"
    words = (folder, "--host", "tmd", "--client", "visitor", "--owner", "10001:10001")
    subprocess.run([script, *words], check=True, capture_output=True)
    for name in ("roles.toml", "client-visitor.key", *(f"token-{name}" for name in TOKENS)):
        (folder / name).chmod(0o600)
    return folder


@contextmanager
def listening(docker, image, secrets_folder):
    """A daemon that also listens on a network of its own, where it is called `tmd`."""
    options = (*environment(CONTROL), "--network-alias", "tmd")
    running = Daemon(docker, image, *options, "--volume", f"{secrets_folder}:/run/secrets:ro")
    with inside(docker) as (running.network, _):
        try:
            running.start()
            yield running
        finally:
            running.remove()


@pytest.fixture
def networked(docker, image, secrets_folder):
    with listening(docker, image, secrets_folder) as running:
        yield running


@pytest.fixture(scope="module")
def asked_by_many(docker, image, secrets_folder):
    """One daemon for every principal: who may do what does not depend on what others did."""
    with listening(docker, image, secrets_folder) as running:
        yield running


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


def refused(running, who, *options):
    """Ask for one of each right from a container; return the refused requests' rights.

    Each refusal is in the trail, under the name of the principal.
    """
    before = running.ask("ping")["seq"]
    asker = ROOT / "tests" / "socket" / "rights.py"
    done = running.docker(
        *("run", "--rm", "--read-only", "--volume", f"{asker}:/rights.py:ro", *options),
        *(running.image, "python3", "/rights.py", who),
    )
    told = json.loads(done.stdout.splitlines()[-1])
    denied = [q for q, reply in zip(ASKED[:-1], told, strict=True) if reply["exit"] == 4]
    said = running.ask("events", "--since", str(before), "--limit", "1000")["data"]["events"]
    trail = [one for one in said if one["type"] == "request_denied" and one["principal"] == who]
    assert Counter(one["op"] for one in trail) == Counter(map(op_of, denied))
    return {right_of(question) for question in denied}


def beyond(role):
    """The rights that a role has not, of those which are asked for."""
    return {right for right in map(right_of, ASKED[:-1]) if role < RIGHTS[right]}


@pytest.mark.parametrize(
    ("who", "user", "role"),
    [
        ("local", "10001:10001", Role.ADMIN),
        ("trader", "21002:10001", Role.OPERATOR),
        ("watcher", "21001:10001", Role.VIEWER),
        ("uid:21099", "21099:10001", Role.NONE),
    ],
)
def test_the_matrix_holds_through_a_shared_socket_volume(asked_by_many, who, user, role):
    volume = ("--volume", f"{asked_by_many.run_volume}:/run/trade-manager:ro", "--network", "none")
    assert refused(asked_by_many, who, "--user", user, *volume) == beyond(role)


def over_tls(running, folder, **credentials):
    """What a container needs to ask over TLS, as the image's own user."""
    env = {"TM_SOCKET": f"tcp://tmd:{PORT}", "TM_TLS_CA": "/run/secrets/ca.pem"}
    env |= {name: f"/run/secrets/{file}" for name, file in credentials.items()}
    mounts = ("--volume", f"{folder}:/run/secrets:ro", "--network", running.network)
    return ("--user", "10001:10001", *environment(env), *mounts)


@pytest.mark.parametrize(
    ("who", "role"),
    [
        ("far-admin", Role.ADMIN),
        ("far-operator", Role.OPERATOR),
        ("far-viewer", Role.VIEWER),
    ],
)
def test_the_matrix_holds_over_tls_with_a_token(asked_by_many, secrets_folder, tmp_path, who, role):
    options = over_tls(asked_by_many, secrets_folder, TM_TOKEN_FILE=f"token-{who}")

    assert refused(asked_by_many, who, *options) == beyond(role)

    journal = f"{asked_by_many.container}:/var/lib/trade-manager/."
    asked_by_many.docker("cp", journal, tmp_path)
    kept = [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
    assert any(who.encode() in one for one in kept)
    assert not any(TOKENS[who].encode() in one for one in kept)
    assert TOKENS[who] not in asked_by_many.log()


def test_the_matrix_holds_over_tls_with_a_certificate(asked_by_many, secrets_folder):
    own = {"TM_TLS_CERT": "client-visitor.pem", "TM_TLS_KEY": "client-visitor.key"}
    options = over_tls(asked_by_many, secrets_folder, **own)
    assert refused(asked_by_many, "visitor", *options) == beyond(Role.OPERATOR)


def test_a_list_of_operations_narrows_a_token_over_tls(asked_by_many, secrets_folder):
    options = over_tls(asked_by_many, secrets_folder, TM_TOKEN_FILE="token-airflow")
    named = {"audit", "plan", "execute", "rebalance", "report", "status", "wait", "ping", "halt"}
    everything = {right_of(question) for question in ASKED[:-1]}
    assert refused(asked_by_many, "airflow", *options) == everything - named
