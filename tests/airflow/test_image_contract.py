"""What DockerOperator and its users rely on in the image, checked on a real engine.

`scripts/test tests/airflow/test_image_contract.py` is the check to run on an image of one's own.
"""

import json
import subprocess
import time

import pytest

from control.protocol import Exit
from tests.airflow.hub import environment

pytestmark = pytest.mark.timeout(420)
TIMES = 20


def attached(docker, daemon, *command):
    """Run `tm` as DockerOperator does; return what it wrote, as the chunks the engine sent.

    The engine's stream is read as it comes: stdout and stderr merged by it, one chunk a frame.
    """
    created = docker(
        "create", *daemon.socket, "--read-only", "--env", "TM_XCOM=1", daemon.image, "tm", *command
    )
    container = created.stdout.strip()
    with subprocess.Popen(
        [docker.client, "start", "--attach", container],
        env=docker.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        said, _ = client.communicate(timeout=60)
    docker("rm", container)
    return said, client.returncode


def test_the_last_line_is_whole_twenty_times_of_twenty(docker, daemon):
    """Whatever the command says before; the newline belongs to it."""
    for _ in range(TIMES):
        said, code = attached(docker, daemon, "status")
        assert code == 0
        assert said.endswith(b"\n")
        assert json.loads(said.splitlines()[-1])["command"] == "status"
        assert len(said.splitlines()[-1]) < 4096


def test_the_last_chunk_is_whole_twenty_times_of_twenty(docker, daemon):
    """Docker providers before 4.5.1 take the last chunk of the stream: one write, one chunk."""
    program = (
        "import docker, sys\n"
        "api = docker.APIClient(base_url=sys.argv[1])\n"
        "host = api.create_host_config(network_mode='none', mounts=[docker.types.Mount("
        "source=sys.argv[3], target='/run/trade-manager', type='volume')])\n"
        f"for _ in range({TIMES}):\n"
        "    one = api.create_container(sys.argv[2], ['tm', 'events', '--limit', '60'],"
        " environment={'TM_XCOM': '1'}, host_config=host, user='10001:10001')['Id']\n"
        "    stream = api.attach(one, stdout=True, stderr=True, stream=True)\n"
        "    api.start(one)\n"
        "    chunks = list(stream)\n"
        "    assert api.wait(one)['StatusCode'] == 0\n"
        "    api.remove_container(one)\n"
        "    print(chunks[-1].decode(), end='')\n"
    )
    python = f"{environment('3.0.0')}/bin/python"
    done = subprocess.run(
        [python, "-c", program, docker.host, daemon.image, daemon.run_volume],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    chunks = done.stdout.splitlines()
    assert len(chunks) == TIMES
    assert {json.loads(chunk)["command"] for chunk in chunks} == {"events"}


def test_exit_codes_pass_through(daemon, run):
    socket = ("--read-only", *daemon.socket)

    def code(*command):
        return run("tm", *command, options=socket, check=False).returncode

    assert code("ping") == Exit.DONE
    assert code("plan", "--nonsense") == Exit.USAGE
    assert code("execute", "no-such-plan") == Exit.NOT_FOUND
    late = ("--scheduled-for", "2020-01-01T00:00:00Z", "--max-lateness", "1m")
    assert code("plan", *late) == Exit.NOTHING
    assert run("tm", "ping", check=False).returncode == Exit.UNREACHABLE
    assert run("tmd", "--config", "/none.toml", check=False).returncode == Exit.INVALID


def test_arguments_arrive_as_given(daemon, run):
    """No shell in between: a reason with every character that one would eat."""
    reason = """a "quoted" 'word' $HOME `id` * ; && \\ ünïcode"""
    options = ("--read-only", *daemon.socket)

    run("tm", "halt", "--reason", reason, options=options)

    assert daemon.ask("status")["data"]["halted"]["reason"] == reason


def test_it_runs_with_nothing_granted(docker, daemon, run):
    """No capability, no new privilege, nothing to write to, no network, and few processes."""
    bare = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--read-only")
    limits = ("--pids-limit", "16", "--memory", "256m")

    assert run("tm", "status", options=(*bare, *limits, *daemon.socket)).returncode == 0
    status = docker("exec", daemon.container, "cat", "/proc/1/status").stdout
    held = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")]
    assert held == ["0000000000000000"]


def test_a_client_that_is_stopped_ends_at_once(docker, daemon):
    """`docker stop` and Airflow's on_kill send SIGTERM and wait ten seconds."""
    started = docker(
        "run", "--detach", *daemon.socket, "--env", "TM_XCOM=1", daemon.image,
        *("tm", "events", "--follow", "--timeout", "600"),
    )  # fmt: skip
    container = started.stdout.strip()
    began = time.monotonic()
    docker("stop", "--time", "10", container)

    assert time.monotonic() - began < 5
    assert docker.inspect(container)["State"]["ExitCode"] != 137, "it did not have to be killed"
    docker("rm", container)
