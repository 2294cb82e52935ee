"""`tm rebalance`."""

from typing import Annotated

import typer

from control import offers, protocol
from control.session import PATIENT, session
from control.symbols import listed
from control.trades import page
from state.command import Rebalance


def rebalance(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only compute it: no side effect at all.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Until its orders are final.")
    ] = False,
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
    """Plan and execute in one step.

    Example: tm rebalance --only AAPL,KO --wait

    Exit codes: 0 done or accepted, 3 cannot reach the daemon, 5 not ready, 6 refused,
    9 the key was used for something else, 10 orders not final in time, 11 some orders rejected or
    open, 99 already at target, or too late.
    """
    if dry_run:
        session(context).answer(protocol.DryRun(listed(only)), page, timeout=PATIENT)
    session(context).answer(Rebalance(listed(only)), page, timeout=PATIENT, wait=wait)
