"""`tm reconcile`."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from control import offers, protocol
from control.commands import cash
from control.commands.order import exact
from control.protocol import Reply
from control.render import Ink, count, table
from control.session import PATIENT, session
from state.command import AcceptDifference, ExpectDifference

KINDS: Final = re.compile(r"dividend|deposit|withdrawal|adjustment|split:[0-9.]+(:[0-9.]+)?")

LONGEST: Final = 900_000  # bytes of a statement: quoted it has to fit a frame


def reconcile(
    context: typer.Context,
    action: Annotated[
        Literal["accept", "expect"] | None,
        typer.Argument(metavar="[accept|expect]", help="Book what was found, or announce it."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="KIND",
            help="dividend, deposit, withdrawal, adjustment, or split:R (2, 1:10).",
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="How they came about.")
    ] = None,
    amount: Annotated[
        str | None, typer.Option("--amount", help="The cash that is expected, above 0.")
    ] = None,
    symbol: Annotated[
        str | None,
        typer.Option(
            "--symbol",
            autocompletion=offers.symbols,
            metavar="SYM",
            help="Whose split is expected.",
        ),
    ] = None,
    statement: Annotated[
        Path | None,
        typer.Option(
            "--statement",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="A Flex statement (XML): book what is missing, and compare.",
        ),
    ] = None,
) -> None:
    """Compare the books with the broker's now.

    With `accept`, book what was found, as what it is. With `expect`, announce what will happen at
    the broker: a deposit, or a split, is then booked when it is found, and halts nothing.

    Example: tm reconcile accept --as dividend --reason "KO, paid 2022-12-15"

    Exit codes: 0 they agree, or booked, 3 cannot reach the daemon, 5 the broker doesn't answer,
    6 refused, 12 they differ.
    """
    now = session(context)
    if statement is not None:
        if action is not None or kind is not None or reason is not None:
            raise typer.BadParameter("--statement stands by itself")
        asked = protocol.ReconcileStatement(statement_text(statement))
        now.answer(asked, page, timeout=PATIENT)
    if action is None:
        if kind is not None or reason is not None:
            raise typer.BadParameter("--as and --reason belong to `tm reconcile accept`")
        now.answer(protocol.Reconcile(), page, timeout=PATIENT)
    if kind is None or not reason:
        raise typer.BadParameter(f"`tm reconcile {action}` needs --as and --reason")
    if not KINDS.fullmatch(kind):
        raise typer.BadParameter(
            f"--as {kind}: say dividend, deposit, withdrawal, adjustment, or split:R as split:2"
        )
    if action == "expect":
        announced = ExpectDifference(
            kind, reason, None if amount is None else exact("--amount", amount), symbol
        )
        now.answer(announced, cash.page, timeout=PATIENT)
    if amount is not None or symbol is not None:
        raise typer.BadParameter("--amount and --symbol belong to `tm reconcile expect`")
    now.answer(AcceptDifference(kind, reason), cash.page, timeout=PATIENT)


def statement_text(file: Path) -> str:
    """Return what a statement's file holds; raise BadParameter where nobody could send it."""
    if (size := file.stat().st_size) > LONGEST:
        raise typer.BadParameter(
            f"--statement {file}: {size:,} bytes, and at most {LONGEST:,} are sent; "
            "let the Flex query cover fewer days"
        )
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"--statement {file}: not UTF-8, so no statement") from None


def page(reply: Reply, ink: Ink) -> str:
    """Return the differences, one a row."""
    found = reply.data.get("differences")
    if found is None:
        return f"compared: {reply.status}"
    if not found:
        return "the books agree with the broker's"
    rows = ((one["subject"], count(one["ours"]), count(one["broker"])) for one in found)
    return table(("what", "ours", "broker's"), rows, ink)
