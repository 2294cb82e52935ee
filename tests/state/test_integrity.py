"""`verify` says whether a journal still says what was written, and where it stops doing so."""

import sqlite3

import pytest
from msgspec.structs import replace

from state.chain import append
from state.checkpoint import checkpoint
from state.event import OrderFilled
from state.integrity import Verified, quick_check, verify
from state.journal import GENESIS, CorruptJournal, connect, reader
from state.record import Batch
from state.snapshot import Snapshot
from tests.chronicle import LONG, WALL, write


@pytest.fixture
def filled(tmp_path):
    """A long story's journal, its path and its head."""
    path = tmp_path / "journal.db"
    db = connect(path)
    head, _ = write(db, GENESIS, Snapshot(), LONG)
    checkpoint(db, "TRUNCATE")
    db.close()
    return path, head


def verified(path) -> Verified:
    db = reader(path)
    try:
        return verify(db)
    finally:
        db.close()


def changed(path, statement):
    db = sqlite3.connect(path, isolation_level=None)
    for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        db.execute(f"DROP TRIGGER {trigger}")
    db.execute(statement)
    db.close()


def test_a_whole_journal_is_whole(filled):
    path, head = filled

    assert verified(path) == Verified(
        True, head.seq, head.hash, None, f"{head.seq} records, unbroken"
    )


@pytest.mark.parametrize(
    ("statement", "first_bad", "said"),
    [
        pytest.param(
            "UPDATE event SET wall_us = 0 WHERE seq = 9", 9, "record 9 is not what", id="record"
        ),
        pytest.param("DELETE FROM event WHERE seq = 9", 9, "record 9 is missing", id="gap"),
        pytest.param("DELETE FROM event WHERE seq > 9", 10, "gone from the end", id="end"),
        pytest.param(
            "UPDATE fill SET price_u = price_u + 1", None, "the records say", id="execution"
        ),
        pytest.param("DELETE FROM fill", None, "execution 8 is None", id="execution gone"),
        pytest.param("DELETE FROM halt", None, "the records say", id="halt lifted by hand"),
        pytest.param("UPDATE halt SET actor = 'eve'", None, "halt account is", id="halt"),
        pytest.param(
            "UPDATE intent SET filled_u = 99000000", None, "its executions", id="order filled"
        ),
        pytest.param("DROP TABLE snapshot", None, "no such table: snapshot", id="snapshots gone"),
        pytest.param("DROP TABLE intent", None, "no such table: intent", id="table gone"),
    ],
)
def test_what_is_wrong_is_said(filled, statement, first_bad, said):
    path, _ = filled
    changed(path, statement)

    found = verified(path)

    assert not found.ok
    assert found.first_bad == first_bad
    assert said in found.message
    assert str(path) in found.message
    assert found.seq == (first_bad - 1 if first_bad else len(LONG))


def test_a_damaged_structure_is_found(filled):
    path, _ = filled
    image = bytearray(path.read_bytes())
    image[4096:4104] = bytes(8)  # the head of the second page
    path.write_bytes(image)

    found = verified(path)

    assert not found.ok
    assert found.seq == 0


def test_a_file_cut_short_is_found(filled):
    path, _ = filled
    path.write_bytes(path.read_bytes()[:-8192])

    with pytest.raises(CorruptJournal, match="malformed"):
        verified(path)


def test_a_connection_that_is_closed_is_no_proof_of_anything():
    class Broken(sqlite3.Connection):
        def execute(self, sql, *args):
            raise sqlite3.DatabaseError("disk I/O error")

    db = sqlite3.connect(":memory:", factory=Broken)
    with pytest.raises(CorruptJournal, match="disk I/O error"):
        quick_check(db)
    assert not verify(db).ok
    db.close()


def test_an_execution_booked_late_on_an_order_let_go_is_no_fault(filled):
    """The order's row keeps what it had when its command was over; the book has the execution."""
    path, head = filled
    early = next(event for event in LONG if isinstance(event, OrderFilled))
    db = connect(path)
    append(db, Batch([replace(early, execution_id="late")], WALL), head)
    db.close()

    assert verified(path).ok


@pytest.mark.parametrize("kept", [1, 9, None], ids=["the first", "one between", "the last"])
def test_a_head_noted_elsewhere_is_in_the_chain(filled, kept):
    path, head = filled
    db = reader(path)
    seq = kept or head.seq
    (hash_,) = db.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()

    assert verify(db, f"{seq}:{hash_.hex()}").ok
    assert verify(db, f"{seq}:{hash_.hex()[:8].upper()}").ok
    db.close()


@pytest.mark.parametrize(
    ("noted", "said"),
    [
        ("9:00000000", "was cut off or written anew"),
        ("99999:00000000", "is not there: it was cut off"),
        ("9:ab", "is no SEQ:HASH"),
        ("nine:00000000", "is no SEQ:HASH"),
        ("9", "is no SEQ:HASH"),
    ],
)
def test_a_journal_that_was_cut_off_or_written_anew_holds_no_head_noted_before(filled, noted, said):
    db = reader(filled[0])
    found = verify(db, noted)
    db.close()

    assert not found.ok
    assert said in found.message
