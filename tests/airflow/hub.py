"""A hub as its owners run it: a real Airflow with our DAGs, plugin and pool copied in.

Airflow has an environment of its own (scripts/airflow-env) and a home of its own; it is asked over
its REST API, as the web page does.
"""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.engine import ROOT, until

SHIPPED = ROOT / "deploy" / "airflow-hub"
FINAL = {"success", "failed"}


def environment(version):
    """Return the virtual environment of an Airflow, made when it isn't there."""
    done = subprocess.run(
        [ROOT / "scripts" / "airflow-env", version], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"scripts/airflow-env {version} failed:\n{done.stderr}")
    return done.stdout.strip()


def copied(home):
    """Copy what we ship into an Airflow home, as the guide says."""
    for folder in ("dags", "plugins", "config"):
        shutil.copytree(SHIPPED / folder, home / folder, dirs_exist_ok=True)


def settings(home, **more):
    """Return the environment of an Airflow with everything in `home`, and nothing of ours."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TM_", "AIRFLOW", "PY"))}
    return inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(home / "plugins"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **more,
    }


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Hub:
    """A running Airflow 3: api-server, dag-processor, scheduler with its own workers."""

    def __init__(self, version, home, **more):
        self.home, self.bin = home, environment(version) + "/bin"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes = {}
        self.token = ""
        copied(home)
        self.settings = settings(
            home,
            AIRFLOW__CORE__EXECUTOR="LocalExecutor",
            AIRFLOW__CORE__FERNET_KEY=base64.urlsafe_b64encode(os.urandom(32)).decode(),
            AIRFLOW__CORE__PARALLELISM="4",
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
            AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{self.url}/execution/",
            AIRFLOW__API__BASE_URL=self.url,
            AIRFLOW__API__PORT=str(self.port),
            AIRFLOW__API_AUTH__JWT_SECRET="a secret of this test alone",
            AIRFLOW__API__SECRET_KEY="a secret of this test alone",
            AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC="1",
            # minutes by default: how soon a scheduler takes over from one that was killed
            AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL="10",
            AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD="10",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="20",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL="5",
            AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL="5",
            AIRFLOW__LOGGING__LOGGING_LEVEL="INFO",
            **more,
        )

    def airflow(self, *arguments):
        """Run one command of Airflow's own client."""
        done = subprocess.run(
            [f"{self.bin}/airflow", *arguments],
            env=self.settings,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"airflow {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        self.airflow("db", "migrate")
        self.airflow("pools", "import", str(self.home / "config" / "pools.json"))
        self.process("api-server", "--port", str(self.port), "--workers", "1")
        self.process("dag-processor")
        self.process("scheduler")
        until(self.up, "the API server answers", 300)
        until(lambda: len(self.dags()) >= 6, "the DAGs are parsed", 180)

    def process(self, name, *arguments):
        """Start one of Airflow's processes."""
        with (self.home / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [f"{self.bin}/airflow", name, *arguments],
                env=self.settings,
                cwd=self.home,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def kill(self, name):
        """End a process and all it started, without a word."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self):
        for process in self.processes.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def up(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                pytest.fail(f"airflow {name} ended:\n{(self.home / f'{name}.log').read_text()}")
        try:
            with urllib.request.urlopen(f"{self.url}/auth/token", timeout=5) as answer:
                self.token = json.load(answer)["access_token"]
        except OSError:
            return False
        return True

    def api(self, method, path, body=None, **query):
        """Ask the REST API and return its answer."""
        url = f"{self.url}/api/v2/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(url, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        request.add_header("Accept", "application/json")
        try:
            data = None if body is None else json.dumps(body).encode()
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as e:
            pytest.fail(f"{method} {path}: {e.code} {e.read().decode()}")

    def dags(self):
        return [dag["dag_id"] for dag in self.api("GET", "dags")["dags"]]

    def variable(self, name, value):
        """Set an Airflow variable, whether it is there or not."""
        known = {one["key"] for one in self.api("GET", "variables", limit=100)["variables"]}
        verb, path = ("PATCH", f"variables/{name}") if name in known else ("POST", "variables")
        self.api(verb, path, {"key": name, "value": value})

    def unpause(self, dag_id):
        self.api("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id):
        """Start a run by hand and return its id."""
        run = self.api("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None})
        return run["dag_run_id"]

    def trigger_after_stale(self, dag_id):
        """Unpause, and start a run by hand once the run that this starts is over."""
        self.unpause(dag_id)
        for stale in until(lambda: self.runs(dag_id), "unpausing starts a run"):
            self.finished(dag_id, stale)
        return self.trigger(dag_id)

    def runs(self, dag_id):
        """Return the ids of a DAG's runs."""
        return [run["dag_run_id"] for run in self.api("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]]

    def path(self, dag_id, run_id):
        return f"dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}"

    def tasks(self, dag_id, run_id):
        """Return the task instances of a run, by task id."""
        found = self.api("GET", f"{self.path(dag_id, run_id)}/taskInstances")
        return {task["task_id"]: task for task in found["task_instances"]}

    def states(self, dag_id, run_id):
        return {name: task["state"] for name, task in self.tasks(dag_id, run_id).items()}

    def state(self, dag_id, run_id):
        return self.api("GET", self.path(dag_id, run_id))["state"]

    def finished(self, dag_id, run_id, seconds=120):
        """Wait for the end of a run and return its state."""
        stop = time.monotonic() + seconds
        while (state := self.state(dag_id, run_id)) not in FINAL:
            if time.monotonic() > stop:
                states = self.states(dag_id, run_id)
                pytest.fail(f"{dag_id} {run_id} is {state} after {seconds} s: {states}")
            time.sleep(0.5)
        for name, task in self.tasks(dag_id, run_id).items():
            times = (task[key] for key in ("try_number", "state", "start_date", "end_date"))
            print(f"{dag_id}.{name}:", *times)
        return state

    def xcom(self, dag_id, run_id, task_id):
        """Return a task's result, as pushed."""
        path = f"{self.path(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.api("GET", path)["value"]

    def log(self, dag_id, run_id, task_id, attempt=1):
        """Return the lines of a task's log file, as Airflow wrote them (JSON)."""
        folder = f"dag_id={dag_id}/run_id={run_id}/task_id={task_id}"
        file = self.home / "logs" / folder / f"attempt={attempt}.log"
        return file.read_text().splitlines()

    def clear(self, dag_id, run_id, *task_ids):
        """Clear tasks of a run, as an operator does to have them run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "reset_dag_runs": True,
        }
        return self.api("POST", f"dags/{dag_id}/clearTaskInstances", body)

    def mark(self, dag_id, run_id, task_id, state):
        path = f"{self.path(dag_id, run_id)}/taskInstances/{task_id}"
        return self.api("PATCH", path, {"new_state": state})
