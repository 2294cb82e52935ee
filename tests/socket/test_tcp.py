"""The way in over TCP, with certificates that scripts/certificates makes: who gets in, as whom."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from control.client import NoReply, ask
from control.protocol import Asked, Exit, Ping, Status, encode, frame
from control.tls import Credentials
from state.command import Halt, Rebalance, Resume, SubmitOrder
from tests.tmd import CONFIGURATION, ROOT, Tmd

pytestmark = pytest.mark.area("units")
ROLES = """
[[principal]]
name = "local"
uid = {uid}
role = "admin"
[[principal]]
name = "airflow"
token_file = "{folder}/token-airflow"
role = "operator"
operations = ["rebalance", "order", "status", "ping"]
notional_a_day = "5000"
[[principal]]
name = "grafana"
certificate = "grafana"
role = "viewer"
"""


def made(folder: Path, *options: str) -> Path:
    subprocess.run(
        [ROOT / "scripts" / "certificates", folder, *options], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    names = ("--client", "grafana", "--client", "mallory", "--token", "airflow", "--token", "eve")
    return made(tmp_path_factory.mktemp("tls") / "ours", *names)


@pytest.fixture(scope="module")
def tmd(tmp_path_factory, certificates):
    folder = tmp_path_factory.mktemp("tcp")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    roles = folder / "roles.toml"
    roles.write_text(ROLES.format(uid=os.geteuid(), folder=certificates))
    control = f"""
tcp = "127.0.0.1:{port}"
tls_cert = "{certificates}/server.pem"
tls_key = "{certificates}/server.key"
tls_ca = "{certificates}/ca.pem"
roles_file = "{roles}"
frame_timeout = 2.0
"""
    with Tmd(folder / "d", CONFIGURATION.format(pace=0.001) + control) as one:
        one.address = f"tcp://127.0.0.1:{port}"
        one.endpoint = ("127.0.0.1", port)
        one.start().ready()
        yield one
        assert one.stop() == 0
        assert "Traceback" not in one.said()
        token = (certificates / "token-airflow").read_text().strip()
        assert token not in one.said()
        assert token not in json.dumps([str(row) for row in one.rows("SELECT body FROM event")])


def over(tmd, question, who, key=None, timeout=10.0):
    return ask(tmd.address, Asked(question, key=key), timeout, credentials=who)


def token(certificates, name="airflow", **more):
    text = (certificates / f"token-{name}").read_text().strip()
    return Credentials(text, ca=str(certificates / "ca.pem"), **more)


def holder(certificates, name):
    file = str(certificates / f"client-{name}")
    return Credentials(ca=str(certificates / "ca.pem"), cert=f"{file}.pem", key=f"{file}.key")


def test_a_token_is_a_principal_with_its_own_list_and_cap(tmd, certificates):
    airflow = token(certificates)

    assert over(tmd, Status(), airflow).ok
    assert over(tmd, SubmitOrder("buy", "KO", 1), airflow, key="small").ok
    dear = over(tmd, SubmitOrder("buy", "KO", 100_000), airflow, key="dear")
    assert (dear.exit, dear.error.code) == (Exit.REFUSED, "DAY_NOTIONAL")
    denied = over(tmd, Resume("over", "eve"), airflow, key="resume")
    assert denied.exit == Exit.NOT_AUTHORISED
    assert over(tmd, Halt("drill"), airflow, key="halt").ok
    assert tmd.ask(Resume("over", "ann"), key="again").ok
    rows = tmd.rows("SELECT DISTINCT principal FROM command ORDER BY 1")
    assert rows == [("airflow",), ("local",)]


def test_a_certificate_is_a_principal_by_its_name(tmd, certificates):
    grafana = holder(certificates, "grafana")

    assert over(tmd, Status(), grafana).ok
    assert over(tmd, Rebalance(), grafana, key="no").exit == Exit.NOT_AUTHORISED


def test_the_authority_may_be_given_as_text(tmd, certificates):
    ca = (certificates / "ca.pem").read_text()
    text = (certificates / "token-airflow").read_text().strip()

    assert over(tmd, Ping(), Credentials(text, ca=ca)).ok


def test_strangers_are_told_no_on_record_and_soon_not_let_in(tmd, certificates, tmp_path):
    for stranger in (
        token(certificates, "eve"),
        holder(certificates, "mallory"),
        Credentials(ca=str(certificates / "ca.pem")),
    ):
        began = time.monotonic()
        with pytest.raises(NoReply) as refused:
            over(tmd, Ping(), stranger)
        assert refused.value.exit == Exit.NOT_AUTHORISED
        assert time.monotonic() - began > 0.2, "each is told later than the one before"
    rules = [
        json.loads(b)["rule"]
        for (b,) in tmd.rows("SELECT body FROM event")
        if b'"request_denied"' in b and b'"hello"' in b
    ]
    assert rules == [
        "token: not one of ours",
        "certificate: none, or not in the roles file",
        "certificate: none, or not in the roles file",
    ]
    for _ in range(2):
        with pytest.raises(NoReply):
            over(tmd, Ping(), token(certificates, "eve"))
    with pytest.raises(NoReply) as banned:
        over(tmd, Ping(), token(certificates), timeout=1)
    assert banned.value.exit == Exit.UNREACHABLE
    assert tmd.ask(Status()).ok, "nobody is banned from the local socket"
    assert tmd.stop() == 0
    tmd.start().ready()  # whatever test comes next is not banned


def test_a_daemon_that_is_not_ours_is_not_trusted(tmd, certificates, tmp_path):
    other = made(tmp_path / "theirs")
    text = (certificates / "token-airflow").read_text().strip()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(other / "server.pem", other / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        child = os.fork()
        if child == 0:
            try:
                taken, _ = listening.accept()
                server.wrap_socket(taken, server_side=True).recv(1)
            finally:
                os._exit(0)
        with pytest.raises(NoReply) as refused:
            ask(
                address,
                Asked(Ping()),
                5,
                credentials=Credentials(text, str(certificates / "ca.pem")),
            )
        os.waitpid(child, 0)
    assert refused.value.fault.code == "TLS_UNTRUSTED"
    assert refused.value.exit == Exit.INVALID
    assert text not in str(refused.value)


@pytest.mark.parametrize("spoken", [b"", b"GET / HTTP/1.0\r\n\r\n", frame(encode(Asked(Ping())))])
def test_who_speaks_no_tls_learns_nothing_and_is_hung_up_on(tmd, spoken):
    tmd.stop()
    tmd.start().ready()  # so that nobody is banned any more
    with socket.create_connection(tmd.endpoint, timeout=10) as plain:
        plain.sendall(spoken)
        began = time.monotonic()
        said = b""
        while more := plain.recv(4096):
            said += more
        assert b"protocol" not in said
        assert time.monotonic() - began < 6


def test_nothing_older_than_tls_1_3_is_spoken(tmd, certificates):
    old = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(tmd.endpoint, timeout=10) as plain,
        pytest.raises(ssl.SSLError),  # one that spoke it would have greeted
    ):
        old.wrap_socket(plain, server_hostname="127.0.0.1")


def test_tm_itself_asks_over_tcp(tmd, certificates):
    tm = Path(sys.executable).with_name("tm")
    env = tmd.environment | {
        "TM_SOCKET": tmd.address,
        "TM_TOKEN_FILE": str(certificates / "token-airflow"),
        "TM_TLS_CA": str(certificates / "ca.pem"),
    }
    ran = subprocess.run(
        [tm, "status", "--json"], env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    env |= {"TM_TOKEN_FILE": str(certificates / "none")}
    ran = subprocess.run([tm, "ping"], env=env, capture_output=True, text=True, check=False)
    assert (ran.returncode, "can't be read" in ran.stderr) == (Exit.INVALID, True)


def test_renewed_certificates_are_taken_over_without_a_restart(tmd, certificates):
    before = ssl.get_server_certificate(tmd.endpoint)
    made(certificates)
    tmd.process.send_signal(signal.SIGHUP)
    tmd.until(lambda: ssl.get_server_certificate(tmd.endpoint) != before)
    assert over(tmd, Ping(), token(certificates)).ok


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ('tcp = "127.0.0.1:7464"', "control.tls_cert: is empty"),
        ('tcp = "0.0.0.0:7464"', "control.tls_ca: is empty, and 0.0.0.0:7464 wants it"),
        ('tcp = "127.0.0.1:7464"', "control.roles_file: is empty"),
    ],
)
def test_a_way_in_without_certificates_is_a_bad_configuration(tmp_path, control, said):
    with Tmd(tmp_path / "d", f"[control]\n{control}\n") as one:
        assert one.start("--check").ended() == 7
        assert said in one.said()
