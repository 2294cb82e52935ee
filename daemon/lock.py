"""One daemon per state directory: a lock taken before anything else, and held for life."""

import ctypes
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = "journal.lock"
REFUSED: Final[Mapping[int, str]] = {  # f_type in statfs(2)
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x65735546: "FUSE",
}
PASSING: Final[Mapping[int, str]] = {0x01021994: "tmpfs", 0x794C7630: "overlayfs"}

log = logging.getLogger(__name__)


class StateHeld(Exception):
    """Another daemon owns this state; `pid` is its process id, where it could be read."""

    def __init__(self, state: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{state}: {who} holds this state; stop it first (`tm shutdown`), or use another"
            " directory (--state)"
        )
        self.state, self.pid = state, pid


class UnsafeFileSystem(Exception):
    """Locks and shared memory can't be relied on where the state would live."""

    def __init__(self, state: Path, kind: str) -> None:
        super().__init__(
            f"{state}: is on {kind}, where locks and the journal's shared memory can't be relied"
            " on; keep the state on a local disk (in Docker: a named volume)"
        )
        self.state, self.kind = state, kind


def statfs_type(path: Path) -> int:
    """Return the file system's magic number, `f_type` in statfs(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    answer = ctypes.create_string_buffer(512)  # struct statfs takes 120 bytes and starts with it
    if libc.statfs(os.fsencode(path), answer):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return ctypes.c_ulong.from_buffer(answer).value & 0xFFFFFFFF


@contextmanager
def held(state: Path, kind_of: Callable[[Path], int] = statfs_type) -> Iterator[None]:
    """Hold `state` as its one daemon, making the directory (0700) if need be.

    Raises StateHeld at once when another process has it, UnsafeFileSystem where a lock means
    nothing. The lock goes with the process, however it ends; no child inherits it.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    kind = kind_of(state)
    if kind in REFUSED:
        raise UnsafeFileSystem(state, REFUSED[kind])
    if kind in PASSING:
        log.warning("state_may_vanish", extra={"path": str(state), "kind": PASSING[kind]})
    descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        take(descriptor, state)
        yield
    finally:
        os.close(descriptor)


def take(descriptor: int, state: Path) -> None:
    """Lock an open file and write our process id into it; raise StateHeld."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateHeld(state, holder(descriptor)) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def holder(descriptor: int) -> int | None:
    """Return the process id in a lock file; None while its holder is still writing it."""
    written = os.pread(descriptor, 32, 0).strip()
    return int(written) if written.isdigit() else None
