"""`tm events`."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import msgspec
import typer

from control import protocol
from control.protocol import Reply
from control.render import Ink
from control.session import Session, session

HOLD = 10.0  # seconds the daemon may hold back an empty answer to a follower
LATELY = 10  # records a follower is shown of what was before
HIDDEN = frozenset({"type", "seq", "wall", "at"})


def events(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as it is written, until interrupted.")
    ] = False,
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="SEQ", min=0, help="After this one; else the newest."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most N.")] = 200,
) -> None:
    """Show the journal.

    With --follow --json each record is one line of JSON.

    Example: tm events --follow --since 1200

    Exit codes: 0 shown, 3 cannot reach the daemon.
    """
    now = session(context)
    if follow and now.options.xcom:
        raise typer.BadParameter("--follow never ends, so it has no result for --xcom")
    if since is None:
        head = now.ask(protocol.Events(0, 1))
        if not head.ok:
            now.finish(head, page)
        since = max(0, int(head.data["head"]["seq"]) - (LATELY if follow else limit))
    if follow:
        followed(now, since, limit)
    now.answer(protocol.Events(since, limit), page)


def followed(now: Session, seq: int, limit: int) -> NoReturn:
    """Print records after `seq` as they come, until interrupted or the daemon is gone."""
    try:
        while True:
            reply = now.ask(protocol.Events(seq, limit, HOLD), timeout=HOLD + 10)
            if not reply.ok:
                now.finish(reply, page)
            ink = now.ink(reply)
            for record in reply.data["events"]:
                shown = (
                    msgspec.json.encode(record).decode() if now.options.json else line(record, ink)
                )
                sys.stdout.write(f"{shown}\n")
                seq = max(seq, int(record["seq"]))
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit from None


def page(reply: Reply, ink: Ink) -> str:
    """Return the records, one a line."""
    return "\n".join(line(record, ink) for record in reply.data["events"]) or "none"


def line(record: Mapping[str, Any], ink: Ink) -> str:
    """Return a record in a line: number, market time, what, and its plain fields."""
    plain = [
        f"{name}={value}"
        for name, value in record.items()
        if name not in HIDDEN and value not in (None, "") and not isinstance(value, dict | list)
    ]
    what = ink.styled(str(record.get("type", "?")), "bold")
    return f"{record['seq']:>7}  {ink.when(record.get('at'))}  {what}  {' '.join(plain)}".rstrip()
