"""A start saves what it found out, when what is saved is too old, or of another version."""

from contextlib import closing

import pytest

from state.chain import load, renew
from state.journal import connect
from tests.chronicle import LONG, long_journal, raw, same

EVERY = 20


@pytest.fixture
def journal(tmp_path):
    """A journal of a long story, with snapshots at 33 and 63 of its 124 records."""
    path = tmp_path / "journal.db"
    long_journal(path)
    return path


def saved(db):
    return [seq for (seq,) in db.execute("SELECT seq FROM snapshot ORDER BY seq")]


def test_an_old_snapshot_is_joined_by_a_new_one(journal):
    with closing(connect(journal)) as db:
        now, head = load(db)
        assert renew(db, now, head, EVERY)
        assert saved(db)[-1] == head.seq == len(LONG)
        again, there = load(db)
        assert (same(again, now), there) == (True, head)
        assert not renew(db, again, there, EVERY)  # once is enough


def test_a_young_one_is_left_alone(journal):
    with closing(connect(journal)) as db:
        before = saved(db)
        now, head = load(db)
        assert not renew(db, now, head, head.seq - before[-1] + 1)
        assert saved(db) == before


def test_one_of_another_version_is_none(journal):
    """Its seal is of another shape: it can't be used, however young it is."""
    with closing(raw(journal)) as db:
        db.execute("UPDATE snapshot SET hash = zeroblob(32)")
    with closing(connect(journal)) as db:
        now, head = load(db)
        assert renew(db, now, head, len(LONG) - 1)
        assert saved(db)[-1] == head.seq


def test_a_short_journal_needs_none(journal):
    with closing(connect(journal)) as db:
        now, head = load(db)
        assert not renew(db, now, head, len(LONG) + 1)
