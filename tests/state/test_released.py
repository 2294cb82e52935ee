"""Every released schema is lifted to this one with all it knew, and a newer one is left alone."""

import sqlite3
from contextlib import closing
from hashlib import blake2b

import pytest

from state.integrity import verify
from state.journal import NewerJournal, connect, reader
from state.schema import LADDER, VERSION
from tests.chronicle import raw
from tests.state.released.sample import known, unpacked

# What a released step says is what people's files went through: none is ever edited.
STEPS = {1: "13833b41bea73b77", 2: "2efda88c4eb007ee", 3: "cf8cf7d2f27413a0"}


RELEASED = sorted({*range(1, VERSION), *STEPS})  # the newest joins them with its release


@pytest.mark.parametrize("version", RELEASED)
class TestOfEveryReleasedVersion:
    def test_there_is_a_journal_that_is_lifted_with_all_it_knew(self, version, tmp_path):
        knew = unpacked(version, tmp_path)
        with closing(connect(tmp_path / "journal.db")) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert verify(db).ok
        assert known(tmp_path / "journal.db") == knew

    def test_the_step_is_as_it_was_released(self, version):
        text = "\0".join(LADDER[version - 1]).encode()
        assert blake2b(text, digest_size=8).hexdigest() == STEPS[version]

    def test_lifted_it_has_the_schema_of_a_new_one(self, version, tmp_path):
        unpacked(version, tmp_path / "old")
        connect(tmp_path / "old" / "journal.db").close()
        connect(tmp_path / "new.db").close()

        assert schema(tmp_path / "old" / "journal.db") == schema(tmp_path / "new.db")


def schema(path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        return set(db.execute("SELECT name, sql FROM sqlite_master"))


def test_a_newer_one_is_refused_and_left_as_it_is(tmp_path):
    unpacked(1, tmp_path)
    path = tmp_path / "journal.db"
    with closing(raw(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    for opened in (connect, reader):
        with pytest.raises(NewerJournal, match="run the newer program"):
            opened(path)
    assert path.read_bytes() == before
