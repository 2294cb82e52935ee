"""`tm orders`."""

from typing import Annotated

import typer

from control import protocol, trades
from control.protocol import Reply
from control.render import Ink
from control.session import session
from control.when import moment


def orders(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not final.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Made at or after this time.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest N.")] = 500,
) -> None:
    """List orders, the newest last.

    Example: tm orders --open

    Exit codes: 0 shown, 3 cannot reach the daemon.
    """
    session(context).answer(protocol.Orders(open_only, moment(since), limit), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the orders, one a row."""
    return trades.orders(reply.data["orders"], ink)
