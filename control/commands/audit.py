"""`tm audit`."""

from typing import Annotated, Literal

import typer
from msgspec.structs import replace

from control import protocol
from control.protocol import Exit, Fault, Reply
from control.render import Ink, table, text
from control.session import PATIENT, session

SEVERITIES = ("ok", "warn", "breach")
COLOURS = {"ok": "green", "warn": "yellow", "breach": "red"}


def audit(
    context: typer.Context,
    fail_on: Annotated[
        Literal["warn", "breach"],
        typer.Option("--fail-on", metavar="warn|breach", help="From which verdict on to fail."),
    ] = "breach",
) -> None:
    """Check books, limits, journal, data and disk.

    Example: tm audit --fail-on warn

    Exit codes: 0 below --fail-on, 3 cannot reach the daemon, 12 findings at or above it.
    """

    def judged(reply: Reply) -> Reply:
        """Find fault with a verdict at or above --fail-on."""
        if not reply.ok or reply.data is None:
            return reply
        verdict = str(reply.data["verdict"])
        if SEVERITIES.index(verdict) < SEVERITIES.index(fail_on):
            return reply
        found = [one["name"] for one in reply.data["checks"] if one["severity"] != "ok"]
        message = f"the verdict is {verdict}: {', '.join(found)}"
        fault = Fault("FINDINGS", message, "each finding says what to do")
        return replace(reply, ok=False, status="findings", exit=Exit.FINDINGS, error=fault)

    session(context).answer(protocol.Audit(), page, timeout=PATIENT, judge=judged)


def page(reply: Reply, ink: Ink) -> str:
    """Return the checks, one a row, below the verdict."""
    verdict = str(reply.data["verdict"])
    checks = table(
        ("check", "severity", "value", "limit", "message"),
        (
            (
                one["name"],
                ink.styled(one["severity"], COLOURS.get(one["severity"], "dim")),
                figure(one.get("value")),
                figure(one.get("limit")),
                text(one.get("message")),
            )
            for one in reply.data["checks"]
        ),
        ink,
        left=5,
    )
    return f"verdict: {ink.styled(verdict, COLOURS.get(verdict, 'dim'))}\n\n{checks}"


def figure(value: object) -> str:
    """Return a value with no more digits than anybody reads."""
    return f"{value:.4g}" if isinstance(value, float) else text(value)
