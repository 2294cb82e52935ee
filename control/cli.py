"""`tm`: the control client. Each command is one request; its file is read when it is asked for."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, Final, Literal, NoReturn

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.core import TyperGroup

from control.client import NoReply
from control.key import KeyInvalid
from control.options import Options
from control.protocol import Exit, Fault, Reply
from control.session import Given, Session
from control.version import VERSION

COMMANDS: Final = {  # name: does it change something, and so take a key
    "ping": False,
    "status": False,
    "health": False,
    "portfolio": False,
    "orders": False,
    "fills": False,
    "beliefs": False,
    "explain": False,
    "plan": True,
    "approve": True,
    "reject": True,
    "execute": True,
    "rebalance": True,
    "order": True,
    "cancel": True,
    "halt": True,
    "resume": True,
    "cash": True,
    "reconcile": True,
    "limits": True,
    "evolve": True,
    "strategy": True,
    "jobs": False,
    "audit": False,
    "report": False,
    "events": False,
    "verify": False,
    "publish": False,
    "backup": True,
    "restore": False,
    "config": False,
    "doctor": False,
    "watch": False,
    "wait": False,
    "completion": False,
    "shutdown": True,
}


COMPLETE: Final = "_TM_COMPLETE"  # set by the shell functions of `tm completion`


class Commands(TyperGroup):
    """The commands, each loaded from its file when it is asked for."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = names  # what a mistyped name may have meant

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command with the options that all of its kind take."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"control.commands.{cmd_name}")
        command = made(getattr(module, cmd_name))
        kinds = (everywhere, changing) if COMMANDS[cmd_name] else (everywhere,)
        command.params += [option for kind in kinds for option in options(kind)]
        return command


app = typer.Typer(
    name="tm",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    """Print the version, and end."""
    if wanted:
        sys.stdout.write(f"tm {VERSION}\n")
        raise typer.Exit


@app.callback()
def tm(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="The version.")
    ] = False,
) -> None:
    """Ask or steer a running trade-manager daemon, `tmd`.

    Example: tm status --json | jq .data.equity

    Exit codes: 0 done, 1 internal error, 2 usage, 3 cannot reach the daemon, 4 not authorised,
    5 not ready, 6 refused by risk, halt, expiry or rejection, 7 invalid configuration or
    arguments, 8 not found, 9 conflict, 10 timed out with the outcome pending, 11 partial,
    12 findings, 99 nothing to do.
    """


def everywhere(
    socket: Annotated[
        str | None,
        typer.Option(
            "--socket",
            envvar="TM_SOCKET",
            metavar="ADDRESS",
            help="unix:///PATH, or tcp://HOST:PORT.",
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            "--token-file", envvar="TM_TOKEN_FILE", metavar="FILE", help="Token for a TCP address."
        ),
    ] = None,
    tls_ca: Annotated[
        str | None,
        typer.Option("--tls-ca", envvar="TM_TLS_CA", metavar="FILE", help="Whom to trust, PEM."),
    ] = None,
    tls_cert: Annotated[
        str | None,
        typer.Option("--tls-cert", envvar="TM_TLS_CERT", metavar="FILE", help="Our certificate."),
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option("--tls-key", envvar="TM_TLS_KEY", metavar="FILE", help="Its key.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=0.1,
            max=86_400,
            help="Give up after that long; else 10 or 60.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", envvar="TM_JSON", help="One line of JSON, the last one.")
    ] = False,
    xcom: Annotated[
        bool,
        typer.Option("--xcom", envvar="TM_XCOM", help="--json for Airflow: at most 4 KiB, alone."),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="FILE", help="Write the whole result to a file too."),
    ] = None,
) -> None:
    """Name the options of every command."""


def changing(
    key: Annotated[
        str | None,
        typer.Option("--key", envvar="TM_KEY", help="Idempotency key: the same is done once."),
    ] = None,
    scheduled_for: Annotated[
        str | None,
        typer.Option("--scheduled-for", metavar="TIME", help="When this run was to begin."),
    ] = None,
    max_lateness: Annotated[
        str | None,
        typer.Option("--max-lateness", metavar="DURATION", help="Later than that: end with 99."),
    ] = None,
    refused_ok: Annotated[
        bool, typer.Option("--refused-ok", help="A refusal ends with 0 instead of 6.")
    ] = False,
    on_kill: Annotated[
        Literal["leave", "cancel"],
        typer.Option(
            "--on-kill",
            metavar="leave|cancel",
            help="On SIGTERM: leave the command running, or cancel its orders not yet sent.",
        ),
    ] = "leave",
) -> None:
    """Name the options of commands that change something."""


def made(function: Callable[..., object]) -> Any:
    """Return a function as a command."""
    single = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    single.command()(function)
    return typer.main.get_command(single)


def options(function: Callable[..., object]) -> list[Any]:
    """Return a function's options for others to carry: each notes its value when it is given."""
    parameters: list[Any] = made(function).params
    for parameter in parameters:
        parameter.expose_value = False
        parameter.callback = noted
    return parameters


def noted(context: Any, parameter: Any, value: Any) -> Any:
    """Note an option's value; one on the command line wins over one in the environment."""
    given: Given = context.obj
    source = context.get_parameter_source(parameter.name).name
    if source == "COMMANDLINE" or (source == "ENVIRONMENT" and parameter.name not in given.values):
        given.values[parameter.name] = value
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tm` and return its exit code; every end but help is told by a session."""
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    given = Given()
    if COMPLETE in os.environ:
        completion_init()
    root: Any = typer.main.get_command(app)
    root.params += options(everywhere)
    try:
        try:
            return int(root.main(words, prog_name="tm", obj=given, standalone_mode=False) or 0)
        except typer.TyperException as e:
            ended(given, words, usage(e))
        except KeyInvalid as e:
            fault = Fault("INVALID_KEY", str(e), "choose another --key")
            ended(given, words, failed(Exit.INVALID, fault))
        except NoReply as e:
            ended(given, words, failed(e.exit, e.fault))
        except Exception as e:  # noqa: BLE001 - whatever happens, programs get their line
            import traceback

            traceback.print_exc()
            fault = Fault("INTERNAL", f"{type(e).__name__}: {e}", "this is a bug in `tm`")
            ended(given, words, failed(Exit.INTERNAL, fault))
    except typer.Exit as e:
        return e.exit_code


def failed(exit_: Exit, fault: Fault) -> Reply:
    """Return a reply that the client itself has to make."""
    return Reply("", False, exit_.name.lower(), exit_, error=fault)


def usage(error: typer.TyperException) -> Reply:
    """Return the reply to a command line that can't be understood."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "tm"
    message = error.format_message() or "a command is missing"
    return failed(Exit.USAGE, Fault("USAGE", message, f"see `{path} --help`"))


def ended(given: Given, words: Sequence[str], reply: Reply) -> NoReturn:
    """Tell a failure in the way that was asked for, as far as the command line was understood."""
    name = next((word for word in words if word in COMMANDS), "tm")
    values = {flag: True for flag in ("json", "xcom") if said(flag, words)}
    known = given.session or Session(name, Options(**{**given.values, **values}))
    known.finish(reply, lambda reply, ink: "")


def said(flag: str, words: Sequence[str]) -> bool:
    """Return whether a flag stands on the command line, or in the environment."""
    return f"--{flag}" in words or os.environ.get(f"TM_{flag.upper()}", "0") not in {"", "0"}
