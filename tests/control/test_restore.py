"""A restored journal forgets nothing that was done since, and trades only after somebody looked."""

import fcntl
import os
import shutil
import stat
from contextlib import closing
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from control import restoring
from control.restoring import SPARED
from state.chain import load
from state.event import Halted, OrderClaimed, OrderSubmitted, Restored
from state.history import find_commands, recorded
from state.integrity import verify
from state.journal import CorruptJournal, connect, copy_into, reader
from state.order import order_id, request_id
from tests.chronicle import CLOSE, DRILL, MONDAY, command, raw, write
from tests.control.terminal import tm

THEN, SINCE = "before the backup", "after the backup"
RID = request_id(SINCE)
PG_HALT = replace(DRILL, scope="symbol:PG")


def order(number):
    return OrderSubmitted(
        order_id(RID, number), RID, "KO", D(10), D(50), None, "manual", MONDAY, CLOSE
    )


@pytest.fixture
def state(tmp_path):
    """A state directory with a journal that went on after its backup: claims, keys, a halt."""
    state = tmp_path / "state"
    state.mkdir()
    with closing(connect(state / "journal.db")) as db:
        now, head = load(db)
        head, now = write(db, head, now, [order(0)], commands=[command(THEN)])
        (tmp_path / "b.db").touch()
        copy_into(db, tmp_path / "b.db")
        claims = [OrderClaimed(order_id(RID, n), 40 + n, CLOSE) for n in range(2)]
        since = [order(1), *claims, PG_HALT]
        commands = [command(SINCE, final=False, reply=b'{"told":1}')]
        write(db, head, now, since, commands=commands)
    return state


@pytest.fixture
def backup(state):
    return state.parent / "b.db"


def restore(backup, state, *more):
    return tm("restore", str(backup), "--state", str(state), "--json", *more)


def known(state):
    """What a start would find in a state directory."""
    with closing(reader(state / "journal.db")) as db:
        assert verify(db).ok
        return load(db)[0]


def events(state):
    with closing(reader(state / "journal.db")) as db:
        return [record.event for record in recorded(db, 0, None)]


class TestARestoredJournal:
    def test_is_the_backup_and_what_follows_from_that(self, state, backup):
        ran = restore(backup, state)

        assert (ran.exit, ran.envelope["data"]["seq"]) == (0, 1)
        assert [type(event) for event in events(state)] == [
            OrderSubmitted,
            Restored,
            Halted,
            Halted,
        ]
        mode = stat.S_IMODE((state / "journal.db").stat().st_mode)
        assert mode == 0o600

    def test_is_halted_in_the_journal_and_by_file(self, state, backup):
        restore(backup, state)

        now = known(state)
        assert now.halting().code == "RECONCILE_PENDING"
        assert not now.reconciled
        assert (state / "halt").exists()

    def test_keeps_a_halt_it_had(self, state, backup):
        with closing(connect(backup)) as db:
            now, head = load(db)
            write(db, head, now, [replace(DRILL, code="DRAWDOWN")])
        restore(backup, state)

        assert known(state).halting().code == "DRAWDOWN"

    def test_keeps_the_halts_of_symbols_made_since(self, state, backup):
        restore(backup, state)

        assert known(state).halts["symbol:PG"].actor == "ann"

    def test_never_uses_a_broker_order_id_again(self, state, backup):
        ran = restore(backup, state)

        assert known(state).next_oid == ran.envelope["data"]["next_oid"] == 42

    def test_answers_a_key_used_since_with_the_reply_it_got(self, state, backup):
        """A retry that comes after the restore must not be a second order."""
        ran = restore(backup, state)

        with closing(reader(state / "journal.db")) as db:
            kept = find_commands(db, [RID, request_id(THEN)])
        assert kept[RID].reply == b'{"told":1}'
        assert kept[RID].final  # its orders are not here, so nothing could ever finish it
        assert len(kept) == 2
        assert ran.envelope["data"]["keys"] == 1

    def test_keeps_the_replaced_journal_beside_it(self, state, backup):
        ran = restore(backup, state)

        aside = ran.envelope["data"]["replaced"]
        assert os.path.dirname(aside) == str(state)
        with closing(reader(f"{aside}/journal.db")) as db:
            assert verify(db).seq == 5

    def test_can_be_replaced_again(self, state, backup, monkeypatch):
        restore(backup, state)
        with closing(reader(state / "journal.db")) as db:
            seq = verify(db).seq
        again = restoring.restore(backup, state, CLOSE)
        assert (again.seq, again.keys) == (1, 1)
        assert verified(again.replaced) == seq
        assert known(state).next_oid == 42


def verified(aside):
    with closing(reader(f"{aside}/journal.db")) as db:
        return verify(db).seq


class TestWhenTheOldJournalCantBeRead:
    @pytest.fixture
    def ruined(self, state):
        (state / "journal.db").write_bytes(b"SQLite format 3\0" + b"ruined" * 9000)
        return state

    def test_ids_jump_past_all_that_may_have_been_used_and_it_says_so(self, ruined, backup):
        ran = restore(backup, ruined)

        assert ran.exit == 0
        assert ran.envelope["data"]["keys"] is None
        assert "keys used since the backup are not known" in ran.envelope["warnings"][0]
        assert known(ruined).next_oid == 1 + SPARED

    def test_nor_when_there_is_none(self, tmp_path, backup):
        ran = restore(backup, tmp_path / "new" / "state")

        assert (ran.exit, ran.envelope["data"]["replaced"]) == (0, None)
        assert known(tmp_path / "new" / "state").next_oid == 1 + SPARED


class Killed(BaseException):
    """The process was killed."""


@pytest.mark.parametrize(
    "call", ["prepared", "write", "put_aside", "placed", "synced"], ids=lambda call: f"at {call}"
)
def test_killed_anywhere_it_is_halted_or_refused_and_can_be_done_again(
    state, backup, monkeypatch, call
):
    def killed(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(restoring, call, killed)
        with pytest.raises(Killed):
            restoring.restore(backup, state, CLOSE)
    if (state / "journal.db").exists():
        assert known(state).next_oid == 42  # as it was: not one record is missing
        assert verified(state) == 5
    else:
        with pytest.raises(CorruptJournal, match="restore"):
            connect(state / "journal.db")
    ran = restore(backup, state)
    assert (ran.exit, ran.envelope["data"]["keys"]) == (0, 1)
    assert known(state).next_oid == 42


class TestIsRefused:
    def test_while_a_daemon_holds_the_state(self, state, backup):
        before = (state / "journal.db").read_bytes()
        with (state / "journal.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ran = restore(backup, state)
        assert (ran.exit, ran.envelope["error"]["code"]) == (9, "STATE_HELD")
        assert (state / "journal.db").read_bytes() == before
        assert not (state / "halt").exists()

    def test_of_a_damaged_backup(self, state, backup):
        with closing(raw(backup)) as db:
            db.execute("DROP TRIGGER event_is_never_changed")
            db.execute("UPDATE event SET body = x'7b7d'")
        ran = restore(backup, state)
        assert (ran.exit, ran.envelope["error"]["code"]) == (12, "BACKUP_UNSOUND")
        assert verified(state) == 5

    def test_of_a_newer_one(self, state, backup):
        with closing(raw(backup)) as db:
            db.execute("PRAGMA user_version = 99")
        ran = restore(backup, state)
        assert (ran.exit, ran.envelope["error"]["code"]) == (12, "JOURNAL_UNFIT")
        assert verified(state) == 5

    def test_of_what_is_no_file(self, state, tmp_path):
        ran = restore(tmp_path / "none.db", state)
        assert (ran.exit, ran.envelope["error"]["code"]) == (8, "NO_BACKUP")
        assert restore(tmp_path, state).exit == 8

    def test_where_nothing_can_be_written(self, backup, tmp_path):
        (tmp_path / "file").touch()
        ran = restore(backup, tmp_path / "file")
        assert (ran.exit, ran.envelope["error"]["code"]) == (7, "RESTORE_FAILED")


def test_people_are_told_what_to_do_next(state, backup):
    shown = tm("restore", str(backup), "--state", str(state)).merged

    assert "`tm reconcile`, then `tm resume`" in shown
    assert "replaced-" in shown


def test_a_backup_stays_as_it_is(state, backup):
    before = backup.read_bytes()
    restore(backup, state)
    shutil.rmtree(state)
    restore(backup, state)
    assert backup.read_bytes() == before
    assert sorted(file.name for file in backup.parent.iterdir()) == ["b.db", "state"]
