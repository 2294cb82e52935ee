"""The reference of every command, written from the commands themselves."""

from collections.abc import Iterator
from typing import Any, Final

import typer

from control.cli import COMMANDS, Commands, app, changing, everywhere, options
from control.session import Given

TOP: Final = """\
# Commands

Written by `scripts/reference` from the commands themselves; a test holds the two together. What
holds for all of them, exit codes first, is in `tm --help`.
"""


def reference() -> str:
    """Return the whole page as Markdown."""
    root: Any = typer.main.get_command(app)
    context = root.make_context("tm", [], resilient_parsing=True, obj=Given())
    parts = [TOP, *shared("Every command", everywhere), *shared("Commands with a key", changing)]
    common = {option.name for kind in (everywhere, changing) for option in options(kind)}
    for name, keyed in COMMANDS.items():
        command = Commands.get_command(root, context, name)
        parts += described(f"tm {name}", command, context, common, "takes a key" if keyed else "")
    return "\n".join(parts) + "\n"


def shared(title: str, kind: Any) -> Iterator[str]:
    """Yield the options that many commands share."""
    yield f"## {title}\n"
    yield from (line for option in options(kind) if (line := listed(option)))
    yield ""


def described(path: str, command: Any, context: Any, common: set[str], note: str) -> Iterator[str]:
    """Yield one command, and those below it."""
    yield f"## {path}\n" + (f"\n*{note}*\n" if note else "")
    yield text(command.help or "") + "\n"
    own = [p for p in command.params if p.name not in common | {"help"}]
    lines = [line for parameter in own if (line := listed(parameter))]
    if lines:
        yield "\n".join(lines) + "\n"
    for name in sorted(getattr(command, "commands", None) or ()):
        below = command.get_command(context, name)
        yield from described(f"{path} {name}", below, context, common, "")


def text(help_: str) -> str:
    """Return a docstring's text with its example as code."""
    paragraphs = [" ".join(part.split()) for part in help_.replace("\b", "").split("\n\n")]
    return "\n\n".join(
        f"Example: `{part.removeprefix('Example: ')}`" if part.startswith("Example: ") else part
        for part in paragraphs
        if part
    )


def listed(parameter: Any) -> str:
    """Return one option or argument as a line."""
    help_ = getattr(parameter, "help", "") or ""
    if not parameter.opts[0].startswith("-"):
        return f"- `{(parameter.metavar or parameter.name).upper()}` {help_}".rstrip()
    names = "/".join((*parameter.opts, *parameter.secondary_opts))
    metavar = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    variable = f" (`{parameter.envvar}`)" if parameter.envvar else ""
    return f"- `{names}{metavar}`{variable} {help_}".rstrip()
