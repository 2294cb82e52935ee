"""`tm restore`."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from control.address import state_directory
from control.client import NoReply
from control.progress import Told, bar, nobody
from control.protocol import Exit, Reply
from control.render import Ink, facts, text
from control.session import session


def restore(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A backup, or any whole journal.")],
    state: Annotated[
        str | None,
        typer.Option("--state", envvar="TM_STATE", metavar="DIR", help="Where the journal lives."),
    ] = None,
) -> None:
    """Put a backup in the place of the journal, while the daemon is stopped.

    The journal that is replaced is kept beside it. The next start is halted until the books were
    compared with the broker's and somebody says `tm resume`.

    Example: tm restore /var/lib/trade-manager/backups/2026-11-20-9f2c31d0a4b87e55.db

    Exit codes: 0 restored, 7 it can't be written there, 8 no such file, 9 a daemon holds the state,
    12 the backup is not sound.
    """
    now = session(context)
    where = Path(state_directory(state, os.environ, os.path.exists))
    with bar("records", watched=now.watched) as told:
        done = restored(Path(file).absolute(), where, told)
    now.finish(done, page)


def restored(backup: Path, state: Path, told: Told = nobody) -> Reply:
    """Return what was restored; raise NoReply when nothing was."""
    import msgspec

    from control.restoring import BackupUnsound, StateHeld, restore
    from state.journal import DatabaseError, UnfitJournal

    if not backup.is_file():
        hint = "name a file that `tm backup` made"
        raise NoReply(Exit.NOT_FOUND, "NO_BACKUP", f"{backup}: there is no such file", hint)
    try:
        made = restore(backup, state, datetime.now(UTC), told)
    except StateHeld as e:
        hint = "stop it first: `tm shutdown`"
        raise NoReply(Exit.CONFLICT, "STATE_HELD", f"a daemon holds the state {e}", hint) from e
    except BackupUnsound as e:
        hint = "try an older backup; `tm verify --journal FILE` tells which are sound"
        raise NoReply(Exit.FINDINGS, "BACKUP_UNSOUND", f"{backup}: {e}", hint) from e
    except (UnfitJournal, DatabaseError) as e:
        hint = "try another backup, with the version of `tm` that is to run on it"
        raise NoReply(Exit.FINDINGS, "JOURNAL_UNFIT", str(e), hint) from e
    except OSError as e:
        hint = "be the user the daemon runs as, and name its state directory with --state"
        raise NoReply(Exit.INVALID, "RESTORE_FAILED", f"{state}: {e}", hint) from e
    warnings: tuple[str, ...] = ()
    if made.keys is None:
        warnings = (
            "the journal that was in place could not be read: keys used since the backup are not "
            "known, so ask for none of those commands again before the books are explained",
        )
    data = msgspec.to_builtins(made) | {"state": str(state)}
    return Reply(
        "restore", True, "completed", Exit.DONE, seq=made.seq, data=data, warnings=warnings
    )


def page(reply: Reply, ink: Ink) -> str:
    """Return what is in place now, and what to do next."""
    data = reply.data
    keys = "unknown" if data["keys"] is None else f"{data['keys']:,}"
    told = facts(
        [
            ("restored", data["file"]),
            ("into", data["state"]),
            ("records", f"{data['seq']:,}"),
            ("hash", data["hash"]),
            ("keys since", keys),
            ("replaced", text(data["replaced"])),
        ]
    )
    return f"{told}\n\nstart the daemon; it is halted: `tm reconcile`, then `tm resume`"
