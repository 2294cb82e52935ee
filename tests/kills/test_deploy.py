"""What is deployed, held to the tools that will read it: promtool and systemd-analyze."""

import re
import shutil
import subprocess
import sys
from urllib.request import urlopen

import msgspec
import pytest

from tests.kills.test_telling import CONFIGURATION
from tests.tmd import ROOT, Tmd

pytestmark = pytest.mark.nightly
DEPLOY = ROOT / "deploy"


def tool(name, package):
    """A program of Debian's, skipped where it isn't installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def ran(*arguments, **how):
    done = subprocess.run(arguments, capture_output=True, text=True, **how)
    return done.returncode, done.stdout + done.stderr


def test_prometheus_takes_the_rules_and_the_configuration(tmp_path):
    promtool = tool("promtool", "prometheus")
    rules = DEPLOY / "prometheus-rules.yml"
    code, said = ran(promtool, "check", "rules", "--lint-fatal", str(rules))
    assert (code, "rules found" in said) == (0, True), said

    here = (DEPLOY / "prometheus.yml").read_text().replace("/etc/prometheus/rules.yml", str(rules))
    assert str(rules) in here
    (tmp_path / "prometheus.yml").write_text(here)
    code, said = ran(promtool, "check", "config", str(tmp_path / "prometheus.yml"))
    assert code == 0, said


def test_prometheus_finds_nothing_to_say_of_the_metrics(tmp_path):
    promtool = tool("promtool", "prometheus")
    with Tmd(tmp_path / "tmd", CONFIGURATION) as tmd:
        tmd.start().ready()
        lines = map(msgspec.json.decode, tmd.said().splitlines())
        address = next(line["url"] for line in lines if line["event"] == "page")
        with urlopen(f"{address}metrics") as answer:
            text = answer.read().decode()

    code, said = ran(promtool, "check", "metrics", input=text)
    assert (code, said.strip()) == (0, "")


def test_systemd_takes_the_unit(tmp_path):
    analyze = tool("systemd-analyze", "systemd")
    text = (DEPLOY / "trade-manager.service").read_text()
    here, programs = re.subn(
        r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE
    )
    assert programs == 1
    unit = tmp_path / "trade-manager.service"
    unit.write_text(here)

    code, said = ran(analyze, "verify", str(unit))
    assert (code, said.strip()) == (0, "")

    unit.write_text(here.replace("WatchdogSec=90", "WatchdogSec=often"))
    code, said = ran(analyze, "verify", str(unit))
    assert "often" in said  # it does read the file
