"""`tm cash`."""

from typing import Annotated, Literal

import typer

from control.commands.order import exact
from control.protocol import Reply
from control.render import Ink, facts, rounded
from control.session import PATIENT, session
from state.command import MoveCash


def cash(
    context: typer.Context,
    kind: Annotated[
        Literal["deposit", "withdraw", "dividend"],
        typer.Argument(metavar="deposit|withdraw|dividend", help="What it is."),
    ],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="In base currency, above 0.")],
) -> None:
    """Book cash that is not trading profit.

    Deposits and withdrawals are kept apart from return.

    Example: tm cash deposit 10000

    Exit codes: 0 booked, 3 cannot reach the daemon, 6 refused (more than there is).
    """
    session(context).answer(MoveCash(kind, exact("AMOUNT", amount)), page, timeout=PATIENT)


def page(reply: Reply, ink: Ink) -> str:
    """Return what moved, and the cash afterwards."""
    moved = [(one["kind"], rounded(one["amount"])) for one in reply.data.get("moved", ())]
    for one in reply.data.get("expected", ()):
        what = f"{one['kind']} of {one['symbol']}" if one["symbol"] else rounded(one["amount"])
        moved.append(("expected", what if one["symbol"] else f"{one['kind']} of {what}"))
    return facts([*moved, ("cash", rounded(reply.data.get("cash")))])
