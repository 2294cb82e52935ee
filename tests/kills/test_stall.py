"""An event loop that stands still: nobody waits for ever, the halt file counts, and it is ended."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from decimal import Decimal as D

import pytest

from control.client import NoReply
from control.protocol import Asked, Exit, Health, encode
from state.command import MoveCash, SubmitOrder
from tests.daemon.wire import Wire
from tests.kills.books import faults
from tests.kills.test_drill import TM, tm
from tests.tmd import DEADLINE, ROOT, Tmd

STANDING = """\
[replay]
start = 1990-01-02
pace = 20
[telemetry]
stall = "{stall}"
"""


@pytest.mark.parametrize("frozen", [2.0, pytest.param(30.0, marks=pytest.mark.nightly)])
def test_a_halt_file_written_meanwhile_stops_what_was_asked_before(tmp_path, frozen):
    """The process is stopped as a whole; an order was asked for, and nobody could be told no."""
    order = SubmitOrder("buy", "KO", D(10))
    with ExitStack() as owned:
        tmd = owned.enter_context(Tmd(tmp_path / "d", STANDING.format(stall="60s")))
        tmd.start().ready()
        wire = owned.enter_context(Wire(tmd.socket, DEADLINE))
        os.kill(tmd.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        wire.say(encode(Asked(order, key="k")))
        with pytest.raises(NoReply) as unanswered:
            tmd.ask(Health(), timeout=1.0)
        assert unanswered.value.exit is Exit.UNREACHABLE
        assert time.monotonic() - began < 5
        code, _ = tm(tmd, "halt", "--offline", "--reason", "it does not answer")
        assert code == 0
        time.sleep(max(0.0, frozen - (time.monotonic() - began)))
        os.kill(tmd.process.pid, signal.SIGCONT)
        assert wire.reply().key == "k"
        tmd.until(lambda: tmd.data()["halted"])
        again = tmd.ask(order, key="k", wait=10.0)
        assert again.replayed
        assert again.exit in {Exit.PARTIAL, Exit.REFUSED}, again
        assert tmd.stop() == 0
        assert tmd.rows("SELECT * FROM orders", file="paper.db") == []
        assert faults(tmd) == []


@pytest.mark.nightly  # tests/daemon/test_watchdog.py is of every run
@pytest.mark.parametrize("stall", ["2s", "30s"])
def test_a_loop_that_stands_still_is_ended_and_the_next_start_recovers(tmp_path, stall):
    stalling = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.kills.stalling")
    with Tmd(tmp_path / "d", STANDING.format(stall=stall)) as tmd:
        tmd.start(under=stalling).ready()
        booked = tmd.ask(MoveCash("deposit", D(1)), key="m")
        assert booked.ok
        (tmd.state / "stall").touch()
        env = tmd.environment | {"TM_STATE": str(tmd.state)}
        asking = subprocess.Popen(
            [TM, "status", "--json"], env=env, stdout=subprocess.PIPE, text=True
        )
        assert tmd.ended(float(stall[:-1]) + 20) == 1
        assert "Timeout" in tmd.said()
        assert "in stuck" in tmd.said()
        said, _ = asking.communicate(timeout=60)  # answered before it stood still, or told so
        assert asking.returncode in {0, Exit.UNREACHABLE}, json.loads(said)
        (tmd.state / "stall").unlink()
        tmd.start().ready()
        assert tmd.ask(MoveCash("deposit", D(1)), key="m").replayed
        assert tmd.ask(Health()).ok
        assert tmd.stop() == 0
        assert faults(tmd) == []
