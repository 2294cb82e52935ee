"""The DAGs of Trade Manager, as the hub validates every project's, and by the rules of our own.

Run in the hub: pytest tests/trade-manager. Needs no database, no Docker engine and no network.
"""

import json
import re
import socket
import sqlite3
from datetime import timedelta
from pathlib import Path

import docker
import pytest
from airflow.providers.docker.operators.docker import DockerOperator

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_result import PERMANENT, SKIP

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow before 3.2
    from airflow.models.dagbag import DagBag

HUB = Path(__file__).parent.parent.parent
FOLDER = HUB / "dags" / "trade-manager"
FILES = sorted(FOLDER.glob("*.py"))
POOLS = json.loads((HUB / "config" / "pools.json").read_text())
CHANGING = {"plan", "execute", "reconcile", "backup"}  # and an audit that may halt
UNDEFINED_WITHOUT_A_LOGICAL_DATE = re.compile(
    r"\b(ds|ds_nodash|ts|ts_nodash|logical_date|execution_date|data_interval_(start|end))\b"
)


class Refused(RuntimeError):
    """Parsing a DAG reached for the world."""


def refuse(*args, **kwargs):
    raise Refused(f"{args} {kwargs}")


@pytest.fixture(scope="module")
def bag():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(sqlite3, "connect", refuse)
        patch.setattr(docker, "APIClient", refuse)
        yield DagBag(str(FOLDER))


@pytest.fixture(params=[file.stem for file in FILES])
def dag(bag, request):
    return bag.dags[request.param.removeprefix("dag_")]


@pytest.fixture
def tasks(dag):
    return dag.tasks


def templates(task):
    """Every text of a task that Airflow fills in."""
    mounts = [mount["Source"] for mount in task.mounts]
    return [task.image, *task.command, *task.environment.values(), *mounts]


def test_there_are_no_import_errors(bag):
    """With the database, the network and the Docker engine out of reach."""
    assert bag.import_errors == {}
    assert len(FILES) == len(bag.dags) > 0


def test_files_are_named_as_the_hub_asks():
    assert [
        file.name for file in FILES if not re.fullmatch(r"dag_trade_manager_\w+\.py", file.name)
    ] == []


def test_a_dag_says_what_it_is(dag):
    assert dag.description
    assert dag.doc_md
    assert "trade-manager" in dag.tags


def test_a_dag_has_an_owner_and_retries(dag):
    assert dag.default_args["owner"] == "trade-manager"
    assert dag.default_args["retries"] >= 1
    assert dag.default_args["on_failure_callback"]


def test_a_dag_runs_once_at_a_time_and_never_catches_up(dag):
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert str(dag.timezone) == "America/New_York"


def test_every_task_is_a_docker_operator(tasks):
    assert all(isinstance(task, DockerOperator) for task in tasks)


def test_a_container_leaves_nothing_behind(tasks):
    for task in tasks:
        assert task.auto_remove == "force"
        assert task.container_name is None
        assert task.mount_tmp_dir is False
        assert task.retrieve_output is False


def test_a_container_may_do_little(tasks):
    for task in tasks:
        assert task.user == "10001:10001"
        assert task.privileged is False
        assert not task.cap_add
        assert task.network_mode == "none"
        assert task.docker_conn_id is None


def test_the_client_gives_up_before_airflow_does(tasks):
    """When Airflow does, the container gets no signal: it is removed."""
    for task in tasks:
        seconds = float(task.command[task.command.index("--timeout") + 1])
        assert timedelta(seconds=seconds + 30) <= task.execution_timeout


def test_nothing_to_do_is_skipped_and_nothing_else_is(tasks):
    assert all(list(task.skip_on_exit_code) == [SKIP] for task in tasks)
    assert SKIP not in PERMANENT


def test_what_changes_something_waits_for_the_account(tasks):
    for task in tasks:
        changes = task.command[1] in CHANGING or "--halt-on" in task.command
        changes = changes or task.command[1:3] == ["evolve", "start"]
        assert task.pool == ("trade_manager" if changes else "default_pool"), task.task_id


def test_a_pool_exists(tasks):
    """A task in an unknown pool stays scheduled for ever, without an error."""
    assert {task.pool for task in tasks} <= {*POOLS, "default_pool"}
    assert POOLS["trade_manager"]["slots"] == 1


def test_what_trades_says_what_time_it_was_meant_for(tasks):
    for task in tasks:
        if task.command[1] in {"plan", "execute"}:
            assert "{{ slot(dag_run) }}" in task.command
            assert "--max-lateness" in task.command


def test_a_key_is_made_of_what_a_retry_keeps(tasks):
    for task in tasks:
        names = {name: value for name, value in task.environment.items() if "AIRFLOW" in name}
        assert names == {
            "TM_AIRFLOW_DAG_ID": "{{ dag.dag_id }}",
            "TM_AIRFLOW_RUN_ID": "{{ run_id }}",
            "TM_AIRFLOW_TASK_ID": "{{ task.task_id }}",
            "TM_AIRFLOW_MAP_INDEX": "{{ ti.map_index }}",
        }
        assert not any("try_number" in text for text in templates(task))


def test_a_run_without_a_logical_date_can_be_rendered(tasks):
    for task in tasks:
        for text in templates(task):
            assert not UNDEFINED_WITHOUT_A_LOGICAL_DATE.search(text), text


def test_no_task_is_given_a_secret(tasks):
    secret = re.compile(r"password|passwd|secret|token|conn\.|broker_conn|TM_BROKER", re.IGNORECASE)
    for task in tasks:
        assert not task._private_environment
        assert not [text for text in (*templates(task), *task.environment) if secret.search(text)]


def test_no_file_holds_a_secret():
    literal = re.compile(r"(password|secret|token)\w*['\"]?\s*[:=]\s*['\"]", re.IGNORECASE)
    shared = (HUB / "plugins" / "trade_manager").glob("*.py")
    assert not [file.name for file in (*FILES, *shared) if literal.search(file.read_text())]


def test_templates_render_strictly(dag):
    """A name that is misspelt, or missing in some run, fails here and not at half past three."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    data = {"plan_id": "3k7q2m", "file": "/backups/b.db", "run_id": "run1"}
    said = json.dumps({"schema": "trade-manager/1", "data": data})

    class Named:
        dag_id, run_id, task_id, map_index = "a_dag", "manual__1", "a_task", -1
        run_after = DAG_ARGS["start_date"]
        run_type = "manual"

        def xcom_pull(self, task_ids):
            assert task_ids in dag.task_ids
            return said

        def get(self, name, default):
            assert name.startswith("trade_manager_")
            return default

    some = Named()
    some.value = some
    context = {"dag": some, "run_id": "manual__1", "task": some, "ti": some, "dag_run": some}
    context |= {"var": some, **DAG_ARGS["user_defined_macros"]}
    for task in dag.tasks:
        rendered = [environment.from_string(text).render(context) for text in templates(task)]
        assert all(rendered)
        assert not any("{{" in text for text in rendered)
        if "execute" in task.command:
            assert "3k7q2m" in rendered
        if "evolve" in task.command:
            assert task.task_id == "start" or "run1" in rendered
        if "restore" in task.command:
            assert "/backups/b.db" in rendered


def test_tasks_are_linked_in_order(bag):
    for name in ("trade_manager_rebalance", "trade_manager_rebalance_approved"):
        dag = bag.dags[name]
        order = [task.task_id for task in dag.topological_sort()]
        assert order == ["audit", "plan", "execute", "report"]
    drill = [task.task_id for task in bag.dags["trade_manager_restore_drill"].topological_sort()]
    assert drill == ["backup", "verify", "restore"]
    breeding = [task.task_id for task in bag.dags["trade_manager_evolution"].topological_sort()]
    assert breeding == ["start", "wait", "show"]
    execute = bag.dags["trade_manager_rebalance_approved"].get_task("execute")
    assert "--require-approval" in execute.command
    assert execute.retries * execute.retry_delay >= timedelta(hours=1), "as long as the plan lives"


def test_a_drill_cannot_touch_the_accounts_state(bag):
    """The daemon's state is mounted nowhere, and backups are there to be read."""
    tasks = [task for dag in bag.dags.values() for task in dag.tasks]
    mounts = [mount for task in tasks for mount in task.mounts]
    assert "/var/lib/trade-manager" not in {mount["Target"] for mount in mounts}
    kept = [mount for mount in mounts if mount["Target"] == "/backups"]
    assert kept
    assert all(mount["ReadOnly"] for mount in kept)
