"""`tm reconcile`."""

from typing import Annotated, Literal

import typer

from control import protocol
from control.commands import cash
from control.protocol import Reply
from control.render import Ink, count, table
from control.session import PATIENT, session
from state.command import AcceptDifference


def reconcile(
    context: typer.Context,
    action: Annotated[
        Literal["accept"] | None,
        typer.Argument(metavar="[accept]", help="Book the differences that were found."),
    ] = None,
    kind: Annotated[
        Literal["dividend", "deposit", "withdrawal", "adjustment"] | None,
        typer.Option("--as", help="What they are."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="How they came about.")
    ] = None,
) -> None:
    """Compare the books with the broker's now.

    With `accept`, book what was found, as what it is.

    Example: tm reconcile accept --as dividend --reason "KO, paid 2022-12-15"

    Exit codes: 0 they agree, or booked, 3 cannot reach the daemon, 5 the broker doesn't answer,
    6 refused, 12 they differ.
    """
    now = session(context)
    if action is None:
        if kind is not None or reason is not None:
            raise typer.BadParameter("--as and --reason belong to `tm reconcile accept`")
        now.answer(protocol.Reconcile(), page, timeout=PATIENT)
    if kind is None or not reason:
        raise typer.BadParameter("`tm reconcile accept` needs --as and --reason")
    now.answer(AcceptDifference(kind, reason), cash.page, timeout=PATIENT)


def page(reply: Reply, ink: Ink) -> str:
    """Return the differences, one a row."""
    found = reply.data.get("differences")
    if found is None:
        return f"compared: {reply.status}"
    if not found:
        return "the books agree with the broker's"
    rows = ((one["subject"], count(one["ours"]), count(one["broker"])) for one in found)
    return table(("what", "ours", "broker's"), rows, ink)
