"""`tm doctor` and `tm watch`, as whoever runs them sees them."""

import os
import pty
import signal
import socket
import subprocess
import sys

import pytest

from tests.control.samples import REPLIES
from tests.control.scripted import saying, serving
from tests.control.terminal import tm


@pytest.fixture
def daemon(tmp_path):
    with serving(tmp_path / "s", saying(**REPLIES)) as daemon:
        yield daemon


def graded(ran):
    return {check["name"]: check["grade"] for check in ran.envelope["data"]["checks"]}


def test_without_a_daemon_the_doctor_says_how_to_start_one(tmp_path):
    env = {"TM_STATE": str(tmp_path)}
    ran = tm("doctor", "--json", "--socket", str(tmp_path / "none"), env=env)

    assert ran.exit == 12
    assert graded(ran)["daemon"] == "bad"
    assert "tmd" in ran.envelope["data"]["checks"][-1]["remedy"]


def test_a_broken_configuration_is_found_before_the_daemon_is_asked(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[risk]\nmax_gros = 1\n")
    env = {"TM_CONFIG": str(file), "TM_STATE": str(tmp_path)}
    ran = tm("doctor", "--json", "--socket", str(tmp_path / "none"), env=env)

    configuration = ran.envelope["data"]["checks"][0]
    assert configuration["grade"] == "bad"
    assert "max_gross" in configuration["found"]  # the nearest known key


def test_a_halt_file_is_found(tmp_path):
    (tmp_path / "halt").write_text("{}")
    env = {"TM_STATE": str(tmp_path)}
    ran = tm("doctor", "--json", "--socket", str(tmp_path / "none"), env=env)

    assert graded(ran)["halt file"] == "warn"


def test_a_daemon_is_asked_who_and_how_it_is_and_for_an_audit(daemon, tmp_path):
    ran = tm("doctor", "--json", "--socket", daemon.path, env={"TM_STATE": str(tmp_path)})
    names = graded(ran)

    assert names["daemon"] == names["health"] == "ok"
    assert {check["name"] for check in REPLIES["audit"].data["checks"]} <= names.keys()
    assert (ran.exit == 0) == ("bad" not in names.values())


def test_no_drill_beside_a_daemon(daemon, tmp_path):
    ran = tm(
        "doctor", "--drill", "--json", "--socket", daemon.path, env={"TM_STATE": str(tmp_path)}
    )

    assert (ran.exit, ran.envelope["error"]["code"]) == (6, "NO_DRILL")
    assert "a daemon runs" in ran.envelope["error"]["message"]


def test_no_drill_where_a_daemon_may_be_that_answers_nothing(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        words = ("doctor", "--drill", "--json", "--timeout", "0.2", "--socket", str(tmp_path / "s"))
        ran = tm(*words, env={"TM_STATE": str(tmp_path)})

    assert (ran.exit, ran.envelope["error"]["code"]) == (6, "NO_DRILL")
    assert graded(ran)["daemon"] == "bad"


def test_that_the_daemon_is_stopped_is_no_finding_of_a_drill(tmp_path):
    env = {"TM_STATE": str(tmp_path)}
    ran = tm("doctor", "--drill", "--json", "--socket", str(tmp_path / "none"), env=env)

    assert graded(ran)["daemon"] == "ok"
    assert ran.envelope["error"]["code"] == "NO_DRILL"  # for there is no gateway to drill at
    assert "daemon runs" not in ran.envelope["error"]["message"]


def test_watch_needs_a_terminal(daemon):
    ran = tm("watch", "--socket", daemon.path)

    assert ran.exit == 2


def test_watch_draws_until_it_is_interrupted_and_puts_the_terminal_back(daemon):
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", "import sys; from control.cli import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*words, "watch", "--interval", "0.2", "--socket", daemon.path],
        stdout=theirs, stderr=theirs, stdin=theirs,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while b"AAPL" not in seen or seen.count(b"\x1b[H") < 2:
        seen += os.read(ours, 65_536)
    process.send_signal(signal.SIGINT)
    try:
        while piece := os.read(ours, 65_536):
            seen += piece
    except OSError:  # how a pty says that the other end is gone
        pass

    assert process.wait() == 0
    assert seen.startswith(b"\x1b[?1049h")
    assert b"\x1b[?1049l" in seen
