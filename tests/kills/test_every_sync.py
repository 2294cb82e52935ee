"""A kill at each sync of journal and book in turn: every place where a promise changes hands."""

import os
import shutil
import signal
import time
from contextlib import suppress
from decimal import Decimal as D

import pytest

from control.protocol import Exit
from state.command import CancelOrders, Halt, MoveCash, Rebalance, Resume, SubmitOrder
from tests.daemon.wire import Wire
from tests.kills.books import faults
from tests.kills.load import same
from tests.kills.strace import strace
from tests.tmd import DEADLINE, Gone, Tmd

STORY = {
    "deposit": MoveCash("deposit", D("1234.56")),
    "buy": SubmitOrder("buy", "KO", D(100)),
    "buy more": SubmitOrder("buy", "PG", D(50)),
    "sell": SubmitOrder("sell", "KO", D(30)),
    "rebalance": Rebalance(only=("AAPL", "GE", "KO")),
    "ask back": SubmitOrder("buy", "WMT", D(10)),
    "cancel": CancelOrders(),
    "halt": Halt("drill"),
    "resume": Resume("over", "ann"),
    "withdraw": MoveCash("withdraw", D("0.5")),
}


FINAL = {Exit.DONE, Exit.PARTIAL, Exit.NOTHING, Exit.REFUSED}  # a sale of what was not bought


def tell(tmd, acknowledged):
    """Go on with the story where it stopped; Gone when the daemon dies over it."""
    left = [key for key in STORY if key not in acknowledged]
    while left:
        try:
            with Wire(tmd.socket, DEADLINE) as wire:
                while left:
                    wait = 0.0 if left[0] == "ask back" else 2.0
                    reply = wire.ask(STORY[left[0]], key=left[0], wait=wait)
                    if reply.exit is Exit.NOT_READY:
                        time.sleep(0.01)
                        continue
                    assert reply.exit in FINAL, reply
                    acknowledged[left.pop(0)] = reply
        except (OSError, EOFError):
            if tmd.process.poll() is not None:
                raise Gone from None
            time.sleep(0.01)


def struck(tmd, file, when):
    """Tell the story to a daemon that is killed at a sync; return whether it was."""
    acknowledged = {}
    tmd.start(
        under=(
            *("strace", "-f", "-qq", "-o", "/dev/null"),
            *("-P", str(tmd.state / file), "-e", "trace=fdatasync,fsync"),
            *("-e", f"inject=fdatasync,fsync:signal=SIGKILL:when={when}"),
        )
    )
    try:
        tell(tmd, acknowledged)
    except Gone:
        killed = True
    else:
        killed = False
        with suppress(ProcessLookupError):  # by the last close it may be gone all the same
            os.kill(int((tmd.state / "journal.lock").read_text()), signal.SIGKILL)
    assert tmd.ended() == -signal.SIGKILL, tmd.said()  # strace ends as what it traced did
    tmd.start().ready()
    for key, reply in acknowledged.items():
        again = tmd.ask(STORY[key], key=key)
        assert again.replayed, (key, again)
        assert same(reply, again), (reply, again)
    tell(tmd, acknowledged)
    assert tmd.stop() == 0, tmd.said()
    assert faults(tmd) == []
    return killed


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", ["journal.db-wal", "paper.db-wal"])
def test_a_kill_at_any_sync_loses_and_doubles_nothing(tmp_path, file):
    strace("-o", "/dev/null", program=["-c", ""])  # skips where there is none
    with Tmd(tmp_path / "pristine", pace=20) as tmd:
        tmd.start().ready()
        assert tmd.stop() == 0
    when, killed = 0, True
    while killed:
        when += 1
        with Tmd(tmp_path / str(when), pace=20) as one:
            shutil.copytree(tmd.state, one.state)
            killed = struck(one, file, when)
    print(f"{when - 1} syncs of {file}")
    assert when > 8
