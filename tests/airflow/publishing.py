"""A daemon in a container that tells a real MQTT broker its state, with a password from a file."""

import secrets
import subprocess
from contextlib import contextmanager

import pytest

from tests.engine import Daemon
from tests.mqtt.mosquitto import PROGRAM, Mosquitto, free_port

USER = "trade-manager"
FILE = "/run/secrets/mqtt_password"
# The daemon comes by the gateway of its network, which is the host.
GUARDED = """\
allow_anonymous false
password_file {folder}/passwords
listener {port} {gateway}
"""


@contextmanager
def inside(docker):
    """Make a network without a way out; yield its name, and the host's address in it."""
    network = f"tm-{secrets.token_hex(4)}"
    docker("network", "create", "--internal", network)
    try:
        yield network, docker.inspect(network)["IPAM"]["Config"][0]["Gateway"]
    finally:
        docker("network", "rm", network, check=False)


def guarded(folder, gateway, password):
    """Return a mosquitto that lets in one user, who has the password, and its port there."""
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    folder.mkdir()
    subprocess.run(
        ["mosquitto_passwd", "-c", "-b", folder / "passwords", USER, password],
        check=True,
        capture_output=True,
    )
    (folder / "passwords").chmod(0o644)
    port = free_port()
    more = GUARDED.format(folder=folder, port=port, gateway=gateway)
    return Mosquitto(folder, more=more), port


class Publishing(Daemon):
    """A daemon that publishes to a broker on the host."""

    def __init__(self, docker, image, network, gateway, port, file, *options):
        told = {
            "TM_MQTT__PUBLISH": "on",
            "TM_MQTT__HOST": gateway,
            "TM_MQTT__PORT": port,
            "TM_MQTT__USERNAME": USER,
            "TM_MQTT__PASSWORD_FILE": FILE,
        }
        words = [word for name, value in told.items() for word in ("--env", f"{name}={value}")]
        super().__init__(docker, image, *words, "--volume", f"{file}:{FILE}:ro", *options)
        self.network = network

    @property
    def socket(self):
        return ("--volume", f"{self.run_volume}:/run/trade-manager", "--network", self.network)
