"""How every command ends: its reply told once, for people and programs, and its exit code."""

import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import typer
from msgspec.structs import replace

from control import output
from control.options import Options
from control.protocol import Exit, Reply, encode
from control.render import Ink

Page = Callable[[Reply, Ink], str]


class Telling:
    """Tells one command's reply in the way that was asked for, and ends the program."""

    def __init__(self, command: str, options: Options) -> None:
        self._command, self._options = command, options
        self._started = time.monotonic()

    def finish(self, reply: Reply, page: Page, *, kept: bool = False) -> NoReturn:
        """Tell a reply in the way that was asked for, and end with its exit code.

        `kept` says that the file of --output is written already.
        """
        if not reply.command:
            reply = replace(reply, command=self._command)
        if not kept:
            reply = self._kept(reply)
        try:
            self._write(reply, page)
        except BrokenPipeError:  # who read us has seen enough; what came of it stands
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        refused = reply.exit is Exit.REFUSED and self._options.refused_ok
        raise typer.Exit(Exit.DONE if refused else reply.exit)

    def _write(self, reply: Reply, page: Page) -> None:
        """Write a reply in the way that was asked for."""
        envelope = output.enveloped(reply, reply.command, self._elapsed())
        if self._options.xcom:
            output.write_xcom(output.fitted(envelope, whole=self._options.output or ""))
        elif self._options.json:
            output.write_line(output.line(envelope))
        else:
            self._tell(reply, page)

    def _kept(self, reply: Reply) -> Reply:
        """Write the whole envelope to the file of --output; return the reply, warning if it can't.

        What a command did stands, whether the file could be written or not.
        """
        path = self._options.output
        if path is None:
            return reply
        envelope = output.enveloped(reply, reply.command, self._elapsed())
        try:
            output.write_file(path, output.line(envelope))
        except OSError as e:
            warning = f"--output {path} was not written: {e.strerror}"
            exit_ = reply.exit if reply.key or reply.exit else Exit.INVALID
            return replace(reply, exit=exit_, warnings=(*reply.warnings, warning))
        return reply

    def _tell(self, reply: Reply, page: Page) -> None:
        """Write a page for people, and what went wrong to stderr."""
        try:
            shown = "" if reply.data is None else page(reply, self.ink(reply))
        except (ArithmeticError, LookupError, TypeError, ValueError) as e:
            sys.stderr.write(f"warning: this client can't read the answer ({e!r}); as it came:\n")
            shown = encode(reply.data).decode()
        if shown:
            sys.stdout.write(f"{shown}\n")
        sys.stdout.flush()
        for warning in reply.warnings:
            sys.stderr.write(f"warning: {warning}\n")
        if reply.error is not None:
            label = "note" if reply.ok else "error"
            sys.stderr.write(f"{label}: {reply.error.message}\n")
            if reply.error.hint:
                sys.stderr.write(f"hint: {reply.error.hint}\n")

    def ink(self, reply: Reply) -> Ink:
        """Return how to write for whoever reads stdout."""
        return Ink(sys.stdout.isatty() and "NO_COLOR" not in os.environ, reply.zone)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started
