"""Breeding in a real daemon: whatever is killed in the middle, the front is the same bits."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from control.protocol import Evolution, StartEvolution
from state.command import CancelEvolution
from tests.engine import until
from tests.tmd import Tmd

pytestmark = [pytest.mark.area("evolution and beliefs"), pytest.mark.timeout(400)]

CONFIGURATION = """
[universe]
symbols = ["AAPL", "KO", "PG", "XOM"]
[replay]
start = 2022-12-20
pace = 0
[evolution]
workers = {workers}
executor = "{executor}"
memory = {memory}
generation_timeout = {timeout}
[risk]
max_order_notional = "100000000"
"""
LAST = "2022-12-28T21:00:00Z"  # the close that the bundled prices end with
RUN = StartEvolution(seed=11, population=32, generations=3, perception_generations=1)


@contextmanager
def daemon(folder, workers=1, executor="processes", memory=2048, timeout=300.0):
    """A daemon at the end of its prices, ready to breed."""
    text = CONFIGURATION.format(workers=workers, executor=executor, memory=memory, timeout=timeout)
    with Tmd(folder, text) as tmd:
        tmd.start().ready()
        # "ended" is told while the last closes are still on their way into the journal
        tmd.until(lambda: tmd.data()["feed"]["last_at"] == LAST and tmd.data()["feed"]["ended"])
        yield tmd


def run_now(tmd):
    """The newest run as it stands."""
    return tmd.ask(Evolution()).data


def over(tmd, within=300.0):
    """The newest run, once it is over."""

    def finished():
        run = run_now(tmd)
        return run if run["status"] != "running" else None

    return tmd.until(finished, within)


def midway(tmd, generation=1):
    """Wait until some generations are bred and others are not."""

    def bred():
        run = run_now(tmd)
        return run if run["evaluations"] >= 32 * (generation + 1) else None

    assert tmd.until(bred, 300)["status"] == "running"


def workers_of(tmd):
    """The process ids of a daemon's workers: the children of its fork server."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                )
            except OSError:
                continue
    servers = {pid for pid, parent in parents.items() if parent == tmd.process.pid}
    return [pid for pid, parent in parents.items() if parent in servers]


def kill_a_worker(tmd):
    """Kill one worker, as the kernel would for want of memory."""
    os.kill(tmd.until(lambda: workers_of(tmd))[0], signal.SIGKILL)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The run that nobody disturbed, with one worker."""
    with daemon(tmp_path_factory.mktemp("calm")) as tmd:
        tmd.ask(RUN, key="r")
        return over(tmd)


def same(run, other):
    """Whether two runs came to the same: front, candidate and verdict, to the last bit."""
    names = ("front", "candidate", "evaluations", "best")
    assert {n: run[n] for n in names} == {n: other[n] for n in names}
    assert run["verdict"]["tests"] == other["verdict"]["tests"]


def test_a_run_ends_with_a_front_a_candidate_and_a_verdict(undisturbed):
    assert undisturbed["status"] == "finished"
    assert undisturbed["evaluations"] >= 32 * 3
    assert len(undisturbed["front"]) >= 2
    assert undisturbed["candidate_id"] in {one["genome_id"] for one in undisturbed["front"]}
    assert undisturbed["verdict"]["trials"] == undisturbed["evaluations"]
    assert undisturbed["retries"] == 0
    assert "gamma" in undisturbed["genes"]
    assert "stay_up" not in undisturbed["genes"]  # bred for perception, and fixed by then
    assert any(abs(one["correlation"] or 0) > 0.1 for one in undisturbed["genes"].values())
    assert all(0 <= one["span"] <= 1 for one in undisturbed["genes"].values())


def test_a_killed_worker_costs_a_retry_and_changes_nothing(undisturbed, tmp_path):
    with daemon(tmp_path / "d", workers=2) as tmd:
        tmd.ask(RUN, key="r")
        midway(tmd)
        kill_a_worker(tmd)
        run = over(tmd)

        assert run["retries"] >= 1
        same(run, undisturbed)


@pytest.mark.parametrize("worker_too", [True, False])
def test_a_killed_daemon_goes_on_where_it_stood(undisturbed, tmp_path, worker_too):
    with daemon(tmp_path / "d") as tmd:
        tmd.ask(RUN, key="r")
        midway(tmd)
        if worker_too:
            kill_a_worker(tmd)
        left = workers_of(tmd)
        tmd.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), "workers gone")
        tmd.start().ready()

        same(over(tmd), undisturbed)


def test_workers_have_none_of_our_secrets_and_no_jax(tmp_path):
    with daemon(tmp_path / "d") as tmd:
        tmd.ask(RUN, key="r")
        midway(tmd, 0)
        (worker,) = workers_of(tmd)
        environment = Path(f"/proc/{worker}/environ").read_bytes()
        libraries = Path(f"/proc/{worker}/maps").read_text()
        files = [os.readlink(each) for each in Path(f"/proc/{worker}/fd").iterdir()]
        nice = os.getpriority(os.PRIO_PROCESS, worker)

        assert b"TM_" not in environment
        assert "jax" not in libraries
        assert not [f for f in files if f.endswith((".db", ".db-wal", "/s"))]
        assert nice == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 15)
        assert tmd.ask(CancelEvolution(), key="stop").data["status"] == "cancelled"
        assert over(tmd)["reason"].startswith("cancelled by")


def test_workers_that_always_hang_end_the_run_and_not_the_daemon(tmp_path):
    with daemon(tmp_path / "d", timeout=0.01) as tmd:
        tmd.ask(RUN, key="r")
        run = over(tmd)

        assert run["status"] == "failed"
        assert "TimeoutError" in run["reason"]
        assert tmd.ask(CancelEvolution(), key="again").exit == 99


def test_workers_without_memory_end_the_run_and_not_the_daemon(tmp_path):
    with daemon(tmp_path / "d", memory=256) as tmd:
        tmd.ask(RUN, key="r")
        run = over(tmd)

        assert run["status"] == "failed"
        assert "3 times" in run["reason"]


def cluster(folder):
    """A Dask scheduler and two workers over TCP, in processes of their own; and its address."""
    file = folder / "file.json"

    def begun(module, *arguments):
        with (folder / "dask.log").open("ab") as log:
            command = [sys.executable, "-m", f"distributed.cli.{module}", "--scheduler-file", file]
            return subprocess.Popen([*command, *arguments], stdout=log, stderr=log)

    scheduler = begun("dask_scheduler", "--port", "0", "--no-dashboard")
    until(lambda: file.exists() and file.read_text(), f"see {folder}/dask.log", 60)
    alone = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory")
    workers = [begun("dask_worker", *alone, folder / f"w{n}") for n in range(2)]
    return json.loads(file.read_text())["address"].removeprefix("tcp://"), [scheduler, *workers]


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_front(undisturbed, tmp_path):
    address, processes = cluster(tmp_path)
    try:
        with daemon(tmp_path / "d", executor=f"dask://{address}") as tmd:
            tmd.ask(RUN, key="r")
            midway(tmd)
            processes[-1].kill()
            same(over(tmd, 300.0), undisturbed)
    finally:
        for process in processes:
            process.kill()
            process.wait()
