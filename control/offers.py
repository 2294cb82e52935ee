"""What Tab offers for the names that only a running daemon knows; nothing where none answers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import typer

from control import protocol
from control.client import Clock, NoReply, ask
from control.options import Options
from control.protocol import Asked, Query
from control.session import Given, Session

Offer = tuple[str, str]  # a word, and what a shell may show beside it

WITHIN: Final = 1.0  # seconds: who presses Tab waits for it
SCOPES: Final = "account, symbol:SYM, or strategy:NAME, a member of a blend."
NEWEST: Final = 50  # orders
PLAIN: Final = re.compile(r"[\w.:=+@,/-]+", re.ASCII)  # words that no shell takes apart


def orders(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the orders that are not final."""
    return offered(order_ids(answer(context, protocol.Orders(open_only=True))), incomplete)


def subjects(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer what can be explained: halt, plans, the newest orders and their keys."""
    found = answer(context, protocol.Orders(limit=NEWEST))
    return offered(
        [
            ("halt", "why trading is stopped"),
            *plan_ids(answer(context, protocol.Status())),
            *order_ids(found),
            *keys(found),
        ],
        incomplete,
    )


def commands(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the keys of commands that made orders lately."""
    return offered(keys(answer(context, protocol.Orders(limit=NEWEST))), incomplete)


def plans(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the plans that wait for somebody."""
    return offered(plan_ids(answer(context, protocol.Status())), incomplete)


def halts(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the scopes that are halted."""
    found = answer(context, protocol.Status()).get("halts", ())
    return offered(((one["scope"], one["reason"]) for one in found), incomplete)


def scopes(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer what can be halted: the account, a symbol, or a member of a blend."""
    found = ((f"symbol:{name}", "") for name in universe(context))
    blend = answer(context, protocol.Status()).get("strategy", {}).get("members", ())
    members = ((f"strategy:{one['name']}", "its capital in cash") for one in blend)
    return offered([("account", "all trading"), *found, *members], incomplete)


def symbols(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the symbols of the universe."""
    return offered(((name, "") for name in universe(context)), incomplete)


def symbol_lists(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer one more symbol at the end of a list such as "AAPL,KO"."""
    before, comma, _ = incomplete.rpartition(",")
    named = before.split(",")
    found = (name for name in universe(context) if name not in named)
    return offered(((f"{before}{comma}{name}", "") for name in found), incomplete)


def runs(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the runs of evolution, the newest first."""
    found = answer(context, protocol.Evolution(all=True)).get("runs", ())
    return offered(((one["run_id"], one["status"]) for one in reversed(found)), incomplete)


def genomes(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the genomes that are or were in charge, and those that stand for it."""
    known = answer(context, protocol.Genomes())
    charge = known.get("champion") or {}
    found = {str(charge.get("genome_id", "")): "in charge"}
    for one in known.get("challengers", ()):
        found.setdefault(one["candidate_id"] or "", f"candidate of {one['run_id']}")
    for one in known.get("history", ()):
        found.setdefault(one["genome_id"], "was in charge")
    return offered(found.items(), incomplete)


def limits(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the limits that can be set, with the value in force beside each."""
    found = answer(context, protocol.ShowLimits()).get("limits", ())
    return offered(((f"{one['name']}=", f"now {one['value']}") for one in found), incomplete)


def offered(found: Iterable[Offer], incomplete: str) -> list[Offer]:
    """Return those that go on from what was typed, and that no shell would take apart."""
    return [one for one in found if one[0].startswith(incomplete) and PLAIN.fullmatch(one[0])]


def answer(context: typer.Context, question: Query) -> Mapping[str, Any]:
    """Return what the daemon says, empty when it says nothing at once."""
    given: Given = context.find_root().obj or Given()
    now = Session("completion", Options(**given.values))
    try:
        reply = ask(
            now.address(),
            Asked(question),
            WITHIN,
            credentials=now.credentials(),
            clock=Clock(sleep=unwilling),
        )
    except NoReply:
        return {}
    return reply.data if reply.ok and isinstance(reply.data, dict) else {}


def unwilling(seconds: float) -> None:
    """Refuse to wait for a daemon that may come: whoever pressed Tab can press it again."""
    raise NoReply(protocol.Exit.UNREACHABLE, "UNREACHABLE", "no daemon answers", "press Tab again")


def order_ids(found: Mapping[str, Any]) -> Iterator[Offer]:
    """Yield the newest order first, with what it was for."""
    for one in reversed(found.get("orders", ())):
        yield one["order_id"], f"{one['side']} {one['quantity']} {one['symbol']}, {one['status']}"


def keys(found: Mapping[str, Any]) -> Iterator[Offer]:
    """Yield the keys that orders came under, the newest first, each once."""
    named = (one["key"] for one in reversed(found.get("orders", ())))
    yield from ((key, "a command's key") for key in dict.fromkeys(named) if key)


def plan_ids(found: Mapping[str, Any]) -> Iterator[Offer]:
    """Yield the plans that wait, the newest first, with what became of them so far."""
    yield from reversed(found.get("plans", {}).items())


def universe(context: typer.Context) -> list[str]:
    """Return the symbols of the universe: those of the configuration, else those held."""
    chosen = answer(context, protocol.ShowConfig()).get("universe.symbols", {}).get("value")
    if chosen:
        return list(chosen)
    held = answer(context, protocol.Portfolio()).get("positions", ())
    return [one["symbol"] for one in held]
