"""`tm approve`."""

from typing import Annotated

import typer

from control import offers
from control.session import PATIENT, session
from control.trades import page
from state.command import ApprovePlan


def approve(
    context: typer.Context,
    plan_id: Annotated[
        str,
        typer.Argument(metavar="PLAN_ID", autocompletion=offers.plans, help="As `tm plan` said."),
    ],
) -> None:
    """Say yes to a plan, in your name.

    Example: tm approve 3K7Q2M

    Exit codes: 0 approved, 3 cannot reach the daemon, 6 expired or rejected, 8 no such plan.
    """
    session(context).answer(ApprovePlan(plan_id), page, timeout=PATIENT)
