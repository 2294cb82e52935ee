"""`tm health`."""

import typer

from control import protocol
from control.protocol import Reply
from control.render import Ink
from control.session import session


def health(context: typer.Context) -> None:
    """Give the verdict as an exit code, for health checks.

    Example: tm health || echo unhealthy

    Exit codes: 0 healthy, 3 cannot reach the daemon, 5 not ready, 12 unhealthy.
    """
    session(context).answer(protocol.Health(), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the verdict in a word."""
    verdict = str(reply.data.get("verdict", reply.status))
    return ink.styled(verdict, "green" if verdict == "healthy" else "red")
