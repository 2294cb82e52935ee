"""A process that writes a journal and says what is durable, for others to trace, fail or kill.

`python -m tests.kills.journal_writer JOURNAL BATCHES [off]`: prints `ack SEQ HASH` after each
commit, moves the log now and then, and ends with 14 when a commit is in doubt. With `off` nothing
is synchronised: the control that must be seen to lose what it acknowledged.
"""

import os
import sqlite3
import sys
from pathlib import Path
from random import Random

from msgspec.structs import replace

from state.apply import replay
from state.chain import append, load
from state.checkpoint import checkpoint
from state.journal import CommitInDoubt, connect
from state.record import Batch
from tests.chronicle import DRILL, WALL


def main(path: Path, batches: int, synchronous: str = "full") -> int:
    """Append until done or in doubt."""
    db = connect(path)
    db.execute(f"PRAGMA synchronous = {synchronous}")
    now, head = load(db)
    chance = Random(head.seq)
    for n in range(batches):
        size = chance.choice([20, 300, 9000])
        events = [replace(DRILL, reason="x" * size)] * chance.randint(1, 3)
        now = replay(now, events)
        try:
            head = append(db, Batch(events, WALL, snapshot=now if n % 7 == 6 else None), head)
        except CommitInDoubt:
            return 14
        os.write(1, f"ack {head.seq} {head.hash.hex()}\n".encode())
        if n % 9 == 8:
            try:
                checkpoint(db, "TRUNCATE" if n % 18 == 17 else "PASSIVE")
            except sqlite3.Error:
                os.write(1, b"checkpoint failed\n")
    db.close()
    return 0


if __name__ == "__main__":
    os._exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:3]), *sys.argv[3:]))
