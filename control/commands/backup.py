"""`tm backup`."""

import os
from typing import Annotated

import typer

from control import protocol
from control.protocol import Reply
from control.render import Ink, facts, text
from control.session import PATIENT, session


def backup(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="On the daemon's host; {date}, {time}, {seq}, {head} are filled in.",
        ),
    ],
) -> None:
    """Copy the journal to a file while the daemon runs, and check the copy.

    The file is the daemon's alone to read (0600). An earlier backup of the same journal is
    replaced, nothing else ever is.

    Example: tm backup "/var/lib/trade-manager/backups/{date}-{head}.db"

    Exit codes: 0 made and checked, 3 cannot reach the daemon, 5 no room, 7 a file that can't be
    written, 10 not done in time (ask again with the same key), 12 the copy is not sound.
    """
    session(context).answer(protocol.Backup(os.path.abspath(file)), page, timeout=PATIENT)


def page(reply: Reply, ink: Ink) -> str:
    """Return where the backup is, and what it ends with."""
    data = reply.data
    return facts(
        [
            ("backup", text(data["file"])),
            ("records", f"{data['seq']:,}"),
            ("hash", text(data["hash"])),
            ("bytes", f"{data['bytes']:,}"),
        ]
    )
