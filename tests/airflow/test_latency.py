"""From the start of a task to the fills of its orders: what it takes, and whose time that is.

Figures are printed, and bound nobody: `scripts/test --nightly -s tests/airflow/test_latency.py`.
"""

import json
import statistics
from datetime import datetime

import pytest

from tests.airflow.waiting import AT_ONCE
from tests.engine import Daemon

TIMES = 5
CLOSES = 20  # a second: fills come at the next, 50 ms away
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(600)]


def result_of(lines):
    """The result a task logged, and when."""
    for line in map(json.loads, lines):
        if line["event"].startswith('{"schema"'):
            return json.loads(line["event"]), datetime.fromisoformat(line["timestamp"])
    raise AssertionError("no result in the log")


@pytest.fixture
def daemons(docker, image):
    """As many fresh daemons as are asked for, one after the other."""
    started = []

    def another():
        running = Daemon(docker, image, "--env", f"TM_REPLAY__PACE={CLOSES}")
        started.append(running)
        running.start()
        return running

    yield another
    for running in started:
        running.remove()


def test_from_the_start_of_a_task_to_its_fills(hub, daemons):
    hub.unpause(AT_ONCE)
    totals, ours = [], []
    for _ in range(TIMES):
        trading = daemons()
        hub.variable("trade_manager_socket_volume", trading.run_volume)
        run = hub.trigger(AT_ONCE)
        assert hub.finished(AT_ONCE, run) == "success"
        said, at = result_of(hub.log(AT_ONCE, run, "rebalance"))
        assert {one["status"] for one in trading.ask("orders")["data"]["orders"]} == {"filled"}
        began = datetime.fromisoformat(hub.tasks(AT_ONCE, run)["rebalance"]["start_date"])
        totals.append((at - began.replace(tzinfo=None)).total_seconds())
        ours.append(said["elapsed_ms"] / 1000)
        print(f"start to fills {totals[-1]:.2f} s, of which tm and tmd {ours[-1]:.3f} s")
    total, own = statistics.median(totals), statistics.median(ours)
    print(f"median: {total:.2f} s, ours {own:.3f} s, {own / total:.0%}")
    assert 0 < own < total
