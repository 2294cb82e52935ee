"""The closing table of scripts/test tells the truth about time and about what was skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.areas import BUDGETS, area_of, table

ROOT = Path(__file__).parent.parent
SAMPLE = """
import pytest

def test_passes(): pass

@pytest.mark.skip(reason="no engine here")
def test_skipped(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): assert False

@pytest.mark.nightly
def test_long(): pass

@pytest.mark.area("simulation")
def test_elsewhere(): pass
"""


def run(folder, *arguments, **environment):
    """Run pytest with the plugin on the sample in a folder of its own."""
    file = folder / "tests" / "test_sample.py"
    file.parent.mkdir()
    file.write_text(SAMPLE)
    record = folder / "areas.json"
    command = [sys.executable, "-m", "pytest", "-p", "tests.areas", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(folder), "-c", os.devnull, "--areas-json", str(record), *arguments]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TM_", "PYTEST_", "COV"))}
    done = subprocess.run(
        [*command, str(file)],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, json.loads(record.read_text())


def test_a_skip_is_recorded_with_its_reason(tmp_path):
    done, record = run(tmp_path)

    assert done.returncode == 0
    assert [skip["reason"] for skip in record["skips"]] == ["no engine here"]
    assert record["tests"] == {"units": 3, "simulation": 1}


def test_a_skip_fails_where_everything_is_required(tmp_path):
    done, record = run(tmp_path, TM_REQUIRE="all")

    assert done.returncode == 1
    assert "TM_REQUIRE=all forbids it: no engine here" in done.stdout
    assert record["outcomes"]["failed"] == 1
    assert not record["skips"]


@pytest.mark.parametrize(
    ("arguments", "counts"),
    [
        pytest.param(["--nightly"], {"units": 4, "simulation": 1}, id="nightly adds the long tier"),
        pytest.param(["--only-area", "simulation"], {"simulation": 1}, id="one area alone"),
        pytest.param(["--without-area", "simulation"], {"units": 3}, id="all but one area"),
        pytest.param(
            ["--numprocesses", "2"], {"units": 3, "simulation": 1}, id="in parallel, counted once"
        ),
    ],
)
def test_areas_are_chosen_and_counted(tmp_path, arguments, counts):
    assert run(tmp_path, *arguments)[1]["tests"] == counts


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("tests/state/test_ledger.py", "units"),
        ("tests/kills/test_kill.py", "kills and socket"),
        ("tests/airflow/test_dags.py", "Airflow and image"),
        ("tests/test_areas.py", "units"),
    ],
)
def test_a_folder_names_the_area(path, area):
    assert area_of(ROOT / path, ROOT) == area


def test_an_unknown_area_is_refused():
    with pytest.raises(pytest.UsageError, match="no area 'units!'"):
        area_of(ROOT / "tests/x.py", ROOT, pytest.mark.area("units!").mark)


def test_the_table_adds_runs_up_and_marks_what_is_over():
    record = {
        "seconds": {"units": 200.0, "MQTT": 12.0},
        "tests": {"units": 900, "MQTT": 4},
        "outcomes": {"passed": 902, "failed": 1, "skipped": 1},
        "skips": [{"test": "tests/mqtt/test_feed.py::test_tls", "reason": "no broker"}],
    }

    lines = table([record], {"set-up": 30.0, "units": 41.0})

    assert [line.split() for line in lines[:5]] == [
        ["area", "seconds", "budget", "tests", "over?"],
        ["set-up", "30.0", "180"],
        ["units", "241.0", "240", "900", "OVER"],
        ["MQTT", "12.0", "60", "4"],
        ["all", "283.0", "904"],
    ]
    assert "  tests/mqtt/test_feed.py::test_tls: no broker" in lines
    assert lines[-1] == "902 passed, 1 failed, 1 skipped"


def test_every_minute_of_the_budget_is_accounted_for():
    assert sum(BUDGETS.values()) == 26 * 60
