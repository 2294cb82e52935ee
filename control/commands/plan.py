"""`tm plan`."""

from typing import Annotated

import typer

from control import offers
from control.session import PATIENT, session
from control.symbols import listed
from control.trades import page
from control.when import seconds
from state.command import MakePlan


def plan(
    context: typer.Context,
    ttl: Annotated[
        str | None, typer.Option("--ttl", metavar="DURATION", help="How long it may be executed.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            autocompletion=offers.symbol_lists,
            metavar="SYM,...",
            help="Only these symbols.",
        ),
    ] = None,
) -> None:
    """Compute a rebalance and store it.

    `tm execute` does exactly that. No order is sent before. A plan of nothing is stored, too;
    executing it ends with 99.

    Example: tm plan --ttl 1h --json | jq -r .data.plan_id

    Exit codes: 0 stored, 3 cannot reach the daemon, 5 not ready, 6 refused, 99 too late.
    """
    command = MakePlan(None if ttl is None else seconds(ttl), listed(only))
    session(context).answer(command, page, timeout=PATIENT)
