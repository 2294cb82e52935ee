"""A scripted day, struck at each write and each sync of journal and book: killed, or failing."""

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
from tests.kills.books import ASKED_BACK, faults
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


SYNC, WRITE = "fdatasync,fsync", "pwrite64"
KILLED = "signal=SIGKILL"
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
                    in_doubt = reply.exit is Exit.PENDING and reply.command_id is None
                    if reply.exit is Exit.NOT_READY or in_doubt:  # it ends: nobody is told no
                        time.sleep(0.01)
                        continue
                    assert reply.exit in FINAL, reply
                    acknowledged[left.pop(0)] = reply
        except (OSError, EOFError):
            if tmd.process.poll() is not None:
                raise Gone from None
            time.sleep(0.01)


def struck(tmd, file, calls, fault, when):
    """Tell the story to a daemon whose `when`-th call of a kind is struck; return whether it was.

    Killed, it goes on after a restart; in doubt after an error, it ends by itself, and does too.
    """
    acknowledged = {}
    tmd.start(
        under=(
            *("strace", "-f", "-qq", "-o", "/dev/null"),
            *("-P", str(tmd.state / file), "-e", f"trace={calls}"),
            *("-e", f"inject={calls}:{fault}:when={when}"),
        )
    )
    try:
        tell(tmd, acknowledged)
    except Gone:
        was_struck = True
    else:
        was_struck = False
        with suppress(ProcessLookupError):  # by the last close it may be gone all the same
            os.kill(int((tmd.state / "journal.lock").read_text()), signal.SIGKILL)
    # strace ends as what it traced did
    assert tmd.ended() == -signal.SIGKILL or (was_struck and tmd.ended() == 14), tmd.said()
    assert fault == KILLED or not was_struck or tmd.ended() == 14
    tmd.start().ready()
    for key, reply in acknowledged.items():
        again = tmd.ask(STORY[key], key=key)
        assert again.replayed, (key, again)
        assert same(reply, again), (reply, again)
    tell(tmd, acknowledged)
    tmd.until(lambda: not tmd.rows(ASKED_BACK))  # what the broker says after a stop, it says again
    assert tmd.stop() == 0, tmd.said()
    assert faults(tmd) == []
    return was_struck


def at_every(tmp_path, file, calls, fault, ends=1):
    """Strike the same day at its first call, its second, and so on; return how many there are.

    An error may be met where nobody depends on it (the log is moved later): after `ends` days in a
    row without an end by it, all were met.
    """
    strace("-o", "/dev/null", program=["-c", ""])  # skips where there is none
    with Tmd(tmp_path / "pristine", pace=20) as tmd:
        tmd.start().ready()
        assert tmd.stop() == 0
    when = spared = struck_ = 0
    while spared < ends:
        when += 1
        with Tmd(tmp_path / str(when), pace=20) as one:
            shutil.copytree(tmd.state, one.state)
            if struck(one, file, calls, fault, when):
                spared, struck_ = 0, struck_ + 1
            else:
                spared += 1
        shutil.rmtree(tmp_path / str(when))
    print(f"{struck_} of {when} calls of {calls} on {file} struck with {fault}")
    return struck_


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("calls", [SYNC, WRITE])
@pytest.mark.parametrize("file", ["journal.db-wal", "paper.db-wal"])
def test_a_kill_at_any_write_or_sync_loses_and_doubles_nothing(tmp_path, file, calls):
    assert at_every(tmp_path, file, calls, KILLED) > 8


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("calls", "error"), [(SYNC, "EIO"), (WRITE, "EIO"), (WRITE, "ENOSPC")])
def test_an_error_at_any_commit_ends_it_in_doubt_and_the_restart_decides(tmp_path, calls, error):
    assert at_every(tmp_path, "journal.db-wal", calls, f"error={error}", ends=3) > 8
