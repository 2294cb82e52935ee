"""The repository keeps its own promises."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("daemon", "control", "strategies", "state")
SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "core", "base"}
LONG_FOR_A_REASON = {  # path: why it is past 300 lines and still one thing
    "daemon/life.py": "one run from its first part to its last, in the order that matters",
    "daemon/handlers.py": "one case a request: the closed list of all that is answered",
    "strategies/kernels.py": "one walk over the bars; numba inlines what a call would hide",
    "state/settings.py": "every key with its meaning: the closed list of all that can be set",
    "state/command.py": "one class a command: the closed list of all that can be asked",
    "state/event.py": "one class an event: the closed list of all that can happen",
}
SEAMS = [  # the only files that may touch the real time, chance, store and network
    "daemon/brokers/paper_book.py",
    "daemon/clock.py",
    "daemon/page/listener.py",
    "daemon/pool.py",
    "daemon/server.py",
    "daemon/store.py",
    "daemon/workers.py",
    "state/journal.py",
]
DIRECT_USE = [
    "import datetime\nat = datetime.datetime.now(datetime.UTC)",
    "import time\nat = time.time()",
    "from time import monotonic\nat = monotonic()",
    "import asyncio\n\n\nasync def f():\n    await asyncio.sleep(1)",
    "import random\nchance = random.random()",
    "import secrets\nkey = secrets.token_hex()",
    "from uuid import uuid4\nkey = uuid4()",
    "import os\nseed = os.urandom(8)",
    "import sqlite3\ndb = sqlite3.connect('x')",
    "import aiosqlite\ndb = aiosqlite.connect('x')",
    "import asyncio\nwire = asyncio.open_unix_connection('x')",
    "import threading\nworker = threading.Thread()",
    "import subprocess\nsubprocess.run(['true'])",
    "from concurrent.futures import ProcessPoolExecutor\npool = ProcessPoolExecutor()",
]


def modules():
    """Our own modules, as paths from the root."""
    return [p.relative_to(ROOT) for folder in FOLDERS for p in (ROOT / folder).rglob("*.py")]


def committed():
    """Every file git keeps, or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [file for name in listed.stdout.splitlines() if (file := ROOT / name).is_file()]


def lint(file, source):
    """What ruff, under our configuration, says of `source` as if it stood in `file`."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    return subprocess.run(
        [*command, "--select", "TID251", "--stdin-filename", str(ROOT / file), "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


@pytest.mark.parametrize("name", FOLDERS)
def test_nobody_else_installs_our_folder_names(name):
    """python-daemon installs `daemon` and python-control installs `control`."""
    assert set(packages_distributions()[name]) == {"trade-manager"}


def test_it_cannot_be_uploaded_by_mistake():
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_every_file_is_named_for_what_it_holds():
    assert not [str(p) for p in modules() if p.stem in SAY_NOTHING]


def test_a_long_module_has_a_reason():
    long = {str(p) for p in modules() if len((ROOT / p).read_text().splitlines()) > 300}

    assert long == set(LONG_FOR_A_REASON)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_in_one_sentence_what_it_is(folder):
    for file in (ROOT / folder).rglob("__init__.py"):
        text = file.read_text().strip()
        assert re.fullmatch(r'"""[^"]+\."""', text), f"{file}: one sentence, and no code"


@pytest.mark.parametrize("source", DIRECT_USE, ids=lambda s: s.splitlines()[-1].strip())
@pytest.mark.parametrize("file", ["daemon/engine.py", "state/decider.py", "strategies/sizing.py"])
def test_the_lint_refuses_the_real_world_outside_the_seams(file, source):
    assert "TID251" in lint(file, source)


def test_what_is_injected_is_not_refused():
    assert "TID251" not in lint(
        "daemon/engine.py", "def f(clock, at):\n    return clock.now() - at"
    )


def test_the_seams_are_few_and_named():
    ignores = PROJECT["tool"]["ruff"]["lint"]["per-file-ignores"]
    free = {file for file, codes in ignores.items() if "TID251" in codes}

    assert free == {"bench/**", "control/**", "tests/**", *SEAMS}


def test_nobody_waives_the_lint_of_the_seams_line_by_line():
    waived = re.compile(r"noqa(:[^#]*TID251|\s*$)|ruff: *noqa", re.MULTILINE)

    assert not [str(p) for p in modules() if waived.search((ROOT / p).read_text())]


def test_the_client_starts_without_the_heavy_libraries():
    """`tm` is run by the minute; numpy alone costs more than the rest of it."""
    program = "import control.cli, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "pandas", "pyarrow", "numba", "jax", "ib_async", "exchange_calendars"}

    assert not heavy & set(done.stdout.split())


def test_no_committed_file_names_a_package_registry():
    hosts = re.compile(
        r"\b(pypi|files|registry|deb|ftp|archive)[\w-]*\.[\w.-]*(org|com|io)\b"
        r"|https?://\S+/simple\b|index-url[= ]+http"
    )
    named = {
        f"{file.relative_to(ROOT)}: {found.group()}"
        for file in committed()
        if file != Path(__file__) and (found := hosts.search(file.read_text(errors="replace")))
    }

    assert not named


def test_every_dependency_is_pinned_with_hashes():
    for name in (
        "requirements.txt",
        "requirements-slim.txt",
        "requirements-build.txt",
        "requirements-dev.txt",
    ):
        lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
        wanted = [line for line in lines if line and not line.lstrip().startswith("#")]
        assert wanted
        assert not [line for line in wanted if "==" not in line or "--hash=sha256:" not in line]


def test_tests_run_on_what_is_shipped():
    def pins(name):
        text = (ROOT / name).read_text()
        return set(re.findall(r"^([a-z0-9-]+==\S+(?: ; .*)?) \\$", text, re.MULTILINE))

    assert pins("requirements-slim.txt") < pins("requirements.txt") < pins("requirements-dev.txt")


def test_versions_agree():
    """What is installed is what is declared, and the changelog knows no newer one."""
    declared = PROJECT["project"]["version"]
    headings = re.findall(
        r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )

    assert version("trade-manager") == declared
    assert headings[0] == "Unreleased"
    assert headings[1:2] in ([], [declared])


def test_every_entry_point_is_there():
    groups = ("console_scripts", "trade_manager.strategies")
    points = [point for group in groups for point in entry_points(group=group)]
    ours = [p for p in points if p.dist is not None and p.dist.name == "trade-manager"]

    assert {e.name for e in ours} >= {"tm", "tmd", "inverse_volatility"}
    for point in ours:
        assert point.load()


@pytest.mark.parametrize("script", sorted(p.name for p in (ROOT / "scripts").iterdir()))
def test_a_script_runs_and_stops_at_the_first_error(script):
    file = ROOT / "scripts" / script
    text = file.read_text()

    assert file.stat().st_mode & 0o111, "no run bit"
    assert "set -euo pipefail" in text
    subprocess.run(["bash", "-n", file], check=True)


def test_the_dockerfile_needs_nothing_but_a_docker_engine():
    """These fail with the built-in frontend, or fetch one from a registry."""
    text = (ROOT / "Dockerfile").read_text()

    assert not re.search(r"^# *syntax=|<<|--link\b|^VOLUME", text, re.MULTILINE)
