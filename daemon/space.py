"""Room on the journal's disk: how much is left, and a ballast to give up when there is none."""

import os
from pathlib import Path
from typing import Final, Protocol

MIB: Final = 1 << 20
BALLAST: Final = 8 * MIB
RESERVE: Final = 4 * MIB


class Space(Protocol):
    """What a store asks about room before it writes."""

    def tight(self) -> str:
        """Return why nothing should be written now; empty when there is room."""

    def hold(self) -> bool:
        """Keep a ballast, if there is ample room; return whether one is kept."""

    def release(self) -> bool:
        """Give the ballast up; False when there was none."""


class Endless:
    """Room without end, for a journal in memory."""

    def tight(self) -> str:
        """Return that there is room."""
        return ""

    def hold(self) -> bool:
        """Return that all is well."""
        return True

    def release(self) -> bool:
        """Return that there was nothing to give up."""
        return False


class DiskSpace:
    """The disk a directory is on. Sizes are in bytes.

    With less than `reserve` free nothing is begun: SQLite in write-ahead mode meets a full disk in
    the COMMIT, and a COMMIT that raises is in doubt. Released, the ballast makes room for the
    record of the halt, and for what the broker still says.
    """

    def __init__(self, directory: Path, ballast: int = BALLAST, reserve: int = RESERVE) -> None:
        if ballast <= reserve:
            raise ValueError(
                f"a ballast of {ballast:,} bytes, once released, must leave more than the reserve"
                f" of {reserve:,}"
            )
        self._directory, self._file = directory, directory / "ballast"
        self._ballast, self._reserve = ballast, reserve

    def free(self) -> int:
        """Return the bytes that may still be written."""
        disk = os.statvfs(self._directory)
        if disk.f_flag & os.ST_RDONLY:
            return 0
        return disk.f_bavail * disk.f_frsize

    def tight(self) -> str:
        """Return why nothing should be written now; empty when there is room."""
        free = self.free()
        if free >= self._reserve:
            return ""
        return f"{free:,} bytes are free in {self._directory}, and {self._reserve:,} are needed"

    def held(self) -> bool:
        """Return whether the ballast is there, whole."""
        try:
            return self._file.stat().st_size >= self._ballast
        except FileNotFoundError:
            return False

    def hold(self) -> bool:
        """Keep the ballast, if that leaves twice the reserve; return whether it is kept."""
        if self.held():
            return not self.tight()
        if self.free() < self._ballast + 2 * self._reserve:
            return False
        try:
            allocate(self._file, self._ballast)
        except OSError:  # the room went meanwhile
            self._file.unlink(missing_ok=True)
            return False
        return True

    def release(self) -> bool:
        """Give the ballast up; False when there was none."""
        if not self._file.exists():
            return False
        self._file.unlink()
        return True


def allocate(path: Path, size: int) -> None:
    """Make a file that really takes `size` bytes; OSError when there is no room."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)
