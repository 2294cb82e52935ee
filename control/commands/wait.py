"""`tm wait`."""

from importlib import import_module
from typing import Annotated

import typer

from control import offers, protocol, trades
from control.protocol import Reply
from control.render import Ink
from control.session import PATIENT, session
from control.telling import Page

PAGES = {
    "halt": "halt",
    "resume": "halt",
    "cash": "cash",
    "reconcile_accept": "cash",
    "reconcile_expect": "cash",
}


def wait(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID|KEY",
            autocompletion=offers.commands,
            help="A command's id, or its idempotency key.",
        ),
    ],
) -> None:
    """Wait for a command to be over.

    Its reply is printed, and its exit code is this one's.

    Example: tm wait rebalance-2022-12-28 --timeout 600

    Exit codes: those of the command, 3 cannot reach the daemon, 8 no such command, 10 not over yet.
    """
    session(context).answer(protocol.Await(name), page, timeout=PATIENT, wait=True)


def page(reply: Reply, ink: Ink) -> str:
    """Return the page of the command that was waited for."""
    module = PAGES.get(reply.command)
    shown: Page = import_module(f"control.commands.{module}").page if module else trades.page
    return shown(reply, ink)
