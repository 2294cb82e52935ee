"""Which area each test belongs to, what each area took, and what was skipped and why.

`scripts/test` runs pytest with `--areas-json FILE` and prints the files with
`python -m tests.areas`; the areas and their budgets are those of one run on two cores.
"""

import json
import os
import re
import sys
import time
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest

BUDGETS = {  # seconds
    "set-up": 180,
    "units": 240,
    "kills and socket": 120,
    "simulation": 240,
    "MQTT": 60,
    "IB": 120,
    "evolution and beliefs": 180,
    "Airflow and image": 360,
    "browser": 60,
}
FOLDERS = {  # the first part of a path under tests/; what is not here is a unit
    "kills": "kills and socket",
    "socket": "kills and socket",
    "simulation": "simulation",
    "mqtt": "MQTT",
    "ib": "IB",
    "evolution": "evolution and beliefs",
    "beliefs": "evolution and beliefs",
    "airflow": "Airflow and image",
    "image": "Airflow and image",
    "browser": "browser",
}
MARKED = re.compile(r"""\.area\(["']([^"']+)["']\)""")
MEASURED = {  # folders and files whose tests count as coverage; tracing takes its time
    "state",
    "test_retention.py",
    "test_statement.py",
    "test_halts.py",
    "test_recovery.py",
}
RECORDER = pytest.StashKey["Recorder"]()


def pytest_addoption(parser):
    group = parser.getgroup("areas")
    group.addoption("--only-area", action="append", default=[], choices=BUDGETS)
    group.addoption("--without-area", action="append", default=[], choices=BUDGETS)
    group.addoption("--areas-json", type=Path, help="write what each area took to this file")
    group.addoption("--nightly", action="store_true", help="run the nightly tier too")


def pytest_configure(config):
    config.addinivalue_line("markers", "area(name): the area whose time this test takes")
    config.addinivalue_line("markers", "nightly: too long for every run; needs --nightly")
    recorder = Recorder(config)
    config.stash[RECORDER] = recorder
    config.pluginmanager.register(recorder, "areas-recorder")


def pytest_ignore_collect(collection_path, config):
    """Leave unread what holds no test of a wanted area: all of it takes as long as many tests."""
    if not fnmatch(collection_path.name, "test_*.py"):
        return None
    marked = MARKED.findall(collection_path.read_text("utf-8"))
    areas = {area_of(collection_path, config.rootpath), *marked}
    return None if any(wanted(area, config) for area in areas) else True


def wanted(area: str, config: pytest.Config) -> bool:
    """Return whether tests of an area were asked for."""
    only, without = config.getoption("--only-area"), config.getoption("--without-area")
    return (not only or area in only) and area not in without


def area_of(path: Path, root: Path, marker: pytest.Mark | None = None) -> str:
    """The area of a test in `path`; a marker `area(name)` wins over the folder."""
    if marker is not None:
        if marker.args[0] not in BUDGETS:
            raise pytest.UsageError(f"{path}: no area {marker.args[0]!r}; known: {list(BUDGETS)}")
        return marker.args[0]
    parts = path.relative_to(root / "tests").parts if path.is_relative_to(root / "tests") else ("",)
    return FOLDERS.get(parts[0], "units")


def strict() -> bool:
    """Whether a skip is a failure: on a machine that can install whatever is missing."""
    return os.environ.get("TM_REQUIRE") == "all"


def refused_if_skipped(report, reason):
    """Turn a skip into a failure where nothing may be skipped."""
    if strict() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and TM_REQUIRE=all forbids it: {reason}"


def skip_reason(report) -> str:
    """Why a skipped test was skipped."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


class Recorder:
    """Selects tests by area and keeps the time, the outcome and the skips of each."""

    def __init__(self, config: pytest.Config):
        self.config = config
        self.began = time.monotonic()
        self.busy: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.skips: list[dict[str, str]] = []

    def pytest_collection_modifyitems(self, config, items):
        kept, dropped = [], []
        for item in items:
            area = area_of(item.path, config.rootpath, item.get_closest_marker("area"))
            item.user_properties.append(("area", area))
            late = item.get_closest_marker("nightly") and not config.getoption("--nightly")
            (kept if wanted(area, config) and not late else dropped).append(item)
            if config.getoption("cov_source", None) and MEASURED.isdisjoint(item.path.parts):
                item.add_marker("no_cover")
        items[:] = kept
        if dropped:
            config.hook.pytest_deselected(items=dropped)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        refused_if_skipped(report, skip_reason(report))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        report = yield
        refused_if_skipped(report, skip_reason(report))
        return report

    def pytest_collectreport(self, report):
        if report.skipped:
            self.skips.append({"test": report.nodeid, "reason": skip_reason(report)})
        self.outcomes["failed"] += report.failed

    def pytest_runtest_logreport(self, report):
        area = dict(report.user_properties).get("area", "units")
        self.busy[area] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.tests[area] += report.when != "teardown"
            self.outcomes[report.outcome] += 1
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skips.append({"test": report.nodeid, "reason": skip_reason(report)})

    def pytest_sessionfinish(self):
        file = self.config.getoption("--areas-json")
        if file is None or hasattr(self.config, "workerinput"):  # a worker of pytest-xdist
            return
        # shared out by what each area's tests took, so that a parallel run counts once
        wall, busy = time.monotonic() - self.began, sum(self.busy.values()) or 1
        seconds = {area: wall * took / busy for area, took in self.busy.items()}
        record = {
            "seconds": seconds,
            "tests": self.tests,
            "outcomes": self.outcomes,
            "skips": self.skips,
        }
        file.write_text(json.dumps(record))


def table(records: list[dict], shell_seconds: dict[str, float]) -> list[str]:
    """Lines of time by area against its budget, then of every skip with its reason.

    records        what `--areas-json` wrote, one for each run of pytest
    shell_seconds  area to what was spent in it outside pytest (set-up, checks)
    """
    seconds, tests, outcomes = Counter(shell_seconds), Counter(), Counter()
    skips = []
    for record in records:
        seconds.update(record["seconds"])
        tests.update(record["tests"])
        outcomes.update(record["outcomes"])
        skips += record["skips"]
    rows = [("area", "seconds", "budget", "tests", "over?")]
    for area, budget in BUDGETS.items():
        took = seconds[area]
        if took or tests[area]:
            over = "OVER" if took > budget else ""
            rows.append((area, f"{took:.1f}", str(budget), str(tests[area] or ""), over))
    rows.append(("all", f"{seconds.total():.1f}", "", str(tests.total()), ""))
    lines = ["{:<24}{:>9}{:>9}{:>8}  {}".format(*row).rstrip() for row in rows]
    lines += ["", f"skipped: {len(skips) or 'none'}"]
    lines += [f"  {skip['test']}: {skip['reason']}" for skip in skips]
    counts = f"{outcomes['passed']} passed, {outcomes['failed']} failed"
    return [*lines, "", counts + (f", {len(skips)} skipped" if skips else "")]


def main(arguments: list[str]) -> int:
    """Print the table; arguments are files, or `AREA=SECONDS` for what pytest did not see."""
    shell_seconds: Counter[str] = Counter()
    records = []
    for argument in arguments:
        area, equals, seconds = argument.partition("=")
        if equals:
            shell_seconds[area] += float(seconds)
        elif Path(argument).exists():  # a run that broke before its end left none
            records.append(json.loads(Path(argument).read_text()))
    print("\n".join(table(records, shell_seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
