"""`tm publish`."""

import asyncio
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from control.client import NoReply
from control.protocol import Exit, Reply
from control.render import Ink, facts, text
from control.session import session
from control.symbols import listed


def publish(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV, CSV.gz, Parquet, or bundled[:NAME].")
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="mqtt[s]://[USER@]HOST[:PORT][/PREFIX].")
    ] = "mqtt://localhost",
    symbols: Annotated[
        str | None, typer.Option("--symbols", metavar="SYM,…", help="Only these.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="DAY", help="From there.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="DAY", help="Up to there.")] = None,
    pace: Annotated[
        float, typer.Option("--pace", min=0, metavar="N", help="Sessions a second; 0: at once.")
    ] = 0.0,
    qos: Annotated[int, typer.Option("--qos", min=0, max=1, help="Quality of service.")] = 1,
    retain: Annotated[
        bool, typer.Option("--retain", help="Leave each symbol's last bar with the broker.")
    ] = False,
    password_file: Annotated[
        str | None, typer.Option("--password-file", metavar="FILE", help="The user's password.")
    ] = None,
    ca: Annotated[
        str | None, typer.Option("--ca", metavar="FILE", help="Certificates to trust, for mqtts.")
    ] = None,
) -> None:
    """Play a file of daily prices to an MQTT broker, as if its bars closed now.

    A daemon with feed.kind = "mqtt" and feed.clock = "feed" trades by them. No daemon is asked.

    Example: tm publish bundled --to mqtt://localhost/tm --start 2021-01-01 --pace 4

    Exit codes: 0 published, 3 cannot reach the broker, 7 the file or the address is unusable,
    99 no bar in that time.
    """
    quality: Literal[0, 1] = 1 if qos else 0
    reply = published(
        file, to, listed(symbols), day(start), day(end), pace, quality, retain, password_file, ca
    )
    session(context).finish(reply, page)


def published(
    file: str,
    to: str,
    symbols: tuple[str, ...],
    start: date | None,
    end: date | None,
    pace: float,
    qos: Literal[0, 1],
    retain: bool,
    password_file: str | None,
    ca: str | None,
) -> Reply:
    """Return what was published; raise NoReply."""
    try:
        import daemon.feeds.publishing as publishing
        from daemon.feeds.bundle import NotBundled
        from daemon.feeds.prices import PriceFileInvalid
    except ImportError as e:
        hint = "install all of requirements.txt, or use the daemon's image"
        raise NoReply(Exit.INVALID, "NOT_INSTALLED", f"tm publish needs {e.name}", hint) from e
    import msgspec

    try:
        password = Path(password_file).read_text("utf-8").rstrip("\r\n") if password_file else None
        address = publishing.address_of(to)
        table = publishing.table_of(file, symbols)
        how = publishing.How(pace, qos, retain, password, ca)
        done = asyncio.run(
            publishing.play(table, address, how, start=start, end=end, told=progress)
        )
    except (PriceFileInvalid, NotBundled, publishing.AddressUnusable, OSError) as e:
        hint = "see `tm publish --help`"
        raise NoReply(Exit.INVALID, "UNPUBLISHABLE", str(e), hint) from e
    except publishing.BrokerAway as e:
        hint = "is it running, and may this user publish there?"
        raise NoReply(Exit.UNREACHABLE, "BROKER_UNREACHABLE", f"{to}: {e}", hint) from e
    data = msgspec.to_builtins(done)
    if not done.bars:
        return Reply("publish", True, "nothing", Exit.NOTHING, data=data)
    return Reply("publish", True, "completed", Exit.DONE, data=data)


def progress(at: date) -> None:
    """Say how far it is, to a person who watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{at}")


def day(said: str | None) -> date | None:
    """Return a day, None for none."""
    if said is None:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise typer.BadParameter(f"{said!r} is not a day like 2019-01-02") from None


def page(reply: Reply, ink: Ink) -> str:
    """Return what was published."""
    data = reply.data
    return facts(
        [
            ("sessions", f"{data['sessions']:,}"),
            ("bars", f"{data['bars']:,}"),
            ("from", text(data["first"])),
            ("to", text(data["last"])),
        ]
    )
