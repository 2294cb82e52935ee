"""`tm limits`."""

from typing import Annotated, Literal

import typer

from control import offers, protocol
from control.commands.config import spelt
from control.protocol import Reply
from control.render import Ink, table
from control.session import PATIENT, session
from state.command import ChangeLimits


def limits(
    context: typer.Context,
    action: Annotated[
        Literal["show", "set"], typer.Argument(metavar="show|set", help="What to do.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE...",
            autocompletion=offers.limits,
            help="What to set; names as in [risk].",
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is journaled.")
    ] = None,
    accept_risk: Annotated[
        str, typer.Option("--accept-risk", metavar="NAME", help="Who answers for a wider limit.")
    ] = "",
) -> None:
    """Show the risk limits in force, or set some.

    An operator may tighten; to widen one takes an admin and --accept-risk. What is set outlives a
    restart, until the configuration asks for something tighter.

    Example: tm limits set max_gross=0.8 max_day_loss=0.03 --reason "earnings week"

    Exit codes: 0 shown or set, 3 cannot reach the daemon, 4 not authorised, 6 refused, 99 so
    already.
    """
    now = session(context)
    if action == "show":
        if changes or reason is not None or accept_risk:
            raise typer.BadParameter("NAME=VALUE, --reason and --accept-risk go with `set`")
        now.answer(protocol.ShowLimits(), page)
    if not changes or not reason:
        raise typer.BadParameter("`tm limits set` needs NAME=VALUE and --reason")
    now.answer(ChangeLimits(tuple(changes), reason, accept_risk), page, timeout=PATIENT)


def page(reply: Reply, ink: Ink) -> str:
    """Return the limits, one a row, those that somebody set in colour."""
    rows = (
        (
            one["name"],
            ink.styled(spelt(one["value"]), "yellow") if one["changed"] else spelt(one["value"]),
            spelt(one["configured"]) if one["changed"] else "",
        )
        for one in reply.data["limits"]
    )
    return table(("limit", "in force", "configured"), rows, ink, left=3)
