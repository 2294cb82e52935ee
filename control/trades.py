"""Plans, orders and fills as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from control.protocol import Reply
from control.render import Ink, count, facts, money, percent, rounded, table, text

Item = Mapping[str, Any]

SETTLED = {"filled": "green", "broker_rejected": "red", "unknown": "yellow"}


def orders(items: Sequence[Item], ink: Ink) -> str:
    """Return orders, one a row."""
    return table(
        ("order", "created", "symbol", "side", "status", "quantity", "filled", "average", "limit"),
        (
            (
                item["order_id"],
                ink.when(item.get("created_at")),
                item["symbol"],
                item["side"],
                ink.styled(item["status"], SETTLED.get(item["status"], "dim")),
                count(item["quantity"]),
                count(item["filled"]),
                rounded(item.get("average_price")),
                rounded(item.get("limit_price")),
            )
            for item in items
        ),
        ink,
        left=5,
    )


def fills(items: Sequence[Item], ink: Ink) -> str:
    """Return executions, one a row."""
    return table(
        ("at", "symbol", "side", "order", "quantity", "price", "fee"),
        (
            (
                ink.when(item["at"]),
                item["symbol"],
                item["side"],
                item["order_id"],
                count(item["quantity"]),
                money(item["price"]),
                money(item["fee"]),
            )
            for item in items
        ),
        ink,
        left=4,
    )


def lines(items: Sequence[Item], ink: Ink) -> str:
    """Return the trades of a plan, one a row."""
    return table(
        ("symbol", "side", "now", "target", "quantity", "price", "notional", "cost"),
        (
            (
                item["symbol"],
                item.get("side", "sell" if str(item["quantity"]).startswith("-") else "buy"),
                percent(item["current_weight"]),
                percent(item["target_weight"]),
                count(str(item["quantity"]).lstrip("-")),
                money(item["price"]),
                rounded(item["notional"]),
                rounded(item["cost"]),
            )
            for item in items
        ),
        ink,
        left=2,
    )


def previews(items: Sequence[Item], ink: Ink) -> str:
    """Return what the broker says of orders before they go, one a row, and its remarks below."""
    told = table(
        ("beforehand", "side", "commission", "initial margin", "maintenance", "equity with loan"),
        (
            (
                item["symbol"],
                item["side"],
                commission(item),
                rounded(item["initial_margin"]),
                rounded(item["maintenance_margin"]),
                rounded(item["equity_with_loan"]),
            )
            for item in items
        ),
        ink,
        left=2,
    )
    remarks = ((item["symbol"], item["unknown"] or item["warning"]) for item in items)
    return "\n".join([told, *(f"{symbol}: {said}" for symbol, said in remarks if said)])


def commission(item: Item) -> str:
    """Return what an order would cost, a range where it is one."""
    least, most = item["commission_least"], item["commission_most"]
    if least is None or most is None or least == most:
        return money(least if most is None else most)
    return f"{money(least)} to {money(most)}"


def denied(items: Sequence[Item], ink: Ink) -> str:
    """Return what the gate stopped, and why."""
    return table(
        ("symbol", "denied", "why"),
        ((text(item.get("symbol")), item["code"], text(item.get("message"))) for item in items),
        ink,
        left=3,
    )


def page(reply: Reply, ink: Ink) -> str:
    """Return whatever of a plan, orders and denials a command brought."""
    data: Item = reply.data or {}
    parts = [
        facts(
            [
                ("status", reply.status + (" (replayed)" if reply.replayed else "")),
                ("plan", text(data["plan_id"]) if "plan_id" in data else ""),
                ("state", data.get("state", "")),
                ("by", data.get("by", "")),
                ("expires", ink.when(data["expires_at"]) if "expires_at" in data else ""),
                ("equity", rounded(data["equity"]) if "equity" in data else ""),
                ("turnover", percent(data["turnover"]) if "turnover" in data else ""),
                ("cost", rounded(data["cost"]) if "cost" in data else ""),
                ("asked back", ", ".join(data.get("asked_back", ()))),
            ]
        )
    ]
    if data.get("orders"):
        parts.append(orders(data["orders"], ink))
    elif data.get("lines"):
        parts.append(lines(data["lines"], ink))
    elif "lines" in data and not data.get("denied") and reply.status == "completed":
        parts.append("nothing to trade: every position is within its band of its target")
    if data.get("previews"):
        parts.append(previews(data["previews"], ink))
    if data.get("denied"):
        parts.append(denied(data["denied"], ink))
    return "\n\n".join(parts)
