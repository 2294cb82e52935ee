"""A secret that is given to the daemon and its clients is found nowhere that anybody looks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from control.tls import Credentials
from daemon.authority import Authority
from state.configuration import decode
from state.connection import ConnectionInvalid, connection
from state.settings import Control
from tests.socket.test_tcp import made
from tests.tmd import CONFIGURATION, Tmd

pytestmark = pytest.mark.area("units")
LOGIN = "canary-gateway-login-c0ffee"
TOKEN = "canary-control-token-1f2e3d4c5b6a7980"
ROLES = """
[[principal]]
name = "local"
uid = {uid}
role = "admin"
[[principal]]
name = "robot"
token_file = "{folder}/token-robot"
role = "operator"
"""
SAID = [
    *("status", "portfolio", "config show", "audit", "report", "events --limit 500", "verify"),
    *("rebalance --dry-run", "plan", "order buy KO 1", "resume --reason x --accept-risk y"),
    *("backup {folder}/backup.db", "order buy KO nonsense", "limits show", "halt --reason drill"),
]


class Secretive(Tmd):
    """A daemon that knows the broker's login."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"TM_BROKER__CONN": f"ib://trader:{LOGIN}@gateway:4002"}


def test_a_secret_is_nowhere(tmp_path):
    folder = made(tmp_path / "tls", "--token", "robot")
    (folder / "token-robot").write_text(TOKEN)
    roles = tmp_path / "roles.toml"
    roles.write_text(ROLES.format(uid=os.geteuid(), folder=folder))
    port = 20_000 + os.getpid() % 30_000
    control = f"""
tcp = "127.0.0.1:{port}"
tls_cert = "{folder}/server.pem"
tls_key = "{folder}/server.key"
tls_ca = "{folder}/ca.pem"
roles_file = "{roles}"
"""
    tm = Path(sys.executable).with_name("tm")
    told = []
    with Secretive(tmp_path / "d", CONFIGURATION.format(pace=4) + control) as tmd:
        tmd.start().ready()
        for where in (tmd.socket, f"tcp://127.0.0.1:{port}"):
            for words in SAID:
                ran = subprocess.run(
                    [tm, *words.format(folder=tmp_path).split(), "--json"],
                    env=Tmd.environment.fget(tmd)
                    | {"TM_SOCKET": where, "TM_TOKEN": TOKEN, "TM_TLS_CA": f"{folder}/ca.pem"},
                    capture_output=True,
                    check=False,
                )
                told += [ran.stdout, ran.stderr]
        told.append(Path(f"/proc/{tmd.process.pid}/cmdline").read_bytes())
        assert tmd.stop() == 0
        files = [f for f in tmp_path.rglob("*") if f.is_file() and f.parent != folder]
        told += [file.read_bytes() for file in files]

    assert (tmp_path / "backup.db") in files
    assert tmd.state / "journal.db" in files
    assert b"robot" in b"".join(told)
    for secret in (LOGIN.encode(), TOKEN.encode()):
        assert not [one[:100] for one in told if secret in one]


def test_a_secret_is_in_no_representation_and_no_refusal(tmp_path):
    """What a traceback or a log would show of what holds it."""
    effective = decode("", "f", {"TM_BROKER__CONN": f"ib://u:{LOGIN}@h:1"})
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    roles = tmp_path / "roles.toml"
    roles.write_text(ROLES.format(uid=0, folder=tmp_path).replace("token-robot", "token"))
    authority = Authority(Control(roles_file=str(roles)))

    assert authority.holder(TOKEN) == "robot"
    shown = [repr(Credentials(TOKEN)), repr(vars(authority)), repr(effective.settings.broker)]
    shown.append(repr(connection(f"ib://u:{LOGIN}@h:1")))
    with pytest.raises(ConnectionInvalid) as refused:
        connection(f"ib://u:{LOGIN}@h:{LOGIN}")
    shown.append(repr(refused.value))
    assert not [text for text in shown if TOKEN in text or LOGIN in text]
