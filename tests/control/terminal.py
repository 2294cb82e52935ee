"""`tm` as whoever runs it sees it: one exit code, and both streams in the order they came."""

import os
import sys
import tempfile
from contextlib import contextmanager
from typing import Any

import msgspec

from control.cli import main


class Ran(msgspec.Struct, frozen=True):
    """What a run left: its exit code, and what it wrote, both streams as one."""

    exit: int
    merged: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The last line, which has to be whole JSON."""
        assert self.merged.endswith("\n")
        found: dict[str, Any] = msgspec.json.decode(self.merged.splitlines()[-1])
        return found


def tm(*words: str, env: dict[str, str] | None = None) -> Ran:
    """Run `tm` in this process, with both streams on one file."""
    with tempfile.TemporaryFile() as file, environment(env or {}):
        kept = sys.stdout, sys.stderr
        sys.stdout = os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8")
        sys.stderr = os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8", buffering=1)
        try:
            code = main(words)
        except SystemExit as e:  # Typer ends the program itself when a shell asks what Tab offers
            code = int(e.code or 0)
        finally:
            sys.stdout.close()
            sys.stderr.close()
            sys.stdout, sys.stderr = kept
        file.seek(0)
        return Ran(code, file.read().decode())


@contextmanager
def environment(env: dict[str, str]):
    """Set variables while the block runs."""
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
