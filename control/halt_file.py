"""The halt as a file: the daemon's sender reads it at its last check, whatever else is stuck."""

import json
import os
from contextlib import suppress
from datetime import datetime
from typing import Final

NAME: Final = "halt"


class HaltFileFailed(Exception):
    """The halt file could not be written; `hint` says what to do instead."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the halt file {path} was not written: {why}")
        self.hint = (
            "name the daemon's state directory with TM_STATE, and be a user who may write it"
        )


def write(state: str, scope: str, reason: str, at: datetime) -> str:
    """Write the halt file into a state directory, durably, and return its path."""
    path = os.path.join(state, NAME)
    note = {"scope": scope, "reason": reason, "actor": who(), "at": at.isoformat()}
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "w", encoding="utf-8") as file:
            json.dump(note, file)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as e:
        with suppress(OSError):
            os.unlink(beside)
        raise HaltFileFailed(path, e.strerror or str(e)) from e
    return path


def who() -> str:
    """Return the name of whoever runs this."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid:{os.geteuid()}"
