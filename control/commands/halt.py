"""`tm halt`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from control import offers
from control.client import NoReply
from control.halt_file import HaltFileFailed, write
from control.protocol import Exit, Reply
from control.render import Ink, facts
from control.session import PATIENT, session
from state.command import Halt


def halt(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is journaled.")],
    scope: Annotated[
        str, typer.Option("--scope", autocompletion=offers.scopes, help=offers.SCOPES)
    ] = "account",
    flatten: Annotated[bool, typer.Option("--flatten", help="Close its positions too.")] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Write the halt file, for a daemon that doesn't answer."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Until its orders are final.")
    ] = False,
) -> None:
    """Stop trading until somebody resumes.

    Open orders are cancelled, and a restart changes nothing.

    Example: tm halt --reason "prices look wrong"

    Exit codes: 0 halted, 3 cannot reach the daemon (--offline still works), 10 not final or not yet
    written, 11 halted but not all flattened.
    """
    now = session(context)
    if not offline:
        now.answer(Halt(reason, scope, flatten), page, timeout=PATIENT, wait=wait)
    if flatten:
        raise typer.BadParameter("--flatten needs a daemon that answers: it can't be --offline")
    try:
        path = write(now.state(), scope, reason, datetime.now(UTC))
    except HaltFileFailed as e:
        raise NoReply(Exit.INVALID, "HALT_FILE_FAILED", str(e), e.hint) from e
    data = {"file": path, "scope": scope, "reason": reason}
    now.finish(Reply("halt", True, "completed", Exit.DONE, data=data), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the halts in force, or the file that makes one."""
    data = reply.data
    if "file" in data:
        return facts([("halt file", data["file"]), ("scope", data["scope"])])
    halts = data.get("halts", ())
    lines = [
        (one["scope"], f"{one['reason']} (by {one['actor']}, {ink.when(one['at'])})")
        for one in halts
    ]
    if "flatten" in data:
        lines.append(("flatten", data["flatten"]))
    asked = data.get("asked_back", ())
    return facts([*(lines or [("halted", "no")]), ("asked back", ", ".join(asked))])
