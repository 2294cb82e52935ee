"""A journal's file, read without a daemon."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from control.client import NoReply
from control.protocol import Exit
from state.journal import Database, DatabaseError, UnfitJournal, reader


@contextmanager
def reading(path: Path) -> Iterator[Database]:
    """Open a journal to read only; raise NoReply for a file that is none, or is damaged."""
    try:
        with closing(reader(path)) as db:
            yield db
    except (FileNotFoundError, IsADirectoryError, PermissionError) as e:
        hint = "name the file journal.db of a state directory"
        raise NoReply(Exit.NOT_FOUND, "NO_JOURNAL", f"--journal {path}: {e}", hint) from e
    except (UnfitJournal, DatabaseError) as e:
        hint = "`tm verify --journal FILE` says where; restore a backup"
        raise NoReply(Exit.FINDINGS, "JOURNAL_UNFIT", str(e), hint) from e
