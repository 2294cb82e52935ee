"""The halt as a file: read at the last check, so that no older backup or stuck loop forgets it."""

from datetime import datetime
from pathlib import Path

import msgspec

from control.durably import placed, synced
from control.halt_file import NAME


class HaltNote(msgspec.Struct, frozen=True):
    """What the file says; `tm halt --offline` writes the same.

    `seq` is where the journal was when the daemon wrote it; 0 when anybody else did.
    """

    scope: str = "account"
    reason: str = "halt file"
    actor: str = "operator"
    at: datetime | None = None
    seq: int = 0


class HaltFile:
    """The file `halt` in the state directory. That it exists is the halt."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME

    def exists(self) -> bool:
        """Return whether trading is halted by file; unreadable counts as halted."""
        try:
            self._path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def read(self) -> HaltNote:
        """Return what the file says; a file nobody understands is a halt all the same."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=HaltNote)
        except (OSError, msgspec.MsgspecError):
            return HaltNote()

    def write(self, note: HaltNote) -> None:
        """Write the file whole and durably; OSError when that fails (the journal has it then)."""
        new = self._path.with_name(f"{NAME}.new")
        new.write_bytes(msgspec.json.encode(note))
        placed(new, self._path)

    def remove(self) -> None:
        """Take the file away, for good."""
        self._path.unlink(missing_ok=True)
        synced(self._path.parent)
