"""The contract, walked with both real programs: every command, every exit code a day can bring."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from control.cli import COMMANDS
from control.protocol import SCHEMA, Exit
from tests.tmd import Tmd

pytestmark = pytest.mark.area("kills and socket")
TM = Path(sys.executable).with_name("tm")
STATEMENT = Path(__file__).parents[1] / "daemon/statement.xml"
ENVELOPE = {
    *("schema", "command", "ok", "status", "key", "command_id", "replayed", "as_of", "seq"),
    *("data", "warnings", "version", "elapsed_ms"),
}
# Prices jump on the third session: without cash kept back a rebalance before it ends as partial.
DESK = """
[replay]
start = 2019-01-02
pace = {pace}
[execution]
cash_reserve = 0.1
[risk]
max_day_turnover = 1.0
"""


def said(tmd: Tmd, *typed: str) -> tuple[int, dict]:
    """Run `tm` as a person does, streams merged; return its exit code and its last line."""
    ran = subprocess.run(
        [TM, *typed, "--json"],
        env=tmd.environment | {"TM_STATE": str(tmd.state), "LANG": os.environ.get("LANG", "C")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
        check=False,
    )
    answer = json.loads(ran.stdout.splitlines()[-1])
    assert answer.keys() >= ENVELOPE
    assert answer["schema"] == SCHEMA
    assert answer["ok"] is ("error" not in answer)
    return ran.returncode, answer


@pytest.fixture(scope="module")
def tmd(tmp_path_factory):
    with Tmd(tmp_path_factory.mktemp("desk"), DESK.format(pace=4.0)) as one:
        one.start().ready()
        yield one


WALK = [  # in the order of a day; {plan} and {order} are from the answers before
    pytest.param("ping", Exit.DONE, id="ping"),
    pytest.param("status", Exit.DONE, id="status"),
    pytest.param("health", Exit.DONE, id="health"),
    pytest.param("rebalance --dry-run", Exit.DONE, id="a dry run"),
    pytest.param("rebalance --key k1 --wait", Exit.DONE, id="a rebalance"),
    pytest.param("rebalance --key k1 --wait", Exit.DONE, id="the same again"),
    pytest.param("rebalance --key k1 --only KO", Exit.CONFLICT, id="the same key, other words"),
    pytest.param("wait k1", Exit.DONE, id="wait for a key"),
    pytest.param("wait nobody", Exit.NOT_FOUND, id="wait for nothing"),
    pytest.param("portfolio", Exit.DONE, id="portfolio"),
    pytest.param("orders", Exit.DONE, id="orders"),
    pytest.param("fills", Exit.DONE, id="fills"),
    pytest.param("order sell KO 10 --wait", Exit.DONE, id="an order"),
    pytest.param("order buy KO 1 --limit 0.01", Exit.REFUSED, id="a limit past the collar"),
    pytest.param("order buy NOPE 1", Exit.REFUSED, id="an unknown symbol"),
    pytest.param("order buy KO none", Exit.USAGE, id="a quantity that is none"),
    pytest.param("rebalance --only NOPE", Exit.INVALID, id="an unknown symbol to rebalance"),
    pytest.param("plan", Exit.DONE, id="plan"),
    pytest.param("approve nope", Exit.NOT_FOUND, id="approve nothing"),
    pytest.param("reject nope", Exit.NOT_FOUND, id="reject nothing"),
    pytest.param("execute nope", Exit.NOT_FOUND, id="execute nothing"),
    pytest.param("execute {plan}", Exit.REFUSED, id="execute what a close outlived"),
    pytest.param("execute {plan} --refused-ok", Exit.DONE, id="a refusal that may be"),
    pytest.param("cancel --all", Exit.NOTHING, id="cancel nothing"),
    pytest.param("cancel nope", Exit.NOT_FOUND, id="cancel nobody's order"),
    pytest.param("cash deposit 100", Exit.DONE, id="cash"),
    pytest.param("cash withdraw 999999999", Exit.REFUSED, id="too much cash"),
    pytest.param("reconcile", Exit.DONE, id="reconcile"),
    pytest.param(f"reconcile --statement {STATEMENT}", Exit.INVALID, id="another's statement"),
    pytest.param("reconcile accept --as deposit --reason x", Exit.NOTHING, id="nothing to accept"),
    pytest.param("audit --fail-on warn", Exit.DONE, id="an audit"),
    pytest.param("limits show", Exit.DONE, id="limits"),
    pytest.param("limits set max_gross=0.9 --reason earnings", Exit.DONE, id="a tighter limit"),
    pytest.param("limits set max_gross=0.9 --reason again", Exit.NOTHING, id="so already"),
    pytest.param("limits set max_gross=1.0 --reason over", Exit.REFUSED, id="a wider limit"),
    pytest.param(
        "limits set max_gross=1.0 --reason over --accept-risk ann", Exit.DONE, id="accepted"
    ),
    pytest.param("limits set max_gros=1.0 --reason over", Exit.REFUSED, id="no such limit"),
    pytest.param("halt --reason drill", Exit.DONE, id="halt"),
    pytest.param("rebalance", Exit.REFUSED, id="a rebalance while halted"),
    pytest.param("audit --fail-on warn", Exit.FINDINGS, id="an audit that finds a halt"),
    pytest.param("resume --reason over --accept-risk ann", Exit.DONE, id="resume"),
    pytest.param("resume --reason over --accept-risk ann", Exit.NOTHING, id="resume twice"),
    pytest.param("report", Exit.DONE, id="report"),
    pytest.param("report --period never", Exit.USAGE, id="a period that is none"),
    pytest.param("events --since 0 --limit 3", Exit.DONE, id="events"),
    pytest.param("verify", Exit.DONE, id="verify"),
    pytest.param("config show", Exit.DONE, id="config"),
    pytest.param(
        "rebalance --scheduled-for 2020-01-02T15:30:00Z --max-lateness 1h",
        Exit.NOTHING,
        id="a run that comes years too late",
    ),
    pytest.param("beliefs", Exit.NOT_READY, id="beliefs of a strategy that has none"),
    pytest.param("explain nope", Exit.NOT_FOUND, id="explain nothing"),
    pytest.param("evolve list", Exit.DONE, id="runs of evolution"),
    pytest.param("evolve show nope", Exit.NOT_FOUND, id="no such run"),
    pytest.param("jobs", Exit.DONE, id="jobs"),
    pytest.param("strategy list", Exit.DONE, id="strategies"),
    pytest.param("doctor", Exit.DONE, id="doctor"),
    pytest.param("completion fish", Exit.DONE, id="completion"),
    pytest.param("watch", Exit.USAGE, id="watch without a terminal"),
    pytest.param("publish none.csv", Exit.INVALID, id="publish a file that is not there"),
    pytest.param("nonsense", Exit.USAGE, id="no such command"),
]
found: dict[str, str] = {}


@pytest.mark.parametrize(("typed", "code"), WALK)
def test_walk(tmd, typed, code):
    exit_, answer = said(tmd, *typed.format(**found).split())

    assert exit_ == code, answer
    if typed == "plan":
        found["plan"] = answer["data"]["plan_id"]
    if typed == "rebalance --key k1 --wait":
        assert {order["status"] for order in answer["data"]["orders"]} == {"filled"}


def test_the_rest_of_the_codes_and_the_end(tmp_path):
    """Slowly, so that orders stay open: pending, partial, not approved; then nobody is there."""
    with Tmd(tmp_path / "slow", DESK.format(pace=0.02)) as tmd:
        assert said(tmd, "ping")[0] == Exit.UNREACHABLE
        tmd.start().ready()
        pending, answer = said(
            tmd, "order", "buy", "KO", "10", "--key", "k", "--wait", "--timeout", "2"
        )
        assert (pending, answer["error"]["code"]) == (Exit.PENDING, "PENDING")
        order = answer["data"]["orders"][0]["order_id"]
        assert said(tmd, "cancel", order)[0] == Exit.DONE
        partial, answer = said(tmd, "order", "buy", "KO", "10", "--key", "k", "--wait")
        assert (partial, answer["replayed"]) == (Exit.PARTIAL, True)
        _, plan = said(tmd, "plan")
        wanted = ("execute", plan["data"]["plan_id"], "--require-approval")
        assert said(tmd, *wanted)[0] == Exit.NOT_READY
        assert said(tmd, "approve", plan["data"]["plan_id"])[0] == Exit.DONE
        assert said(tmd, *wanted)[0] == Exit.DONE
        backup = str(tmp_path / "b.db")
        assert said(tmd, "backup", backup)[0] == Exit.DONE
        assert said(tmd, "restore", backup)[0] == Exit.CONFLICT
        assert said(tmd, "shutdown")[0] == Exit.DONE
        assert tmd.ended() == 0
        assert said(tmd, "ping")[0] == Exit.UNREACHABLE
        assert said(tmd, "halt", "--offline", "--reason", "nobody answers")[0] == Exit.DONE
        journal = str(tmd.state / "journal.db")
        assert said(tmd, "report", "--journal", journal)[0] == Exit.DONE
        assert said(tmd, "verify", "--journal", journal)[0] == Exit.DONE
        assert said(tmd, "restore", backup)[0] == Exit.DONE
        tmd.start().ready()
        assert said(tmd, "order", "buy", "KO", "1")[0] == Exit.REFUSED


def test_every_command_was_walked():
    walked = {param.values[0].split()[0] for param in WALK} | {"backup", "restore", "shutdown"}
    assert walked >= set(COMMANDS)
