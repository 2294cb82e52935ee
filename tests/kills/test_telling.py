"""Alerts, the dead man's ping, systemd and the metrics, of a real daemon."""

import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import pytest
import yaml

from state.alert import AlertKind
from state.command import Halt, Resume
from tests.tmd import DEADLINE, ROOT, Tmd

QUIET = 3.0  # seconds, three of the signs that come each second
DEPLOY = ROOT / "deploy"
CONFIGURATION = """\
[replay]
start = 1990-01-02
pace = 5
[risk]
max_position_weight = 1.0
max_day_loss = 1.0
max_drawdown = 1.0
max_day_turnover = 100.0
[telemetry]
http = "127.0.0.1:0"
[alerts]
ping_every = "1s"
"""


class Heard:
    """A web server that hears alerts and pings, and sends whoever asks elsewhere when told to."""

    def __enter__(self):
        heard = self
        self.alerts, self.pings, self.elsewhere, self.redirected = [], [], [], True

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if heard.redirected:
                    heard.redirected = False
                    self.send_response(302)
                    self.send_header("Location", "/elsewhere")
                else:
                    heard.alerts.append(body)
                    self.send_response(200)
                self.end_headers()

            def do_GET(self):
                into = heard.pings if self.path == "/ping" else heard.elsewhere
                into.append(time.monotonic())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Supervised(Tmd):
    """A daemon as systemd starts it, which is told where its alerts and pings go."""

    def __init__(self, folder, url):
        super().__init__(folder, CONFIGURATION)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "n"))
        self.url = url

    def __exit__(self, *ended):
        super().__exit__(*ended)
        self.notified.close()

    @property
    def environment(self):
        return super().environment | {
            "NOTIFY_SOCKET": str(self.folder / "n"),
            "WATCHDOG_USEC": "2000000",
            "TM_ALERTS__WEBHOOK": f"{self.url}/hook",
            "TM_ALERTS__PING": f"{self.url}/ping",
            "PYTHONPATH": str(ROOT),
        }

    def told_systemd(self, word):
        """Return what was said up to a word, which comes."""
        said = []
        self.notified.settimeout(DEADLINE)
        while word not in said:
            said.append(self.notified.recv(1024).decode())
        return said

    def quiet(self):
        """Return once no sign came for a while; fails when they go on."""
        self.notified.settimeout(QUIET)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                self.notified.recv(1024)
            except TimeoutError:
                return
        raise AssertionError("the signs go on")


def until(true):
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def silent(heard):
    """Return once no ping came for a while; fails when they go on."""
    until(lambda: time.monotonic() - heard.pings[-1] > QUIET)


@pytest.fixture
def heard():
    with Heard() as one:
        yield one


def test_a_life_that_is_told_of_and_its_silence(tmp_path, heard):
    with Supervised(tmp_path / "d", heard.url) as tmd:
        tmd.start()
        assert tmd.told_systemd("READY=1")[0] == "READY=1"
        assert tmd.data()["version"], "ready means that it answers"
        tmd.ready()
        tmd.told_systemd("WATCHDOG=1")
        assert tmd.ask(Halt("drill"), key="halt").ok
        until(lambda: heard.alerts)
        assert heard.elsewhere == [], "a redirect was followed"
        (alert,) = heard.alerts
        assert (alert["kind"], alert["turn"]) == ("HALTED", "raised")
        standing = tmd.data()
        assert [one["kind"] for one in standing["alerts"]] == ["HALTED"]
        assert heard.url not in tmd.said()
        until(lambda: len(heard.pings) > 1)
        offered = metrics(tmd)
        assert 'tm_alerts_standing{kind="HALTED"} 1.0' in offered
        assert 'tm_alert_deliveries_total{outcome="failed",way="webhook"} 1.0' in offered
        everything_drawn_is_offered(offered)
        tmd.kill()
        silent(heard)

        stalling = ("env", sys.executable, "-m", "tests.kills.stalling")
        tmd.start(under=stalling).ready()
        resume = Resume("over", accept_risk="Ann")
        assert tmd.ask(resume, key="resume").ok
        until(lambda: len(heard.alerts) > 1)
        assert [one["turn"] for one in heard.alerts] == ["raised", "cleared"]
        # who hears of it may hear it before the journal has it
        tmd.until(
            lambda: tmd.rows("SELECT count(*) FROM event WHERE type = 'alert_told'") == [(2,)]
        )
        pinged = len(heard.pings)
        until(lambda: len(heard.pings) > pinged)
        (tmd.state / "stall").touch()
        tmd.quiet()
        silent(heard)
        assert tmd.process.poll() is None, "the process is there: its loop stands still"


def metrics(tmd):
    """What is scraped."""
    (url,) = set(re.findall(r'"url":"(http://[^"]+)"', tmd.said()))
    with urlopen(f"{url}metrics", timeout=DEADLINE) as answer:
        return answer.read().decode()


def everything_drawn_is_offered(offered):
    """Hold every name of the dashboard and of the rules to what a daemon offers."""
    known = set(re.findall(r"^# TYPE (\w+)", offered, re.MULTILINE))
    known |= set(re.findall(r"^(tm_\w+)", offered, re.MULTILINE))
    for file in ("grafana-dashboard.json", "prometheus-rules.yml"):
        named = set(re.findall(r"\btm_\w+", (DEPLOY / file).read_text()))
        assert named, file
        assert named <= known, file


def test_every_alert_has_a_rule_and_every_rule_a_page():
    (group,) = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())["groups"]
    kinds = set()
    for rule in group["rules"]:
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]
        kinds |= set(re.findall(r'kind="(\w+)"', rule["expr"]))
    assert kinds == set(AlertKind)
