"""What is seen of a rebalance from outside: the orders, and the task that waits for them."""

import json

from tests.airflow.waiting import WAITING
from tests.engine import until


def orders(daemon):
    """The paper broker's orders, as the daemon knows them after a reconciliation."""
    assert daemon.ask("reconcile")["ok"], "the books agree with the broker's"
    return daemon.ask("orders")["data"]["orders"]


def each_once(found):
    """Each symbol was ordered once, under one key."""
    symbols = [one["symbol"] for one in found]
    return len(symbols) == len(set(symbols)) > 0 and len({one["key"] for one in found}) == 1


def in_flight(hub, daemon, run):
    """Wait until the daemon has the orders of a run, and its task waits for them to be final."""

    def ordered():
        assert hub.state(WAITING, run) in {"queued", "running"}
        return daemon.ask("orders")["data"]["orders"]

    return until(ordered, "the plan is being executed", 90)


def last_line(lines):
    """The text of a log's last line."""
    return json.loads(lines[-1])["event"]
