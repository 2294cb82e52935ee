"""A client that is told to stop leaves its command running, and says how to re-attach."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from control.protocol import Exit, Orders, Reply
from state.command import CancelOrders, ExecutePlan
from tests.control.scripted import serving

TM = Path(sys.executable).parent / "tm"
KEY = "trade_manager_rebalance|manual__1|execute|-1|execute"
TASK = {
    "TM_AIRFLOW_DAG_ID": "trade_manager_rebalance",
    "TM_AIRFLOW_RUN_ID": "manual__1",
    "TM_AIRFLOW_TASK_ID": "execute",
    "TM_AIRFLOW_MAP_INDEX": "-1",
}


class Slow:
    """A daemon that never answers a plan's execution, and has orders of it and of others."""

    def __init__(self):
        self.asked, self.executing, self.over = [], threading.Event(), asyncio.Event()

    async def __call__(self, request, principal):
        self.asked.append(request)
        match request.ask:
            case ExecutePlan():
                self.executing.set()
                await self.over.wait()
            case Orders():
                orders = [
                    {"order_id": "unsent", "key": KEY, "status": "pending"},
                    {"order_id": "sent", "key": KEY, "status": "live"},
                    {"order_id": "another's", "key": "else", "status": "pending"},
                ]
                return Reply("orders", True, "completed", Exit.DONE, data={"orders": orders})
        return Reply("cancel", True, "completed", Exit.DONE, data={})

    def cancelled(self):
        return [one.ask.order_id for one in self.asked if isinstance(one.ask, CancelOrders)]


def stopped(daemon, path, *options, task=TASK):
    """Start `tm execute`, stop it once the daemon has its command, and return what it said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TM_")}
    with subprocess.Popen(
        [TM, "execute", "P1", *options],
        env=environment | task | {"TM_SOCKET": f"unix://{path}", "TM_XCOM": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        assert daemon.executing.wait(20)
        client.send_signal(signal.SIGTERM)
        said, _ = client.communicate(timeout=20)
    return client.returncode, json.loads(said.splitlines()[-1])


@pytest.fixture
def daemon(tmp_path):
    slow = Slow()
    with serving(tmp_path / "s", slow) as running:
        yield slow, tmp_path / "s"
        running.loop.call_soon_threadsafe(slow.over.set)


def test_the_command_goes_on_and_the_last_line_says_how_to_re_attach(daemon):
    slow, path = daemon

    code, said = stopped(slow, path)

    assert code == Exit.PENDING
    assert said["error"]["code"] == "OUTCOME_PENDING"
    assert f"`tm wait '{KEY}'` re-attaches" in said["error"]["hint"]
    assert slow.asked[0].key == KEY
    assert slow.cancelled() == []


def test_on_kill_cancel_takes_back_what_was_not_sent_and_nothing_else(daemon):
    slow, path = daemon

    code, said = stopped(slow, path, "--on-kill", "cancel")

    assert code == Exit.PENDING
    assert slow.cancelled() == ["unsent"]
    assert "cancelled before they were sent: unsent" in said["error"]["message"]
