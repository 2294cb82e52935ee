"""`tm jobs`."""

import typer

from control import protocol
from control.commands.evolve import listed
from control.session import session


def jobs(context: typer.Context) -> None:
    """Show the long-running commands: runs of evolution, the newest last.

    `tm evolve wait` re-attaches to one; commands that trade are waited for with `tm wait`.

    Example: tm jobs --json | jq '.data.runs[-1].status'

    Exit codes: 0 shown, 3 cannot reach the daemon.
    """
    session(context).answer(protocol.Evolution(all=True), listed)
