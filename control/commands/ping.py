"""`tm ping`."""

import typer

from control import protocol
from control.protocol import Reply
from control.render import Ink, facts
from control.session import session
from control.version import VERSION


def ping(context: typer.Context) -> None:
    """Say whether the daemon is there, and both versions.

    Example: tm ping --timeout 2

    Exit codes: 0 it is there, 3 it is not.
    """
    session(context).answer(protocol.Ping(), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the answer as two lines."""
    daemon = f"{reply.data.get('version')} (pid {reply.data.get('pid')})"
    return facts([("daemon", daemon), ("client", VERSION)])
