"""The gateway of the tests as a program of its own, as the documentation shows it to a newcomer."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from control.protocol import Audit, Fills, Status
from state.command import MakePlan, Rebalance
from tests.tmd import Tmd

PAGE = Path(__file__).parents[2] / "docs" / "interactive-brokers.md"
SECTION = (
    PAGE.read_text(encoding="utf-8").partition("## Look at it without")[2].partition("\n## ")[0]
)


@contextmanager
def alone():
    """Run it on a free port, and give that."""
    words = re.search(r"python (-m tests\.ib\.gateway) --port 4102 (--walk 0\.5)", SECTION)
    command = [sys.executable, *" ".join(words.groups()).split(), "--port", "0"]
    with subprocess.Popen(command, cwd=PAGE.parents[1], stdout=subprocess.PIPE) as process:
        try:
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.terminate()


def configuration(port):
    """What the page shows, at another port."""
    lines = SECTION.partition("`look.toml`:\n\n")[2].partition("\n\n")[0].splitlines()
    return "\n".join(line.strip() for line in lines).replace("4102", str(port))


def test_a_newcomer_trades_through_the_gateway_of_the_tests(tmp_path):
    with alone() as port, Tmd(tmp_path, configuration(port)) as one:
        one.start().ready()
        plan = one.ask(MakePlan(), key="plan")
        assert {told["unknown"] for told in plan.data["previews"]} == {""}
        traded = one.ask(Rebalance(), key="rebalance", wait=60.0)
        assert traded.ok, traded
        assert {fill["symbol"] for fill in one.data(Fills())["fills"]} == {"SPY", "TLT"}
        books = next(c for c in one.data(Audit())["checks"] if c["name"] == "books")
        assert books["severity"] == "ok"
        assert one.data(Status())["broker"]["account"] == "DU1234567"
