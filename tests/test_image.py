"""The image is ordinary: what runs in it, as whom, and how it stops.

Uses the Docker engine that answers; as root with docker.io installed, starts one of its own.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = "python:3.11-slim-bookworm"
TAG = "trade-manager:test"
DEADLINE = 60  # seconds that something which takes one may take

pytestmark = [pytest.mark.area("Airflow and image"), pytest.mark.timeout(420)]


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


def until(true, what):
    """Wait for a condition of another process."""
    stop = time.monotonic() + DEADLINE
    while not true():
        if time.monotonic() > stop:
            pytest.fail(f"not within {DEADLINE} s: {what}")
        time.sleep(0.2)


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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def image(docker):
    """Our image, built as anyone builds it."""
    if docker("image", "inspect", BASE, check=False).returncode:
        if os.geteuid() == 0 and shutil.which("debootstrap"):
            docker(BASE, program=ROOT / "deploy" / "base-image.sh")
        else:
            docker("pull", BASE)
    docker("build", "--tag", TAG, ".")
    yield TAG
    docker("image", "rm", "--force", TAG)


@pytest.fixture(scope="module")
def run(docker, image):
    """Run one command in a container of its own, as DockerOperator does."""

    def run_once(*command, options=(), check=True):
        return docker("run", "--rm", *options, image, *command, check=check)

    return run_once


@pytest.fixture
def volume(docker):
    name = docker("volume", "create").stdout.strip()
    yield name
    docker("volume", "rm", name)


@pytest.fixture
def daemon(docker, image, run, volume):
    """`tmd --demo` as in production: read-only root, the socket's folder on a shared volume."""
    socket = ("--volume", f"{volume}:/run/trade-manager", "--network", "none")
    started = docker(
        "run", "--detach", "--read-only", "--tmpfs", "/tmp", *socket,
        "--tmpfs", "/var/lib/trade-manager:uid=10001,gid=10001,mode=0770",
        image, "tmd", "--demo",
    )  # fmt: skip
    container = started.stdout.strip()

    def tm(*command, check=True):
        return run("tm", *command, options=["--read-only", *socket], check=check)

    def answered():
        if not inspected(docker, container)["State"]["Running"]:
            pytest.fail("tmd --demo ended")
        return tm("ping", check=False).returncode == 0

    try:
        until(answered, "tm ping answers")
        yield container, tm
    finally:
        log = docker("logs", container, check=False)
        print(log.stdout, log.stderr)
        docker("rm", "--force", "--volumes", container)


def inspected(docker, what):
    return json.loads(docker("inspect", what).stdout)[0]


def test_it_runs_as_an_ordinary_user_with_a_fixed_number(docker, image, run):
    assert inspected(docker, image)["Config"]["User"] == "10001:10001"
    assert run("id").stdout.split()[:2] == ["uid=10001(tm)", "gid=10001(tm)"]


def test_it_declares_no_volume(docker, image):
    """Under DockerOperator each run would leave an anonymous one behind."""
    assert not inspected(docker, image)["Config"].get("Volumes")


def test_its_folders_are_its_own_and_nobody_elses(run):
    shown = run("stat", "-c", "%u:%g %a", "/var/lib/trade-manager", "/run/trade-manager").stdout

    assert shown.splitlines() == ["10001:10001 770", "10001:10001 750"]


def test_an_init_is_the_first_process(run):
    assert run("cat", "/proc/1/comm").stdout == "tini\n"


def test_there_is_nothing_to_install_more_with(run):
    assert run("python", "-m", "pip", "--version", check=False).returncode == 1


def test_a_command_runs_as_given(run):
    assert "Usage" in run("tm", "--help").stdout
    assert "0.1.0" in run("tmd", "--version").stdout


def test_a_client_without_a_daemon_says_so(run):
    assert run("tm", "ping", check=False).returncode == 3


def test_the_daemon_answers_from_another_container(daemon):
    """Over a volume with the socket, with a read-only root and no network on either side."""
    _, tm = daemon

    assert json.loads(tm("ping", "--json").stdout)["ok"] is True
    assert tm("health").returncode == 0


def test_the_daemon_is_healthy_by_its_own_check(docker, daemon):
    container, _ = daemon
    command = inspected(docker, container)["Config"]["Healthcheck"]["Test"]

    assert command[0] == "CMD"
    assert docker("exec", container, *command[1:]).returncode == 0


def test_a_stop_is_clean(docker, daemon):
    """Within the five seconds before docker would kill it, which would be exit 137."""
    container, _ = daemon

    docker("stop", "--time", "5", container)

    assert inspected(docker, container)["State"]["ExitCode"] == 0
