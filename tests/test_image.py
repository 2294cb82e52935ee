"""The image is ordinary: what runs in it, as whom, and how it stops."""

import json

import pytest

FULL = "trade-manager:test-full"
pytestmark = [pytest.mark.area("Airflow and image"), pytest.mark.timeout(420)]


def test_it_runs_as_an_ordinary_user_with_a_fixed_number(docker, image, run):
    assert docker.inspect(image)["Config"]["User"] == "10001:10001"
    assert run("id").stdout.split()[:2] == ["uid=10001(tm)", "gid=10001(tm)"]


def test_it_declares_no_volume(docker, image):
    """Under DockerOperator each run would leave an anonymous one behind."""
    assert not docker.inspect(image)["Config"].get("Volumes")


def test_its_folders_are_its_own_and_nobody_elses(run):
    """An empty volume mounted on one takes its owner and its mode."""
    folders = ["/var/lib/trade-manager", "/reports", "/run/trade-manager"]
    shown = run("stat", "-c", "%u:%g %a", *folders).stdout

    assert shown.splitlines() == ["10001:10001 770", "10001:10001 770", "10001:10001 750"]


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
    assert json.loads(daemon.tm("ping", "--json").stdout)["ok"] is True
    assert daemon.tm("health").returncode == 0


def test_the_daemon_is_healthy_by_its_own_check(docker, daemon):
    command = docker.inspect(daemon.container)["Config"]["Healthcheck"]["Test"]

    assert command[0] == "CMD"
    assert docker("exec", daemon.container, *command[1:]).returncode == 0


def test_a_stop_is_clean(docker, daemon):
    """Within the five seconds before docker would kill it, which would be exit 137."""
    docker("stop", "--time", "5", daemon.container)

    assert docker.inspect(daemon.container)["State"]["ExitCode"] == 0


def test_the_slim_image_says_what_to_do_instead_of_changing_the_engine(docker, image):
    """It has no jax: the engine is chosen in the configuration, and never for anybody."""
    check = ("run", "--rm", "--env", "TM_STRATEGY__NAME=active_inference")
    tmd = (image, "tmd", "--demo", "--check")
    refused = docker(*check, *tmd, check=False)
    chosen = docker(*check, "--env", "TM_BELIEFS__ENGINE=numpy", *tmd)

    assert refused.returncode == 7
    assert 'beliefs.engine = "numpy"' in refused.stderr
    assert chosen.returncode == 0


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_the_full_image_is_the_default_and_has_what_the_slim_one_lacks(docker, image):
    docker("build", "--tag", FULL, ".")
    try:
        check = ("run", "--rm", "--env", "TM_STRATEGY__NAME=active_inference", FULL)
        docker(*check, "tmd", "--demo", "--check")
        slim, full = (docker.inspect(name)["Size"] for name in (image, FULL))
        assert slim < full - 400_000_000
    finally:
        docker("image", "rm", "--force", FULL)
