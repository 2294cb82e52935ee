"""What we ship passes the hub's own validation, on the Airflow it runs and on those it may run."""

import ast
import shutil
import subprocess

import pytest

from control.cli import COMMANDS
from tests.airflow.hub import SHIPPED, environment, settings
from tests.engine import ROOT

OTHERS = [pytest.param(v, marks=pytest.mark.nightly) for v in ("3.3.2", "2.11.2", "2.10.5")]


@pytest.fixture
def home(tmp_path):
    shutil.copytree(SHIPPED, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("version", ["3.0.0", *OTHERS])
def test_the_hubs_own_tests_pass(home, version):
    """`pytest tests/trade-manager` in the hub, as its owners run it."""
    command = [f"{environment(version)}/bin/python", "-m", "pytest", "-q", "-rs"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "tests/trade-manager"],
        cwd=home,
        env=settings(home),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


@pytest.mark.nightly  # on every run test_rebalance.py finds them in a running hub
@pytest.mark.parametrize("version", ["3.0.0", *OTHERS])
def test_airflow_finds_the_dags_and_their_pool(home, version):
    """Its own safe mode skips, without a word, a file that doesn't look like a DAG."""
    airflow = f"{environment(version)}/bin/airflow"

    def run(*arguments):
        done = subprocess.run(
            [airflow, *arguments], cwd=home, env=settings(home), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("db", "migrate")
    assert "trade_manager" in run("pools", "import", str(home / "config" / "pools.json")) + run(
        "pools", "list"
    )
    errors = run("dags", "list-import-errors")
    assert "No data found" in errors
    run("dags", "reserialize")
    listed = run("dags", "list", "--output", "plain")
    files = (SHIPPED / "dags" / "trade-manager").glob("dag_*.py")
    assert [f.stem for f in files if f.stem.removeprefix("dag_") not in listed] == []


def test_the_image_the_dags_name_is_this_version(home):
    version = (ROOT / "control" / "version.py").read_text().split('VERSION: Final = "')[1]
    operator = home / "plugins" / "trade_manager" / "tm_operator.py"

    assert f'IMAGE = "trade-manager:{version.split(chr(34))[0]}"' in operator.read_text()


def commands(file):
    """The commands a DAG file asks for: the second word of each of its tasks."""
    for call in ast.walk(ast.parse(file.read_text())):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"tm", "change"}:
            word = call.args[1]
            yield (word.value.elts[0] if isinstance(word, ast.Starred) else word).value


def test_every_command_of_a_dag_is_one_that_exists(home):
    """DAGs reference only code that is here."""
    asked = {
        file.name: set(commands(file)) for file in (home / "dags" / "trade-manager").glob("*.py")
    }

    assert asked["dag_trade_manager_rebalance.py"] == {"audit", "plan", "execute", "report"}
    assert all(asked.values())
    assert set().union(*asked.values()) <= set(COMMANDS)
