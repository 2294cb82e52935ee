"""Lives of the daemon, forked from one process that has everything imported and read.

    python -m tests.kills.forking CONFIG STATE SOCKET

A line on stdin begins a life, whose process id is written to stdout; when it has ended, its exit
code is (negative for a signal). What runs is `Life.run` as it ships: its own loop, lock, journal,
book, socket and feed. Only imports, calendar and prices are from before the fork.
"""

import asyncio
import ctypes
import gc
import os
import signal
import sys
from pathlib import Path

from daemon.__main__ import End, lived, verdict
from daemon.life import Life
from daemon.logs import start_logging
from state.configuration import decode

PR_SET_PDEATHSIG = 1


def main(config: str, state: str, socket: str) -> None:
    """Serve stdin to its end."""
    effective = decode(Path(config).read_text(), config, {})
    start_logging("info")
    life = Life(effective, Path(state), socket)
    gc.collect()
    gc.freeze()
    parent = os.getpid()
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == parent:
                os._exit(end_of(life))
            os._exit(End.FAILED)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def end_of(life: Life) -> End:
    """Run a life as `tmd` does."""
    try:
        asyncio.run(lived(life))
    except Exception as e:  # noqa: BLE001 every end has a code, as in `daemon.__main__`
        return verdict(e)
    return End.CLEAN


if __name__ == "__main__":
    main(*sys.argv[1:])
