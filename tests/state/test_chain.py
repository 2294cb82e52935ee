"""What was committed is there, whole and in order, or the journal says which record is not."""

import sqlite3
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.apply import replay
from state.canonical import body_of
from state.chain import SNAPSHOTS_KEPT, append, load
from state.event import CashMoved, Halted, Resumed
from state.history import orders, records
from state.journal import (
    GENESIS,
    CommitInDoubt,
    CorruptJournal,
    JournalFull,
    NewerJournal,
    UnfitJournal,
    connect,
    in_memory,
    reader,
)
from state.record import Batch
from state.rows import link, seal
from state.snapshot import Snapshot
from tests.chronicle import (
    CLOSE,
    DRILL,
    FILL,
    LONG,
    WALL,
    raw,
    same,
    stories,
    write,
)

# Remembering


@given(stories, st.lists(st.tuples(st.integers(1, 8), st.booleans())))
def test_what_is_loaded_is_what_was_believed(events, cuts):
    """However a story is cut into batches, and wherever snapshots are saved."""
    db = in_memory()
    head, now = GENESIS, Snapshot()
    for size, save in [*cuts, *[(1, False)] * len(events)]:
        some, events = events[:size], events[size:]
        if some:
            head, now = write(db, head, now, some, save=save)

    snapshot, end = load(db)

    assert same(snapshot, now)
    assert end == head
    db.close()


@settings(max_examples=10)
@given(before=stories, after=stories)
def test_a_restart_changes_nothing(tmp_path_factory, before, after):
    """Replaying a + b is replaying b over what a left, with the file closed in between."""
    path = tmp_path_factory.mktemp("state") / "journal.db"
    head, now = GENESIS, Snapshot()
    after = [event for event in after if isinstance(event, CashMoved)]
    for events in (before, after):
        db = connect(path)
        loaded, end = load(db)
        assert same(loaded, now)
        assert end == head
        head, now = write(db, end, loaded, events, save=bool(events))
        db.close()

    assert same(now, replay(Snapshot(), [*before, *after]))


def test_a_record_keeps_its_event_and_when_it_was_written(db):
    head, _ = write(db, GENESIS, Snapshot(), LONG)

    found = list(records(db))

    assert [record.event for record in found] == LONG
    assert [record.seq for record in found] == list(range(1, len(LONG) + 1))
    assert {record.wall for record in found} == {WALL}
    assert found[-1].hash == head.hash


def test_an_empty_journal_knows_nothing(db):
    assert load(db) == (Snapshot(), GENESIS)


def test_a_batch_of_nothing_writes_nothing(db):
    before = db.total_changes

    assert append(db, Batch((), WALL), GENESIS) == GENESIS
    assert db.total_changes == before


def test_each_record_is_linked_to_the_one_before(db):
    write(db, GENESIS, Snapshot(), LONG)
    rows = db.execute("SELECT seq, wall_us, type, body, hash FROM event").fetchall()

    for before, (seq, wall, kind, body, link_) in pairwise([(0, 0, "", b"", bytes(32)), *rows]):
        assert link_ == link(before[4], seq, wall, kind, body)


def test_the_same_story_has_the_same_hash():
    heads = set()
    for _ in range(2):
        db = in_memory()
        heads.add(write(db, GENESIS, Snapshot(), LONG)[0])
        db.close()
    assert len(heads) == 1


# Orders, halts


def test_orders_stand_as_they_do_in_memory(db):
    head, now = GENESIS, Snapshot()
    for event in LONG:
        head, now = write(db, head, now, [event])
        stored = {order.order_id: order for order in orders(db, limit=1000)}
        assert {order_id: stored[order_id] for order_id in now.orders} == now.orders


def test_the_halts_in_force_are_in_their_table(db):
    halt = Halted("symbol:KO", "odd prints", "MANUAL", "bob", CLOSE)
    lifted = Resumed("account", "over", "ann", CLOSE)

    write(db, GENESIS, Snapshot(), [DRILL, halt, lifted])

    assert db.execute("SELECT * FROM halt").fetchall() == [
        ("symbol:KO", 2, "MANUAL", "bob", "odd prints")
    ]


# Snapshots


def marked(now: Snapshot, name: str) -> Snapshot:
    """`now` with a mark that no event leaves, to tell which snapshot was taken."""
    return replace(now, strategy=name)


@pytest.fixture
def thrice(db):
    """Three snapshots saved, each marked; then two more records."""
    head, now = GENESIS, Snapshot()
    for name in ("first", "second", "third"):
        now = replay(now, [DRILL])
        head = append(db, Batch([DRILL], WALL, snapshot=marked(now, name)), head)
    head = append(db, Batch([DRILL, DRILL], WALL), head)
    return db, head


def test_the_newest_snapshot_is_taken_and_what_followed_applied(thrice):
    db, head = thrice
    snapshot, end = load(db)

    assert (snapshot.strategy, snapshot.seq) == ("third", 5)
    assert end == head


def test_the_last_two_snapshots_are_kept(thrice):
    db, _ = thrice
    kept = db.execute("SELECT seq FROM snapshot ORDER BY seq").fetchall()

    assert kept == [(2,), (3,)]
    assert len(kept) == SNAPSHOTS_KEPT


@pytest.mark.parametrize(
    ("damage", "taken"),
    [
        pytest.param(["UPDATE snapshot SET body = x'7b7d' WHERE seq = 3"], "second", id="newest"),
        pytest.param(["UPDATE snapshot SET body = x'7b7d'"], "", id="both"),
        pytest.param(["UPDATE snapshot SET hash = x'00' WHERE seq = 3"], "second", id="unsealed"),
        pytest.param(
            [
                "DELETE FROM snapshot WHERE seq = 2",
                "UPDATE snapshot SET seq = 2",
            ],
            "",
            id="of another place",
        ),
    ],
)
def test_a_damaged_snapshot_is_passed_over(thrice, damage, taken):
    db, head = thrice
    for statement in damage:
        db.execute(statement)

    snapshot, end = load(db)

    assert (snapshot.strategy, snapshot.seq, end) == (taken, 5, head)


def test_a_snapshot_folded_into_another_shape_is_passed_over(thrice):
    """An older program's snapshot lacks the fields added since: the events have them."""
    db, _ = thrice
    (body, link_) = db.execute(
        "SELECT snapshot.body, event.hash FROM snapshot JOIN event USING (seq) WHERE seq = 3"
    ).fetchone()
    older = seal(link_ + b"an older shape", body)
    db.execute("UPDATE snapshot SET hash = ? WHERE seq = 3", (older,))

    assert load(db)[0].strategy == "second"


def test_a_snapshot_of_another_place_is_not_saved(db):
    with pytest.raises(ValueError, match="record 7 can't be saved at 1"):
        append(db, Batch([DRILL], WALL, snapshot=Snapshot(seq=7)), GENESIS)
    assert load(db)[1] == GENESIS


# Commits that fail


class Ghost(sqlite3.Connection):
    """A connection whose COMMIT, when told to, raises: before (lost) or after (a ghost)."""

    fails = ""

    def execute(self, sql, *args):
        if sql == "COMMIT" and self.fails:
            if self.fails == "after":
                super().execute(sql)
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *args)


@pytest.mark.parametrize("fails", ["before", "after"])
def test_a_commit_that_raises_is_in_doubt_and_a_restart_decides(path, fails):
    db = connect(path, factory=Ghost)
    head, now = write(db, GENESIS, Snapshot(), LONG)
    db.fails = fails

    with pytest.raises(CommitInDoubt, match=f"records {head.seq + 1} to {head.seq + 1}"):
        write(db, head, now, [DRILL])
    db.close()

    db = connect(path)
    assert load(db)[1].seq == head.seq + (fails == "after")
    db.close()


def test_a_full_disk_before_the_commit_leaves_everything_as_it_was(db):
    head, now = write(db, GENESIS, Snapshot(), LONG)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    large = [Halted("account", "x" * 5000, "MANUAL", "ann", CLOSE)] * 4

    for _ in range(3):
        with pytest.raises(JournalFull, match=f"records {head.seq + 1} to {head.seq + 4}"):
            append(db, Batch(large, WALL), head)
        assert load(db) == (now, head)

    db.execute("PRAGMA max_page_count = 1000000")
    head = append(db, Batch(large, WALL), head)
    assert load(db)[1] == head


def test_any_other_error_is_raised_as_it_is_after_a_roll_back(db):
    head, _ = write(db, GENESIS, Snapshot(), LONG)
    db.execute("DROP TABLE halt")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        append(db, Batch([DRILL], WALL), head)

    assert not db.in_transaction
    assert len(list(records(db))) == len(LONG)


def test_a_roll_back_that_fails_is_in_doubt_too(path):
    class Stuck(sqlite3.Connection):
        def execute(self, sql, *args):
            if sql == "ROLLBACK":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *args)

    db = connect(path, factory=Stuck)
    with pytest.raises(CommitInDoubt, match="could not be undone"):
        append(db, Batch([FILL, FILL], WALL), GENESIS)
    db.close()


def test_a_whole_record_of_an_unknown_kind_is_of_a_newer_program(db):
    body = b'{"type":"from_the_future","at":"2025-03-03T21:00:00Z"}'
    hash_ = link(GENESIS.hash, 1, 0, "from_the_future", body)
    db.execute("INSERT INTO event VALUES (1, 0, 'from_the_future', ?, ?)", (body, hash_))

    with pytest.raises(NewerJournal, match="record 1 is whole"):
        load(db)


def test_market_time_and_wall_time_are_kept_apart(db):
    late = WALL + timedelta(days=400)
    append(db, Batch([DRILL], late), GENESIS)

    (record,) = records(db)

    assert (record.wall, record.event.at) == (late, CLOSE)


# Corruption


def edited(sql: str, *values):
    def do(path):
        db = raw(path)
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            db.execute(f"DROP TRIGGER {trigger}")
        db.executescript(sql) if not values else db.execute(sql, values)
        db.close()

    return do


SWAP = """
UPDATE event SET seq = -1 WHERE seq = 20;
UPDATE event SET seq = 20 WHERE seq = 21;
UPDATE event SET seq = 21 WHERE seq = -1;
"""
FORGED = body_of(Halted("account", "forged", "MANUAL", "mallory", CLOSE))


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        pytest.param(edited("UPDATE event SET body = ? WHERE seq = 7", FORGED), 7, id="body"),
        pytest.param(edited("UPDATE event SET wall_us = wall_us + 1 WHERE seq = 7"), 7, id="time"),
        pytest.param(edited("UPDATE event SET type = 'resumed' WHERE seq = 7"), 7, id="kind"),
        pytest.param(edited("UPDATE event SET hash = zeroblob(32) WHERE seq = 7"), 7, id="hash"),
        pytest.param(edited("DELETE FROM event WHERE seq = 7"), 7, id="deleted"),
        pytest.param(edited("DELETE FROM event WHERE seq = 1"), 1, id="the first deleted"),
        pytest.param(edited(SWAP), 20, id="reordered"),
        pytest.param(edited("DELETE FROM event WHERE seq > 70"), 71, id="cut off"),
        pytest.param(edited("DELETE FROM event"), 1, id="emptied"),
    ],
)
def test_tampering_is_found_and_the_first_bad_record_named(filled, tamper, first_bad):
    path, _, _ = filled
    tamper(path)

    db = connect(path)
    with pytest.raises(CorruptJournal) as found:
        load(db)
    db.close()

    assert found.value.seq == first_bad


def varint(image: bytes, at: int) -> tuple[int, int]:
    """Return the variable-length integer at an offset, and the offset behind it."""
    value = 0
    for place in range(at, at + 9):
        value = value << 7 | image[place] & 0x7F
        if image[place] < 0x80:
            break
    return value, place + 1


def cells(path) -> list[tuple[int, int]]:
    """Return where each event row lies in the file, as [start, end) of its cell's bytes."""
    db = raw(path)
    (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()
    (count,) = db.execute("SELECT count(*) FROM event").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    image = path.read_bytes()
    found, pages = [], [root]
    while pages:
        page = (pages.pop() - 1) * size
        leaf = image[page] == 0x0D
        pointers = page + (8 if leaf else 12)
        for n in range(int.from_bytes(image[page + 3 : page + 5])):
            at = int.from_bytes(image[pointers + 2 * n : pointers + 2 * n + 2])
            start = page + at
            if not leaf:
                pages.append(int.from_bytes(image[start : start + 4]))
                continue
            payload, behind = varint(image, start)
            _, behind = varint(image, behind)
            found.append((start, behind + payload))
        if not leaf:
            pages.append(int.from_bytes(image[page + 8 : page + 12]))
    assert len(found) == count
    return found


def with_flip(image: bytes, at: int, bit: int) -> bytes:
    return image[:at] + bytes([image[at] ^ (1 << bit)]) + image[at + 1 :]


def opened(path):
    """What a start would find, or None when it finds the journal unfit."""
    try:
        db = reader(path)
    except UnfitJournal:
        return None
    try:
        return load(db)
    except UnfitJournal:
        return None
    finally:
        db.close()


def flips(filled, chosen) -> list[tuple[int, int]]:
    """Return the flips, among `chosen`, of offset and bit, that nobody would have noticed."""
    path, now, head = filled
    image = path.read_bytes()
    missed = []
    for at, bit in chosen:
        path.write_bytes(with_flip(image, at, bit))
        if opened(path) is not None:
            missed.append((at, bit))
    path.write_bytes(image)
    assert opened(path) == (now, head)
    return missed


def seq_column(image: bytes, start: int) -> int:
    """Return the offset of the byte that says how `seq` is stored: not at all, it is the key.

    SQLite reads the key and never this column, so the one flip that claims the column to be a
    constant without bytes changes nothing that anybody can read.
    """
    _, behind = varint(image, start)
    _, behind = varint(image, behind)
    return behind + 1


def test_a_flipped_bit_in_an_event_row_is_always_found(filled):
    image = filled[0].read_bytes()
    rng = Random(1)
    rows = cells(filled[0])
    harmless = {(seq_column(image, start), 3) for start, _ in rows}
    chosen = set()
    while len(chosen) < 300:
        start, end = rng.choice(rows)
        flip = rng.randrange(start, end), rng.randrange(8)
        if flip not in harmless:
            chosen.add(flip)

    assert flips(filled, sorted(chosen)) == []


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_every_flipped_bit_of_some_rows_is_found(filled):
    image = filled[0].read_bytes()
    rows = Random(2).sample(cells(filled[0]), 12)
    harmless = {(seq_column(image, start), 3) for start, _ in rows}
    every = [(at, bit) for start, end in rows for at in range(start, end) for bit in range(8)]

    assert set(flips(filled, every)) <= harmless
