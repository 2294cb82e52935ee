"""A real mosquitto in a process of its own: started, stopped and killed."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

PROGRAM = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
PASSWD = shutil.which("mosquitto_passwd")
DEADLINE = 20.0
# The queues hold all that a test publishes: what a broker of small queues drops is a gap.
CONFIGURATION = """\
listener {port} 127.0.0.1
user {user}
persistence {persistence}
persistence_location {folder}/
max_queued_messages 0
max_inflight_messages {inflight}
max_queued_bytes 0
log_dest file {folder}/mosquitto.log
{more}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def admitted(file: Path, user: str, password: str) -> None:
    """Write a file of passwords that lets in one user."""
    if PASSWD is None:
        pytest.skip("mosquitto_passwd is not installed: apt-get install mosquitto")
    words = ("-c", "-b", file, user, password)
    subprocess.run([PASSWD, *words], check=True, capture_output=True)
    file.chmod(0o644)  # the broker gives up root before it reads it


class Mosquitto:
    """One broker: its folder, its port, and its process if any."""

    def __init__(self, folder: Path, *, persistent=False, inflight=0, more="allow_anonymous true"):
        if PROGRAM is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        folder.mkdir(exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.file = folder / "mosquitto.conf"
        self.file.write_text(
            CONFIGURATION.format(
                port=self.port,
                user="root" if os.getuid() == 0 else os.environ.get("USER", "nobody"),
                persistence=str(persistent).lower(),
                folder=folder,
                inflight=inflight,
                more=more,
            )
        )
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self):
        """Start, and return once somebody can connect."""
        self.process = subprocess.Popen(
            [PROGRAM, "-c", self.file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.01)
            else:
                return self

    def stop(self):
        """Stop as service managers do: what is persistent is written."""
        self.process.terminate()
        self.process.wait(DEADLINE)

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
