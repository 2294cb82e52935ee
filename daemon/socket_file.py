"""The control socket's file: never seen open to all, and never taken from a live daemon."""

import os
import socket
import stat
from contextlib import suppress
from typing import Final

LONGEST: Final = 107  # bytes in the path of a Unix socket
DIRECTORY_MODE: Final = 0o750
SOCKET_MODE: Final = 0o660

Identity = tuple[int, int]  # device and inode


class SocketUnusable(Exception):
    """The daemon can't listen there: what is in the way, and what to do."""

    def __init__(self, path: str, why: str, hint: str) -> None:
        super().__init__(f"control socket {path}: {why}; {hint}")
        self.path, self.why, self.hint = path, why, hint


class SocketTaken(SocketUnusable):
    """A live daemon answers there."""

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            "another daemon is listening on it",
            "stop that one with `tm shutdown`, or give this one another TM_SOCKET",
        )


def bound(path: str) -> tuple[socket.socket, Identity]:
    """Return a socket bound to `path` with mode 0660, and what tells its file from another's.

    It is bound beside its place and moved there, so nobody ever finds it with a looser mode, or
    finds nothing where a stale one stood. Raises SocketUnusable, or SocketTaken.
    """
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".{os.getpid()}")
    for name in (path, temporary):
        if len(os.fsencode(name)) > LONGEST:
            raise SocketUnusable(
                path, f"the path is longer than {LONGEST} bytes", "choose a shorter TM_SOCKET"
            )
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
            os.chmod(folder, DIRECTORY_MODE)
        stale(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            listening.bind(temporary)
            os.chmod(temporary, SOCKET_MODE)
            os.rename(temporary, path)
        except OSError:
            listening.close()
            raise
    except OSError as e:
        raise SocketUnusable(
            path,
            f"{e.strerror} ({e.filename or temporary})",
            f"make {folder} a directory that uid {os.geteuid()} may write, or set TM_SOCKET",
        ) from e
    listening.setblocking(False)
    return listening, identity(path)


def stale(path: str) -> None:
    """Return when nobody answers at `path`; raise SocketTaken when somebody does."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketUnusable(path, "it exists and is no socket", "move that file out of the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except (BlockingIOError, TimeoutError):
            pass  # its backlog is full: busy is alive
    raise SocketTaken(path)


def identity(path: str) -> Identity:
    """Return the device and inode of the file at `path`."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def removed(path: str, own: Identity) -> None:
    """Remove our socket's file; leave another's alone."""
    with suppress(FileNotFoundError):
        if identity(path) == own:
            os.unlink(path)
