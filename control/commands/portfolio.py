"""`tm portfolio`."""

from collections.abc import Mapping
from typing import Any

import typer

from control import protocol
from control.protocol import Reply
from control.render import Ink, count, facts, percent, rounded, table, text
from control.session import session


def portfolio(context: typer.Context) -> None:
    """Show cash, positions, profit and fees.

    Example: tm portfolio --json | jq .data.positions

    Exit codes: 0 shown, 3 cannot reach the daemon.
    """
    session(context).answer(protocol.Portfolio(), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the book: totals, then a position a row."""
    data: Mapping[str, Any] = reply.data
    totals = facts(
        [
            ("as of", ink.when(data["as_of"])),
            ("equity", f"{rounded(data['equity'])} {text(data['base_currency'])}"),
            ("cash", rounded(data["cash"])),
            ("realized", rounded(data["realized"])),
            ("unrealized", rounded(data["unrealized"])),
            ("fees", rounded(data["fees"])),
        ]
    )
    positions = table(
        ("symbol", "quantity", "average", "price", "value", "weight", "unrealized", "realized"),
        (
            (
                one["symbol"],
                count(one["quantity"]),
                rounded(one["average_price"]),
                rounded(one["price"]),
                rounded(one["value"]),
                percent(one["weight"]),
                rounded(one["unrealized"]),
                rounded(one["realized"]),
            )
            for one in data["positions"]
        ),
        ink,
    )
    return f"{totals}\n\n{positions}"
