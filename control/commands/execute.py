"""`tm execute`."""

from typing import Annotated

import typer

from control import offers
from control.session import PATIENT, session
from control.trades import page
from state.command import ExecutePlan


def execute(
    context: typer.Context,
    plan_id: Annotated[
        str,
        typer.Argument(metavar="PLAN_ID", autocompletion=offers.plans, help="As `tm plan` said."),
    ],
    require_approval: Annotated[
        bool, typer.Option("--require-approval", help="Only when somebody approved it.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Until its orders are final.")
    ] = False,
) -> None:
    """Do exactly that plan, or refuse.

    Refused is one that expired, or whose positions or prices have changed since.

    Example: tm execute 3K7Q2M --require-approval --wait

    Exit codes: 0 done or accepted, 3 cannot reach the daemon, 5 not ready or not approved yet,
    6 refused, 8 no such plan, 10 orders not final in time, 11 some orders rejected or open.
    """
    command = ExecutePlan(plan_id, require_approval)
    session(context).answer(command, page, timeout=PATIENT, wait=wait)
