"""`tm explain`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from control import protocol, trades
from control.commands.beliefs import whole
from control.protocol import Reply
from control.render import Ink, facts, percent, table, text
from control.session import session

Data = Mapping[str, Any]


def explain(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="An order, a plan, or a command's key.")],
) -> None:
    """Show the chain behind an order or a plan.

    What was observed and believed, the free energy and the prior of each exposure, the target that
    followed, what the gate said, and what became of it at the broker.

    Example: tm explain "$(tm orders --json | jq -r .data.orders[-1].order_id)"

    Exit codes: 0 shown, 3 cannot reach the daemon, 8 no such order, plan or command.
    """
    session(context).answer(protocol.Explain(id_), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the chain, link by link."""
    data: Data = reply.data
    return "\n\n".join(filter(None, parts(data, ink)))


def parts(data: Data, ink: Ink) -> Iterator[str]:
    """Yield each link that there is, titled."""
    asked, plan = data["command"], data["plan"]
    yield facts(
        [
            (data["subject"], data["id"]),
            ("asked by", f"{asked['principal']}, {ink.when(asked['at'])}" if asked else ""),
            ("command", f"tm {asked['op']}, key {asked['key']}" if asked else ""),
            ("plan", f"{plan['plan_id']}, {plan['state']}" if plan else ""),
        ]
    )
    for want in data["wanted"]:
        yield titled(f"why {want['symbol']}", wanted(want, ink), ink)
    if data["gate"]:
        yield titled("the gate", gate(data, ink), ink)
    if data["orders"]:
        yield titled("orders", trades.orders(data["orders"], ink), ink)
    if data["steps"]:
        rows = (
            (str(step["seq"]), ink.when(step["at"]), step["what"], step["detail"])
            for step in data["steps"]
        )
        yield titled("what happened", table(("seq", "at", "what", ""), rows, ink, left=4), ink)


def titled(title: str, body: str, ink: Ink) -> str:
    """Return a part under its title."""
    return f"{ink.styled(title, 'bold')}\n{body}"


def wanted(want: Data, ink: Ink) -> str:
    """Return a target and what it was made of."""
    target = facts(
        [
            ("decided by", f"the close of {want['session']}, {text(want['strategy'])}"),
            ("target", percent(want["target"])),
            ("model", f"{want['engine']} {want['model_hash']}" if want["engine"] else ""),
        ]
    )
    return f"{target}\n{whole(want['belief'], ink)}" if want["belief"] else target


def gate(data: Data, ink: Ink) -> str:
    """Return what the gate said of each order."""
    rows = (
        (
            one["order_id"],
            one["symbol"],
            "passed" if one["passed"] else ink.styled(one["code"], "red"),
            "" if one["passed"] else f"{one['value']} against {one['limit']}: {one['message']}",
        )
        for one in data["gate"]
    )
    return table(("order", "symbol", "said", ""), rows, ink, left=4)
