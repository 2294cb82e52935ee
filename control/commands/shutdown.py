"""`tm shutdown`."""

import typer

from control.protocol import Reply
from control.render import Ink
from control.session import PATIENT, session
from state.command import Shutdown


def shutdown(context: typer.Context) -> None:
    """Stop the daemon cleanly.

    Orders that are out stay out, and are looked for at the next start.

    Example: tm shutdown

    Exit codes: 0 it is stopping, 3 cannot reach the daemon, 4 not authorised.
    """
    session(context).answer(Shutdown(), page, timeout=PATIENT)


def page(reply: Reply, ink: Ink) -> str:
    """Return what happens now."""
    return "the daemon is stopping"
