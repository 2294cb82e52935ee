"""A small disk of our own, to fill up or to make read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tmpfs(at: Path, size: int) -> Iterator[Path]:
    """Mount a tmpfs of `size` bytes at a directory; skips where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    at.mkdir(exist_ok=True)
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at], capture_output=True, text=True
    )
    if mounting.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {mounting.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def read_only(at: Path) -> None:
    """Make a mounted disk read-only, as a backup or another machine's volume may be."""
    subprocess.run(["mount", "-o", "remount,ro", at], check=True)
