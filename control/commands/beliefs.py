"""`tm beliefs`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from control import offers, protocol
from control.protocol import Reply
from control.render import Ink, facts, number, percent, table, text
from control.session import session
from control.when import moment

Data = Mapping[str, Any]


def beliefs(
    context: typer.Context,
    symbol: Annotated[
        str | None,
        typer.Argument(metavar="SYMBOL", autocompletion=offers.symbols, help="Only this one."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="As it was at this market time.")
    ] = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option("--diff", metavar="T1 T2", help="What changed between two market times."),
    ] = None,
) -> None:
    """Show what the mind believes of each symbol.

    Probabilities of direction and volatility, the exposure it prefers, how surprised it was by the
    last bar, and what it observed.

    Example: tm beliefs KO --json | jq .data.instruments[0].volatility

    Exit codes: 0 shown, 3 cannot reach the daemon, 5 nothing is believed yet, 8 no such symbol or
    time.
    """
    if at is not None and diff is not None:
        raise typer.BadParameter("--at and --diff exclude each other")
    since, until = (moment(diff[0]), moment(diff[1])) if diff else (None, moment(at))
    if since is not None and until is not None and since > until:
        raise typer.BadParameter("--diff wants the earlier time first")
    page = changes if diff else one if symbol else all_of_them
    session(context).answer(protocol.Beliefs(symbol, until, since), page)


def head(data: Data, ink: Ink) -> str:
    """Return whose belief it is, and when."""
    return facts(
        [
            ("as of", ink.when(data["as_of"])),
            ("engine", text(data["engine"])),
            ("model", text(data["model_hash"])),
        ]
    )


def all_of_them(reply: Reply, ink: Ink) -> str:
    """Return a symbol a row."""
    data: Data = reply.data
    rows = table(
        ("symbol", "up", "calm", "normal", "stressed", "exposure", "weight", "surprise", "z", "ok"),
        (row(told) for told in data["instruments"]),
        ink,
    )
    return f"{head(data, ink)}\n\n{rows}"


def row(told: Data) -> list[str]:
    """Return one symbol's belief as a row."""
    volatility = told["volatility"]
    return [
        told["symbol"],
        percent(told["direction"]["up"], 0),
        *(percent(volatility[name], 0) for name in ("calm", "normal", "stressed")),
        number(told["exposure"]),
        percent(told["weight"]),
        number(told["surprise"]),
        number(told["observed"]["z"]),
        ("learned" if told.get("learned") else "yes") if told["ok"] else "RESET",
    ]


def one(reply: Reply, ink: Ink) -> str:
    """Return all that is believed of one symbol, and what it preferred."""
    data: Data = reply.data
    return "\n\n".join([head(data, ink), *(whole(told, ink) for told in data["instruments"])])


def whole(told: Data, ink: Ink) -> str:
    """Return one symbol's belief whole: posterior, what was observed, and each exposure level."""
    seen = told["observed"]
    above = facts(
        [
            ("symbol", told["symbol"]),
            ("direction", shares(told["direction"])),
            ("volatility", shares(told["volatility"])),
            ("observed", f"z {number(seen['z'])}, range {number(seen['range'])}"),
            ("slow volatility", f"{percent(seen['sigma'])} a bar"),
            (
                "surprise",
                f"{number(told['surprise'])} nats; lately {number(told['surprise_excess'])} a bar "
                f"above expectation, {number(told['drift'], 1)} standard deviations",
            ),
            ("entropy", f"{number(told['entropy'])} nats"),
            ("held", percent(told["held"])),
            ("exposure", number(told["exposure"])),
            ("weight", f"{percent(told['weight'])}"),
            ("stopped", f"{number(told['blocked'], 0)} more bars" if told["blocked"] else ""),
            ("returns foretold", "as learned" if told.get("learned") else ""),
            ("ok", "yes" if told["ok"] else "no: it was RESET, and its target is zero"),
        ]
    )
    levels = table(
        ("level", "free energy", "log prior"),
        (
            (number(level), number(energy, 4), number(prior, 4))
            for level, energy, prior in zip(
                told["levels"], told["free_energy"], told["log_prior"], strict=True
            )
        ),
        ink,
    )
    return f"{above}\n\n{levels}"


def shares(probabilities: Mapping[str, float]) -> str:
    """Return probabilities by name in a line."""
    return ", ".join(f"{name} {percent(p, 1)}" for name, p in probabilities.items())


def changes(reply: Reply, ink: Ink) -> str:
    """Return what moved between two times, a symbol a row."""
    data: Data = reply.data["diff"]
    span = facts(
        [
            ("from", ink.when(data["since"])),
            ("to", ink.when(data["until"])),
            ("model", "the same" if data["same_model"] else ink.styled("ANOTHER", "yellow")),
        ]
    )
    rows = table(
        ("symbol", "up", "calm", "normal", "stressed", "exposure", "regime"),
        (
            (
                moved["symbol"],
                *(percent(moved[name], 0) for name in ("up", "calm", "normal", "stressed")),
                number(moved["exposure"]),
                regime(moved),
            )
            for moved in data["changes"]
        ),
        ink,
    )
    return f"{span}\n\n{rows}"


def regime(moved: Data) -> str:
    """Return which volatility was likeliest before and after."""
    was, now = text(moved["regime_before"]), text(moved["regime_after"])
    return now if was == now else f"{was} > {now}"
