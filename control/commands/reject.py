"""`tm reject`."""

from typing import Annotated

import typer

from control import offers
from control.session import PATIENT, session
from control.trades import page
from state.command import RejectPlan


def reject(
    context: typer.Context,
    plan_id: Annotated[
        str,
        typer.Argument(metavar="PLAN_ID", autocompletion=offers.plans, help="As `tm plan` said."),
    ],
) -> None:
    """Say no to a plan, in your name.

    It can't be executed any more.

    Example: tm reject 3K7Q2M

    Exit codes: 0 rejected, 3 cannot reach the daemon, 6 executed already, 8 no such plan.
    """
    session(context).answer(RejectPlan(plan_id), page, timeout=PATIENT)
