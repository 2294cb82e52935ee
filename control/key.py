"""Idempotency keys: the name under which a command happens once, however often it is asked."""

import os
import re
from typing import Final

LONGEST: Final = 200
PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")


class KeyInvalid(ValueError):
    """A key is empty, too long, or not printable ASCII."""

    def __init__(self, key: str) -> None:
        shown = key if len(key) <= 40 else f"{key[:37]}..."
        super().__init__(
            f"key {shown!r} of {len(key)} characters: a key is 1 to {LONGEST} printable ASCII ones"
        )
        self.key = key


def checked(key: str) -> str:
    """Return `key` itself; raise KeyInvalid."""
    if len(key) > LONGEST or not PRINTABLE.fullmatch(key):
        raise KeyInvalid(key)
    return key


def fresh(command: str) -> str:
    """Return a key nobody has used, readable in a journal: the command and 80 random bits."""
    return f"{command}-{os.urandom(10).hex()}"
