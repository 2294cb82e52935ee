"""`tmd` of a version that does not exist yet: the same, with a journal schema one step higher.

    python -m tests.kills.newer TMD ARGUMENT...

The first argument, the program of this version, is left out.
"""

import sys

from state import schema

STEP = ("ALTER TABLE command ADD COLUMN note TEXT", "CREATE TABLE later (n INTEGER) STRICT")

if __name__ == "__main__":
    schema.LADDER = (*schema.LADDER, STEP)  # before anybody reads it
    schema.VERSION = len(schema.LADDER)

    from daemon.__main__ import run

    run(sys.argv[2:])
