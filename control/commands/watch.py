"""`tm watch`."""

import sys
import time
from typing import Annotated, Final, NoReturn

import typer

from control import protocol
from control.client import NoReply
from control.commands import orders, status
from control.protocol import Exit, Reply
from control.session import Session, session
from control.telling import Page

ALTERNATE: Final = "\x1b[?1049h\x1b[?25l"  # a screen of our own, without a cursor
BACK: Final = "\x1b[?25h\x1b[?1049l"
HOME: Final = "\x1b[H"
REST_OF_LINE: Final = "\x1b[K"
REST_OF_SCREEN: Final = "\x1b[J"
LOST: Final = "\n\nNO ANSWER: "


def watch(
    context: typer.Context,
    interval: Annotated[
        float, typer.Option("--interval", min=0.2, max=3600, help="Seconds between two looks.")
    ] = 1.0,
) -> None:
    """Show status and open orders, live, until interrupted.

    Example: tm watch --interval 5

    Exit codes: 0 interrupted, 2 not at a terminal, 3 the daemon can't be reached at the start.
    """
    now = session(context)
    if now.options.json or now.options.xcom or not sys.stdout.isatty():
        raise typer.BadParameter("tm watch needs a terminal; for programs there is `tm events -f`")
    watched(now, interval)


def watched(now: Session, interval: float) -> NoReturn:
    """Draw the screen again and again; a daemon that goes away is said to be, and waited for."""
    screen = drawn(now)
    sys.stdout.write(ALTERNATE)
    try:
        while True:
            lines = "".join(f"{line}{REST_OF_LINE}\n" for line in screen.splitlines())
            sys.stdout.write(f"{HOME}{lines}{REST_OF_SCREEN}")
            sys.stdout.flush()
            time.sleep(interval)
            try:
                screen = drawn(now)
            except NoReply as error:
                screen = f"{screen.partition(LOST)[0]}{LOST}{error}; trying again, ^C ends"
    except KeyboardInterrupt:
        raise typer.Exit(Exit.DONE) from None
    finally:
        sys.stdout.write(BACK)
        sys.stdout.flush()


def drawn(now: Session) -> str:
    """Return the screen; raise NoReply when the daemon can't be reached."""
    pages = (
        (protocol.Status(), status.page),
        (protocol.Orders(open_only=True, limit=20), orders.page),
    )
    return "\n\n".join(shown(now, now.ask(ask), page) for ask, page in pages)


def shown(now: Session, reply: Reply, page: Page) -> str:
    """Return an answer as its own command shows it."""
    if reply.data is None:
        return reply.error.message if reply.error else ""
    return str(page(reply, now.ink(reply)))
