"""`tm resume`."""

from typing import Annotated

import typer

from control import offers
from control.commands.halt import page
from control.session import PATIENT, session
from state.command import Resume


def resume(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is safe again.")],
    accept_risk: Annotated[
        str, typer.Option("--accept-risk", metavar="NAME", help="Who takes the responsibility.")
    ],
    scope: Annotated[
        str, typer.Option("--scope", autocompletion=offers.halts, help=offers.SCOPES)
    ] = "account",
) -> None:
    """Lift a halt, in the name of who answers for it.

    Example: tm resume --reason "drill over" --accept-risk "Ada Lovelace"

    Exit codes: 0 lifted, 3 cannot reach the daemon, 4 not authorised, 6 refused.
    """
    session(context).answer(Resume(reason, accept_risk, scope), page, timeout=PATIENT)
