"""The restore drill, with the installed programs: back up, go on, lose it, restore, compare, trade.

tm backup FILE            while everybody trades
tm verify --journal FILE
(the daemon is gone, its journal too)
tm restore FILE
tmd                       halted until somebody looked
tm reconcile, tm reconcile accept, tm resume
"""

import json
import os
import shutil
import subprocess
from contextlib import closing
from decimal import Decimal as D

import pytest

from control.protocol import Backup, Exit, Orders
from daemon.brokers.paper_venue import DUPLICATE
from state.command import MoveCash, SubmitOrder
from state.history import records
from state.integrity import verify
from state.journal import reader
from tests.kills.books import faults
from tests.tmd import TMD, Tmd

TM = TMD.with_name("tm")


def tm(tmd, *words):
    """Run the installed client; return its exit code and what it answered."""
    env = tmd.environment | {"TM_STATE": str(tmd.state)}
    done = subprocess.run([TM, *words, "--json"], env=env, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def filled(tmd, symbol, key):
    """Buy something and return once it is in the books."""
    reply = tmd.ask(SubmitOrder("buy", symbol, D(10)), key=key, wait=20.0)
    assert reply.ok, reply
    return reply


def sends(tmd):
    """Broker order ids in the order they were used."""
    return [oid for (oid,) in tmd.rows("SELECT broker_oid FROM orders", file="paper.db")]


@pytest.fixture
def traded(tmp_path):
    """A daemon that was backed up, and traded on."""
    with Tmd(tmp_path / "d", pace=20) as one:
        one.start().ready()
        filled(one, "KO", "before")
        code, made = tm(one, "backup", str(tmp_path / "kept" / "{date}-{head}.db"))
        assert code == 0, made
        filled(one, "PG", "since")
        one.backup = made["data"]["file"]
        yield one


def drilled(tmd):
    """Restore, start, compare, accept what is explained, resume; the books agree in the end."""
    code, checked = tm(tmd, "verify", "--journal", tmd.backup)
    assert (code, checked["ok"]) == (0, True)
    code, restored = tm(tmd, "restore", tmd.backup)
    assert code == 0, restored
    tmd.start()
    tmd.until(lambda: tmd.data()["halted"])
    assert tm(tmd, "order", "buy", "KO", "1", "--key", "n")[0] == Exit.REFUSED
    tmd.until(lambda: tmd.ask(Orders()).ok)
    code, found = tm(tmd, "reconcile", "--key", "look")
    if code == Exit.FINDINGS:
        words = ("reconcile", "accept", "--as", "adjustment", "--reason", "restored", "--key", "a")
        assert tm(tmd, *words)[0] == 0
    words = ("resume", "--reason", "compared", "--accept-risk", "ann", "--key", "go")
    assert tm(tmd, *words)[0] == 0
    tmd.ready()
    assert tmd.data()["halted"] is None
    assert not (tmd.state / "halt").exists()
    return restored["data"], found


def test_a_key_used_since_the_backup_is_still_one_order(traded):
    """The daemon was only stopped: everything since comes over from what is replaced."""
    assert traded.stop() == 0
    used = max(sends(traded))
    data, _ = drilled(traded)
    assert data["keys"] > 0
    again = traded.ask(SubmitOrder("buy", "PG", D(10)), key="since")
    assert again.replayed
    filled(traded, "KO", "after")
    assert sends(traded)[-1] == used + 1
    held = {p["symbol"]: D(p["quantity"]) for p in traded.books()["positions"]}
    assert held == {"KO": 20, "PG": 10}
    assert traded.stop() == 0
    assert traded.verified().ok
    assert not traded.rows("SELECT 1 FROM refusals WHERE reason = ?", DUPLICATE, file="paper.db")


@pytest.mark.nightly
def test_a_journal_that_is_gone_is_restored_and_the_broker_says_what_is_missing(traded):
    traded.kill()
    used = max(sends(traded))
    for file in traded.state.glob("journal.db*"):
        file.unlink()
    data, _ = drilled(traded)
    assert data["keys"] is None
    filled(traded, "KO", "after")
    assert sends(traded)[-1] > used + 1000
    held = {p["symbol"]: D(p["quantity"]) for p in traded.books()["positions"]}
    assert held == {"KO": 20, "PG": 10}
    assert traded.stop() == 0
    assert traded.verified().ok


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_fifty_backups_under_load_are_each_a_whole_beginning_of_the_journal(tmp_path):
    with Tmd(tmp_path / "d", pace=100) as tmd:
        tmd.start().ready()
        for n in range(50):
            for m in range(20):
                assert tmd.ask(MoveCash("deposit", D(1)), key=f"{n}.{m}").ok
            file = str(tmp_path / "kept" / f"{n}.db")
            assert tmd.ask(Backup(file), key=f"b{n}").ok
        assert tmd.stop() == 0
        assert faults(tmd) == []
        with closing(reader(tmd.state / "journal.db")) as db:
            whole = {record.seq: record.hash for record in records(db)}
    for file in os.scandir(tmp_path / "kept"):
        with closing(reader(file.path)) as db:
            found = verify(db)
        assert found.ok
        assert whole[found.seq] == found.hash
    shutil.rmtree(tmp_path / "kept")
