"""`tm verify`."""

from pathlib import Path
from typing import Annotated

import typer

from control import protocol
from control.progress import Told, bar, nobody
from control.protocol import Exit, Fault, Reply
from control.render import Ink, facts, text
from control.session import PATIENT, session


def verify(
    context: typer.Context,
    journal: Annotated[
        str | None, typer.Option("--journal", metavar="FILE", help="A file, with no daemon.")
    ] = None,
    head: Annotated[
        str,
        typer.Option("--head", metavar="SEQ:HASH", help="A head noted before; it must be there."),
    ] = "",
) -> None:
    """Check the journal's integrity and its hash chain.

    What it prints as records and hash is the head: note it elsewhere, and a journal that was cut
    off or written anew since no longer holds it.

    Example: tm verify --head 1234:9f2c41d07ab3e655

    Exit codes: 0 unbroken, 3 cannot reach the daemon, 8 no such file, 12 damaged.
    """
    now = session(context)
    if journal is None:
        now.answer(protocol.Verify(head), page, timeout=PATIENT)
    with bar("records", watched=now.watched) as told:
        found = verified(Path(journal), head, told)
    now.finish(found, page)


def verified(path: Path, head: str = "", told: Told = nobody) -> Reply:
    """Return the verdict on a journal's file, read without a daemon."""
    import msgspec

    from control.journal_file import reading
    from state.integrity import verify

    with reading(path) as db:
        found = verify(db, head, told)
    data = msgspec.to_builtins(found, builtin_types=())
    data["hash"] = found.hash.hex()
    if found.ok:
        return Reply("verify", True, "completed", Exit.DONE, seq=found.seq, data=data)
    fault = Fault("JOURNAL_DAMAGED", found.message, "stop trading; restore a backup")
    return Reply("verify", False, "damaged", Exit.FINDINGS, seq=found.seq, data=data, error=fault)


def page(reply: Reply, ink: Ink) -> str:
    """Return the verdict."""
    data = reply.data
    verdict = ink.styled("unbroken", "green") if data["ok"] else ink.styled("DAMAGED", "red")
    bad = text(data["first_bad"]) if data.get("first_bad") is not None else ""
    return facts(
        [
            ("journal", verdict),
            ("records", f"{data['seq']:,}"),
            ("hash", text(data.get("hash"))),
            ("first bad", bad),
            ("message", text(data.get("message"))),
        ]
    )
