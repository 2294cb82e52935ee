"""`tm config`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from control import protocol
from control.protocol import Reply
from control.render import Ink, table
from control.session import session


def config(
    context: typer.Context,
    action: Annotated[Literal["show"], typer.Argument(metavar="show", help="What to do.")],
) -> None:
    """Show the configuration, and where it came from.

    Secrets are shown as ***.

    Example: tm config show --json | jq '.data["risk.max_gross"]'

    Exit codes: 0 shown, 3 cannot reach the daemon.
    """
    session(context).answer(protocol.ShowConfig(), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the keys, one a row."""
    data: Mapping[str, Any] = reply.data
    rows = ((key, spelt(one["value"]), one["origin"]) for key, one in data.items())
    return table(("key", "value", "origin"), rows, ink, left=3)


def spelt(value: object) -> str:
    """Return a value as the configuration would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value == "":
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return str(value)
