"""`tm fills`."""

from typing import Annotated

import typer

from control import protocol, trades
from control.protocol import Reply
from control.render import Ink
from control.session import session
from control.when import moment


def fills(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Booked at or after this time.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest N.")] = 500,
) -> None:
    """List executions, the newest last.

    Example: tm fills --since 2022-12-01

    Exit codes: 0 shown, 3 cannot reach the daemon.
    """
    session(context).answer(protocol.Fills(moment(since), limit), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the executions, one a row."""
    return trades.fills(reply.data["fills"], ink)
