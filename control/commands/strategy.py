"""`tm strategy`."""

from typing import Annotated, Literal

import typer

from control import offers, protocol
from control.commands.evolve import judged
from control.protocol import Reply
from control.render import Ink, facts, table, text
from control.session import PATIENT, session
from state.command import Promote, Rollback


def strategy(
    context: typer.Context,
    action: Annotated[
        Literal["list", "show", "promote", "rollback"],
        typer.Argument(metavar="list|show|promote|rollback", help="What to do."),
    ],
    genome_id: Annotated[
        str,
        typer.Argument(
            metavar="[GENOME]",
            autocompletion=offers.genomes,
            help="Which genome; its first 6 digits will do.",
        ),
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it is journaled.")
    ] = "",
    accept_risk: Annotated[
        str, typer.Option("--accept-risk", metavar="NAME", help="Who answers for it: you.")
    ] = "",
) -> None:
    """Show which genome is in charge, put a candidate in charge, or take it back.

    Only a candidate that passed every test of the gate can be promoted, and its limits are those of
    the account: no genome changes them.

    Example: tm strategy promote 5eed5e --reason "it passed" --accept-risk ann

    Exit codes: 0 shown or done, 3 cannot reach the daemon, 4 not authorised, 6 refused by the gate,
    8 no such genome, 99 so already.
    """
    now = session(context)
    if action == "list" or (action == "show" and genome_id):
        now.answer(protocol.Genomes(genome_id), shown if genome_id else listed)
    if action == "show":
        now.answer(protocol.Genomes(), listed)
    if not reason or not accept_risk:
        raise typer.BadParameter(f"`tm strategy {action}` needs --reason and --accept-risk")
    if action == "rollback":
        now.answer(Rollback(reason, accept_risk), changed, timeout=PATIENT)
    if not genome_id:
        raise typer.BadParameter("`tm strategy promote` needs a GENOME: see `tm strategy list`")
    now.answer(Promote(genome_id, reason, accept_risk), changed, timeout=PATIENT)


def changed(reply: Reply, ink: Ink) -> str:
    """Return who is in charge now."""
    data = reply.data
    champion = data.get("champion") or "the configured genome"
    return facts([("in charge", champion), ("approved", text(data.get("approved")))])


def listed(reply: Reply, ink: Ink) -> str:
    """Return who is in charge, and who stands for it."""
    data = reply.data
    champion = data["champion"]
    head = [("strategy", data["strategy"])]
    if champion is None:
        head.append(("in charge", "the configured genome"))
    else:
        since = f"since {ink.when(champion['at'])}, by {champion['by']}: {champion['reason']}"
        head.append(("in charge", f"{champion['genome_id']}, {since}"))
    rows = (
        (one["candidate_id"], one["run_id"], "yes" if one["promotable"] else "no")
        for one in data["challengers"]
    )
    return facts(head) + "\n\n" + table(("challenger", "run", "promotable"), rows, ink, left=3)


def shown(reply: Reply, ink: Ink) -> str:
    """Return a genome, gene by gene, and its verdict."""
    data = reply.data
    parts = [data["genome"].rstrip()]
    if data["run"] is not None and data["run"]["verdict"] is not None:
        parts.append(judged(data["run"], ink))
    return "\n\n".join(parts)
