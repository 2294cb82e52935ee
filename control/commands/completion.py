"""`tm completion`."""

from importlib.resources import files
from typing import Annotated, Literal

import typer

from control.protocol import Exit, Reply
from control.render import Ink
from control.session import session


def completion(
    context: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish"], typer.Argument(metavar="bash|zsh|fish", help="Which shell.")
    ],
) -> None:
    """Print what makes a shell complete `tm`: commands, options, and what the daemon knows.

    Orders, plans, halts, runs, genomes, symbols and limits are asked of the daemon as Tab is
    pressed; where none answers within a second they are left out.

    Example: tm completion bash >> ~/.bashrc

    Exit codes: 0 printed.
    """
    script = files("control").joinpath("shells", f"tm.{shell}").read_text("utf-8")
    data = {"shell": shell, "script": script}
    session(context).finish(Reply("completion", True, "completed", Exit.DONE, data=data), page)


def page(reply: Reply, ink: Ink) -> str:
    """Return the script as it is."""
    return str(reply.data["script"]).rstrip("\n")
