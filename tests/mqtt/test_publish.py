"""`tm publish` as an operator types it, and the broker that the compose file starts."""

import json
import subprocess
from datetime import date

import pytest

from tests.mqtt.mosquitto import Mosquitto, admitted, free_port
from tests.mqtt.year import SYMBOLS, closed, live
from tests.tmd import ROOT, TMD

TM = TMD.with_name("tm")
LAST = date(2021, 1, 8)
DAYS = ("--symbols", ",".join(SYMBOLS), "--start", "2021-01-04", "--end", f"{LAST}")


def publish(*words):
    """Run `tm publish` in a process of its own."""
    command = [TM, "publish", "bundled", *DAYS, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_week_is_published_by_the_command_and_traded(tmp_path):
    with live(tmp_path) as (broker, tmd):
        done = publish("--to", f"mqtt://127.0.0.1:{broker.port}/tm", "--pace", "20", "--json")

        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout.splitlines()[-1])["data"]
        assert (said["sessions"], said["bars"]) == (5, 25)
        assert (said["first"], said["last"]) == ("2021-01-04", "2021-01-08")
        tmd.until(lambda: closed(tmd) == LAST)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--to", f"mqtt://127.0.0.1:{free_port()}"), 3),
        (("--to", "http://127.0.0.1"), 7),
        (("--to", "mqtt://127.0.0.1", "--password-file", "/nowhere"), 7),
    ],
)
def test_what_cannot_be_published_says_so(words, code):
    done = publish(*words)

    assert done.returncode == code
    assert done.stderr


def test_the_broker_of_the_compose_file_wants_the_password_it_was_given(tmp_path):
    """Its own configuration, with the folders of this machine for those of the container."""
    secrets, data = tmp_path / "secrets", tmp_path / "broker"
    secrets.mkdir()
    admitted(secrets / "mosquitto_passwords", "market-data", "correct horse")
    (secrets / "right").write_text("correct horse\n")
    (secrets / "wrong").write_text("battery staple\n")
    shipped = (ROOT / "deploy/mosquitto.conf").read_text()
    assert "listener 1883\n" in shipped
    broker = Mosquitto(data)
    text = (
        shipped.replace("listener 1883", f"listener {broker.port} 127.0.0.1\nuser root")
        .replace("/run/secrets", f"{secrets}")
        .replace("/mosquitto/data", f"{data}")
        .replace("log_dest stderr", f"log_dest file {data}/mosquitto.log")
    )
    broker.file.write_text(text)
    with broker:
        to = ("--to", f"mqtt://market-data@127.0.0.1:{broker.port}/tm")

        assert publish(*to, "--password-file", f"{secrets}/right").returncode == 0
        assert publish(*to, "--password-file", f"{secrets}/wrong").returncode == 3
        assert publish("--to", f"mqtt://127.0.0.1:{broker.port}/tm").returncode == 3
