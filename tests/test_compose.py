"""The compose file hardens what it starts, and both generations of compose read it."""

import json
import re
import shutil

import pytest
import yaml

from state.configuration import decode
from tests.engine import ROOT, until

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little(name):
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]
    assert "privileged" not in service
    assert service["read_only"] or name == "ib-gateway", "it writes where it is installed"


def test_only_the_dashboard_listens_on_the_machine_and_on_loopback():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert ports == {"grafana": ["127.0.0.1:3000:3000"]}


def test_what_need_not_reach_the_internet_cannot():
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"ib-gateway", "grafana"}


def test_the_daemon_alone_starts_without_a_profile():
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}

    assert profiles == {
        "tmd": None,
        "mosquitto": ["mosquitto"],
        "ib-gateway": ["ib"],
        "prometheus": ["metrics"],
        "grafana": ["metrics"],
    }


def test_no_secret_is_written_in_it():
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|CONN|USERID", key):
                assert key.endswith("FILE"), f"{name}: {key}"
                assert str(value).startswith(("/run/secrets/", "${")), f"{name}: {key}"


def test_its_volumes_are_those_the_dags_name():
    operator = (DEPLOY / "airflow-hub/plugins/trade_manager/tm_operator.py").read_text()
    named = set(re.findall(r'"(trade-manager_\w+)"', operator))

    assert named == {"trade-manager_run", "trade-manager_reports", "trade-manager_backups"}
    assert named <= {volume["name"] for volume in COMPOSE["volumes"].values()}


def test_the_settings_it_mounts_are_valid():
    mounted = [v for v in SERVICES["tmd"]["volumes"] if v.endswith("config.toml:ro")]
    file = DEPLOY / mounted[0].split(":")[0]

    assert decode(file.read_text(), str(file), {}).settings.account.id == "PAPER"


@pytest.mark.nightly
@pytest.mark.area("Airflow and image")
@pytest.mark.timeout(420)
def test_it_comes_up_stays_up_and_keeps_its_state(docker, image, tmp_path):
    """With compose v1, which refuses more than v2; the daemon answers, is stopped, and resumes."""
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("no docker-compose; run: apt-get install -y docker-compose")
    docker("tag", image, "trade-manager:compose-test")
    docker.environment |= {"TM_VERSION": "compose-test", "TM_SECRETS": str(tmp_path)}
    file = ("-p", "tmtest", "-f", DEPLOY / "compose.yaml")

    def run(*arguments, check=True):
        return docker(*file, *arguments, program=compose, check=check)

    profiles = [word for name in ("mosquitto", "ib", "metrics") for word in ("--profile", name)]
    assert yaml.safe_load(run(*profiles, "config").stdout)["services"].keys() == SERVICES.keys()
    try:
        run("up", "--no-build", "--detach")
        tm = ("exec", "-T", "tmd", "tm")
        until(lambda: run(*tm, "ping", check=False).returncode == 0, "tm ping answers")
        run(*tm, "halt", "--reason", "drill")
        held = docker.inspect(run("ps", "-q", "tmd").stdout.strip())["HostConfig"]
        assert held["ReadonlyRootfs"]
        assert held["CapDrop"] == ["ALL"]
        run("restart", "tmd")
        until(lambda: run(*tm, "ping", check=False).returncode == 0, "tm ping answers")
        status = json.loads(run(*tm, "status", "--json").stdout)
        assert status["data"]["halted"]["reason"] == "drill"
        run("stop", "--timeout", "10")
        ended = docker.inspect(run("ps", "-q", "tmd").stdout.strip())["State"]["ExitCode"]
        assert ended == 0
    finally:
        run("down", "--volumes")
        docker("rmi", "trade-manager:compose-test")
