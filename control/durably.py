"""Files put in place so that a power cut leaves either the old one or the whole new one."""

import os
from pathlib import Path


def synced(file: Path) -> None:
    """Return once a file, or the names in a directory, are on the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def placed(new: Path, at: Path) -> None:
    """Give a finished file its name, over whatever had it; both are in one file system."""
    synced(new)
    new.replace(at)
    synced(at.parent)
