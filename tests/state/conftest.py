"""One journal a test."""

import pytest

from state.journal import connect
from tests.chronicle import long_journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def db(path):
    db = connect(path)
    yield db
    db.close()


@pytest.fixture
def filled(path):
    """The journal of a long story: its path, what is known at its end, and its head."""
    return path, *long_journal(path)
