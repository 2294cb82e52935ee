"""`tm cancel`."""

from typing import Annotated

import typer

from control import offers
from control.session import PATIENT, session
from control.trades import page
from state.command import CancelOrders


def cancel(
    context: typer.Context,
    order_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ORDER_ID", autocompletion=offers.orders, help="As `tm orders` says."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All open orders.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Until the orders are final.")
    ] = False,
) -> None:
    """Ask an open order back, or all of them.

    Only the broker can say that it is cancelled.

    Example: tm cancel --all --wait

    Exit codes: 0 asked, 3 cannot reach the daemon, 6 it is final already, 8 no such order,
    10 not final in time.
    """
    if (order_id is None) != every:
        raise typer.BadParameter("name either one ORDER_ID, or --all")
    session(context).answer(CancelOrders(order_id), page, timeout=PATIENT, wait=wait)
