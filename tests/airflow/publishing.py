"""A daemon in a container that tells a real MQTT broker its state, with a password from a file."""

from tests.engine import Daemon, environment
from tests.mqtt.mosquitto import Mosquitto, admitted, free_port

USER = "trade-manager"
FILE = "/run/secrets/mqtt_password"
# The daemon comes by the gateway of its network, which is the host.
GUARDED = """\
allow_anonymous false
password_file {folder}/passwords
listener {port} {gateway}
"""


def guarded(folder, gateway, password):
    """Return a mosquitto that lets in one user, who has the password, and its port there."""
    folder.mkdir()
    admitted(folder / "passwords", USER, password)
    port = free_port()
    more = GUARDED.format(folder=folder, port=port, gateway=gateway)
    return Mosquitto(folder, more=more), port


def publishing(docker, image, network, gateway, port, file, *options):
    """Return a daemon that publishes to a broker on the host."""
    told = {
        "TM_MQTT__PUBLISH": "on",
        "TM_MQTT__HOST": gateway,
        "TM_MQTT__PORT": port,
        "TM_MQTT__USERNAME": USER,
        "TM_MQTT__PASSWORD_FILE": FILE,
    }
    mount = ("--volume", f"{file}:{FILE}:ro")
    daemon = Daemon(docker, image, *environment(told), *mount, *options)
    daemon.network = network
    return daemon
