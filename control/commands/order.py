"""`tm order`."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

import typer

from control import offers
from control.session import PATIENT, session
from control.trades import page
from state.command import SubmitOrder


def order(
    context: typer.Context,
    side: Annotated[Literal["buy", "sell"], typer.Argument(metavar="buy|sell", help="Which way.")],
    symbol: Annotated[
        str,
        typer.Argument(metavar="SYMBOL", autocompletion=offers.symbols, help="Of the universe."),
    ],
    quantity: Annotated[str, typer.Argument(metavar="QTY", help="How many, above 0.")],
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="PX", help="Not worse than this price.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Until the order is final.")
    ] = False,
) -> None:
    """Trade by hand, through the same gate as all orders.

    Example: tm order buy AAPL 10 --limit 150.25 --wait

    Exit codes: 0 done or accepted, 3 cannot reach the daemon, 5 not ready, 6 refused by the gate,
    7 no such quantity or price, 10 not final in time, 11 rejected or partly filled.
    """
    price = None if limit is None else exact("--limit", limit)
    command = SubmitOrder(side, symbol, exact("QTY", quantity), price)
    session(context).answer(command, page, timeout=PATIENT, wait=wait)


def exact(name: str, text: str) -> Decimal:
    """Return an exact decimal above 0."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{name} {text!r} is no number") from None
    if not value.is_finite() or value <= 0:
        raise typer.BadParameter(f"{name} {text} must be a finite number above 0")
    return value
