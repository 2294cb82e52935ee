"""`tm explain`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from control import offers, protocol, trades
from control.commands.beliefs import whole
from control.protocol import Reply
from control.render import Ink, facts, money, percent, table, text
from control.session import session

Data = Mapping[str, Any]
SUBJECTS: Final = (
    "An order, a plan, a command's key, a run, a session (2020-03-16), a record's number, or halt."
)


def explain(
    context: typer.Context,
    id_: Annotated[
        str, typer.Argument(metavar="ID", autocompletion=offers.subjects, help=SUBJECTS)
    ],
) -> None:
    """Show the chain behind an order, a plan, a refusal, a halt, or a day with or without trades.

    What was observed and believed, the free energy and the prior of each exposure, the target that
    followed, what each guard of the gate measured against which limit, what became of it at the
    broker, and what held it up. A day says what was due, how far each holding was from its target
    and its band, and what stood in the way; a run of evolution how it ended, test by test.

    Guards are asked again, with what was known then: no value is shown where that would not be
    exact.

    Example: tm explain "$(tm orders --json | jq -r .data.orders[-1].order_id)"

    Exit codes: 0 shown, 3 cannot reach the daemon, 8 nothing is called that.
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
    if data["close"]:
        yield titled("the account", account(data["close"], ink), ink)
    if data["why"]:
        yield titled("what held trading up", "\n".join(why(data["why"], ink)), ink)
    if data["subject"] == "day" and data["wanted"]:
        yield titled(f"wanted by the close of {data['wanted'][0]['session']}", targets(data), ink)
    for want in () if data["subject"] == "day" else data["wanted"]:
        yield titled(f"why {want['symbol']}", wanted(want, ink), ink)
    if data["gate"]:
        yield titled("the gate", gate(data, ink), ink)
    if len(data["gate"]) == 1 and data["gate"][0].get("weighed"):
        yield titled("the guards that let it past", guards(data["gate"][0], ink), ink)
    if data.get("apart"):
        yield titled("how far from the targets", bands(data["apart"], ink), ink)
    if plan and plan.get("previews"):
        said = trades.previews(plan["previews"], ink)
        yield titled("what the broker said beforehand", said, ink)
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
            ("asked for by", members(want.get("members", {}))),
            ("model", f"{want['engine']} {want['model_hash']}" if want["engine"] else ""),
        ]
    )
    return f"{target}\n{whole(want['belief'], ink)}" if want["belief"] else target


def members(parts: Mapping[str, float]) -> str:
    """Return the part of a target that each member of a blend asked for."""
    return ", ".join(f"{name} {percent(part)}" for name, part in parts.items())


def targets(data: Data) -> str:
    """Return the targets of a day, in one line: what is behind each is in the explained orders."""
    return ", ".join(f"{want['symbol']} {percent(want['target'])}" for want in data["wanted"])


def account(close: Data, ink: Ink) -> str:
    """Return the account as a close left it."""
    return facts(
        [
            ("close", f"{close['session']}, {ink.when(close['at'])}"),
            ("equity", money(close["equity"])),
            ("cash", money(close["cash"])),
            ("exposure", f"gross {percent(close['gross'])}, net {percent(close['net'])}"),
        ]
    )


def why(reasons: Iterable[Data], ink: Ink) -> Iterator[str]:
    """Yield each reason: its record, code and text, the value against the bound, what to do."""
    for one in reasons:
        record = f"record {one['seq']}, {ink.when(one['at'])}" if one["seq"] else "not on record"
        yield f"{ink.styled(one['code'], 'red')} {text(one['message'])} ({record})"
        if one["limit"]:
            yield f"    {text(one['value'])} against {text(one['limit'])}"
        if one["hint"]:
            yield f"    {text(one['hint'])}"


def gate(data: Data, ink: Ink) -> str:
    """Return what the gate said of each order."""
    rows = (
        (
            one["order_id"],
            one["symbol"],
            f"passed {len(one['asked'])} guards"
            if one["passed"]
            else ink.styled(one["code"], "red"),
            "" if one["passed"] else f"{one['value']} against {one['limit']}: {one['message']}",
        )
        for one in data["gate"]
    )
    return table(("order", "symbol", "said", ""), rows, ink, left=4)


def guards(judged: Data, ink: Ink) -> str:
    """Return what each guard that let an order past measured, and its limit."""
    rows = (
        (one["code"], text(one["value"]), text(one["limit"]), said(one["spared"]))
        for one in judged["weighed"]
    )
    return table(("guard", "value", "limit", ""), rows, ink, left=4)


def said(spared: str) -> str:
    """Return why a guard let an order past whatever its value."""
    return f"not held against what is {spared}" if spared else ""


def bands(apart: Iterable[Data], ink: Ink) -> str:
    """Return how far each holding was from its target, against the band."""
    rows = (
        (
            one["symbol"],
            percent(one["weight"]),
            percent(one["target"]),
            percent(one["distance"]),
            percent(one["band"]),
            text(one["said"]),
        )
        for one in apart
    )
    return table(("symbol", "weight", "target", "apart", "band", "then"), rows, ink, left=1)
