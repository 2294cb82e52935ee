"""`tmd` whose event loop stands still from the moment a file `stall` is in its folder.

    python -m tests.kills.stalling TMD ARGUMENT...

The first argument, the program itself, is left out.
"""

import sys
import time

from daemon import __main__, watch

ROUNDS = watch.Watch.heed_halt_file


async def stuck(self):
    """Go the round, and stand still where that is asked for: nothing of the loop runs any more."""
    await ROUNDS(self)
    if (self._journal.parent / "stall").exists():
        time.sleep(3600)  # noqa: ASYNC251 that is the point


if __name__ == "__main__":
    watch.Watch.heed_halt_file = stuck
    __main__.run(sys.argv[2:])
