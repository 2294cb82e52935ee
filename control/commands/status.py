"""`tm status`."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from control import protocol
from control.protocol import Reply
from control.render import Ink, facts, number, percent, rounded, text
from control.session import session


def status(context: typer.Context) -> None:
    """Show one screen of what matters.

    Mode, halt, feed, broker, equity, exposure, orders, strategy, limits nearly reached, journal.

    Example: tm status --json | jq .data.equity

    Exit codes: 0 it could answer, 3 cannot reach the daemon.
    """
    session(context).answer(protocol.Status(), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the screen."""
    data: Mapping[str, Any] = reply.data
    feed, broker, journal = data["feed"], data["broker"], data["journal"]
    ready = ink.styled("ready", "green") if data["ready"] else ink.styled("not ready", "yellow")
    unknown = data["unknown_orders"]
    return facts(
        [
            ("mode", f"{data['mode']}, {ready}"),
            ("halted", halts(data, ink)),
            ("alerts", alerts(data.get("alerts", ()), ink)),
            ("clock", ink.when(data["clock"])),
            ("feed", feed_line(feed, ink)),
            ("broker", f"{broker['kind']} {broker['account']}, {link(broker)}"),
            ("equity", f"{rounded(data['equity'])} {text(data.get('base_currency'))}"),
            ("cash", rounded(data["cash"])),
            ("exposure", f"gross {percent(data['gross'])}, net {percent(data['net'])}"),
            ("drawdown", percent(data["drawdown"])),
            ("orders", f"{data['open_orders']} open" + (f", {unknown} UNKNOWN" if unknown else "")),
            ("strategy", strategy(data["strategy"], ink)),
            ("beliefs", mind(data.get("beliefs"), ink)),
            ("day", day_line(data.get("day"))),
            ("near limit", limits(data.get("limits", ()))),
            ("books", books(data)),
            ("journal", f"seq {journal['seq']:,}, {number(journal['bytes'] / 1e6, 1)} MB"),
        ]
    )


def halts(data: Mapping[str, Any], ink: Ink) -> str:
    """Return the halts in force, or that there is none."""
    known = data.get("halts") or ([data["halted"]] if data["halted"] else [])
    if not known:
        return "no"
    return "; ".join(
        ink.styled(f"{halt['scope']}: {halt['reason']}", "red")
        + f" (by {halt['actor']}, {ink.when(halt['at'])})"
        for halt in known
    )


def alerts(standing: Sequence[Mapping[str, Any]], ink: Ink) -> str:
    """Return the alerts that stand, the gravest first."""
    return "; ".join(
        ink.styled(
            f"{one['kind']} {one['subject']}", "red" if one["level"] == "critical" else "yellow"
        )
        + f" since {ink.when(one['since'])}"
        for one in standing
    )


def feed_line(feed: Mapping[str, Any], ink: Ink) -> str:
    """Return the feed in a line."""
    refused = sum(feed.get("refused", {}).values())
    return (
        f"{feed['kind']}, {'ended' if feed.get('ended') else link(feed)}, "
        f"last {ink.when(feed['last_at'])}" + (f", {refused} bars refused" if refused else "")
    )


def strategy(told: Mapping[str, Any], ink: Ink) -> str:
    """Return the strategy; of a blend each member with its capital and its own drawdown."""
    members = (
        f"{one['name']} {percent(one['capital'])}"
        f" (score {number(one['score'], 1)}, down {percent(one['drawdown'])}"
        f"{ink.styled(', HALTED', 'red') if one['halted'] else ''})"
        for one in told.get("members", ())
    )
    return "; ".join((text(told["name"]), *members))


def mind(told: Mapping[str, Any] | None, ink: Ink) -> str:
    """Return the mind in a line: its engine, and whether it is ready."""
    if told is None:
        return ""
    said = [f"{told['engine']}, {'ready' if told['ready'] else ink.styled('NOT READY', 'yellow')}"]
    if told["failure"]:
        said.append(told["failure"])
    if told["reset"]:
        said.append(ink.styled(f"RESET: {', '.join(told['reset'])}", "red"))
    if told["drifting"]:
        said.append(ink.styled(f"no longer fits {', '.join(told['drifting'])}", "yellow"))
    if told.get("learning", "off") != "off":
        said.append(
            f"learns {told['learning']}, uses it for {', '.join(told['learned']) or 'none'}"
        )
    return "; ".join(said)


def link(end: Mapping[str, Any]) -> str:
    """Return whether the other end is there, and what it is not to be sent."""
    there = "connected" if end["connected"] else "NOT CONNECTED"
    paused = end.get("paused", "")
    return f"{there}, {paused}" if paused else there


def day_line(day: Mapping[str, Any] | None) -> str:
    """Return the day's budgets in a line."""
    if day is None:
        return ""
    return (
        f"{day['session']}: turnover {percent(day['turnover'])}, loss {percent(day['loss'])}, "
        f"{day['orders']} orders"
    )


def limits(found: list[Mapping[str, Any]]) -> str:
    """Return the limits that are used by more than four fifths."""
    near = [one for one in found if (one.get("used") or 0) > 0.8 and not one.get("exempt")]
    return ", ".join(
        f"{one['name']}{' ' + one['symbol'] if one.get('symbol') else ''} {percent(one['used'], 0)}"
        for one in near
    )


def books(data: Mapping[str, Any]) -> str:
    """Return whether the books agree with the broker's."""
    if not data.get("reconciled", True):
        return "being compared with the broker's"
    if found := data.get("differences"):
        return f"{len(found)} DIFFERENCES: see `tm reconcile`"
    return "agree with the broker's"
