"""A Docker engine for tests, the image, and a daemon in a container.

The engine is the one that answers; as root with docker.io installed, one of its own is started, and
everything it keeps is gone afterwards.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = "python:3.11-slim-bookworm"
TAG = "trade-manager:test"
DEADLINE = 60  # seconds that something which takes one may take


class Docker:
    """A Docker engine, by its command line."""

    def __init__(self, client: str, host: str | None = None):
        self.client = client
        self.environment = os.environ | {"DOCKER_BUILDKIT": "1", "DOCKER": client}
        if host:
            self.environment["DOCKER_HOST"] = host

    def __call__(self, *arguments, check=True, program=None):
        """Run one command to its end."""
        done = subprocess.run(
            [program or self.client, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            what = " ".join(map(str, arguments[:4]))
            pytest.fail(
                f"docker {what} … ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    @property
    def answers(self):
        return self("info", check=False).returncode == 0

    @property
    def host(self):
        """Where the engine listens, as DOCKER_HOST says it."""
        return self.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")

    def inspect(self, what):
        return json.loads(self("inspect", what).stdout)[0]


def until(true, what, seconds=DEADLINE):
    """Wait for a condition of another process and return it."""
    stop = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > stop:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.2)
    return found


@contextlib.contextmanager
def own_engine(client, folder):
    """A Docker engine with everything it keeps in `folder`."""
    engine = Docker(client, f"unix://{folder}/docker.sock")
    paths = ["--data-root", folder / "data", "--exec-root", folder / "exec"]
    paths += ["--pidfile", folder / "pid", "--host", f"unix://{folder}/docker.sock"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["dockerd", *paths], stdout=log, stderr=log, process_group=0)
        try:
            until(lambda: engine.answers or process.poll() is not None, "dockerd answers")
            if process.poll() is not None:
                pytest.fail(f"dockerd ended:\n{(folder / 'log').read_text()[-3000:]}")
            yield engine
        finally:
            process.terminate()
            process.wait(60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def docker(tmp_path_factory):
    # Debian's own client first: another one in PATH may lack the BuildKit plug-in
    client = shutil.which("docker", path="/usr/bin") or shutil.which("docker")
    if client is None:
        pytest.skip("no docker client; run: apt-get install -y docker.io debootstrap")
    engine = Docker(client)
    if engine.answers:
        yield engine
    elif os.geteuid() == 0 and shutil.which("dockerd"):
        with own_engine(client, tmp_path_factory.mktemp("engine")) as engine:
            yield engine
    else:
        pytest.skip("no Docker engine answers, and only root with docker.io can start one here")


@pytest.fixture(scope="session")
def image(docker):
    """Our slim image, built as anyone builds it: nothing here needs jax."""
    if docker("image", "inspect", BASE, check=False).returncode:
        if os.geteuid() == 0 and shutil.which("debootstrap"):
            docker(BASE, program=ROOT / "deploy" / "base-image.sh")
        else:
            docker("pull", BASE)
    docker("build", "--target", "slim", "--tag", TAG, ".")
    yield TAG
    docker("image", "rm", "--force", TAG)


@pytest.fixture(scope="session")
def run(docker, image):
    """Run one command in a container of its own, as DockerOperator does."""

    def run_once(*command, options=(), check=True):
        return docker("run", "--rm", *options, image, *command, check=check)

    return run_once


def environment(values):
    """The options that give a container variables."""
    return [word for name, value in values.items() for word in ("--env", f"{name}={value}")]


@contextlib.contextmanager
def inside(docker):
    """Make a network without a way out; yield its name, and the host's address in it."""
    network = f"tm-{secrets.token_hex(4)}"
    docker("network", "create", "--internal", network)
    try:
        yield network, docker.inspect(network)["IPAM"]["Config"][0]["Gateway"]
    finally:
        docker("network", "rm", network, check=False)


class Daemon:
    """`tmd` in a container as in production: read-only root, state and socket on volumes."""

    network = "none"

    def __init__(self, docker, image, *options, command=("tmd", "--demo")):
        self.docker, self.image, self.command = docker, image, command
        # Cash is kept back: no rebalance ends as partial on a day after which prices jump.
        kept = {"TM_STRATEGY__NAME": "inverse_volatility", "TM_EXECUTION__CASH_RESERVE": "0.1"}
        self.options = (*environment(kept), *options)
        self.run_volume = docker("volume", "create").stdout.strip()
        self.state_volume = docker("volume", "create").stdout.strip()
        self.container = ""

    @property
    def socket(self):
        """What a container needs to reach the daemon."""
        return ("--volume", f"{self.run_volume}:/run/trade-manager", "--network", self.network)

    def start(self):
        """Start a container on the volumes, and wait until it answers."""
        started = self.docker(
            "run", "--detach", "--read-only", "--tmpfs", "/tmp", *self.socket,
            "--volume", f"{self.state_volume}:/var/lib/trade-manager",
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", *self.options,
            self.image, *self.command,
        )  # fmt: skip
        self.container = started.stdout.strip()
        until(self.answered, "tm ping answers")

    def answered(self):
        if not self.docker.inspect(self.container)["State"]["Running"]:
            pytest.fail(f"the daemon ended:\n{self.log()}")
        return self.tm("ping", check=False).returncode == 0

    def tm(self, *command, check=True):
        """Run `tm` in a container of its own."""
        options = ("--rm", "--read-only", *self.socket)
        return self.docker("run", *options, self.image, "tm", *command, check=check)

    def ask(self, *command):
        """Return the daemon's own answer, whatever the exit code."""
        done = self.docker("exec", self.container, "tm", *command, "--json", check=False)
        return json.loads(done.stdout.splitlines()[-1])

    def log(self):
        shown = self.docker("logs", self.container, check=False)
        return shown.stdout + shown.stderr

    def kill(self):
        """End it without a word, as a crash does."""
        self.docker("kill", "--signal", "KILL", self.container)

    def replace(self, *options):
        """Start another container on the same volumes, with other options, as an upgrade does."""
        self.docker("rm", "--force", self.container)
        self.options = (*self.options, *options)
        self.start()

    def remove(self):
        """Remove it, its volumes, and whatever container still uses them."""
        if self.container:
            print(self.log())
        for volume in (self.run_volume, self.state_volume):
            users = self.docker("ps", "--all", "--quiet", "--filter", f"volume={volume}").stdout
            for container in users.split():
                self.docker("rm", "--force", container, check=False)
            self.docker("volume", "rm", "--force", volume)


@pytest.fixture
def daemon(docker, image):
    """`tmd --demo` on fresh volumes."""
    running = Daemon(docker, image)
    try:
        running.start()
        yield running
    finally:
        running.remove()
