"""`tm audit`."""

from typing import Annotated, Literal

import typer
from msgspec.structs import replace

from control import protocol
from control.protocol import Exit, Fault, Reply
from control.render import Ink, table, text
from control.session import PATIENT, session
from state.command import Halt

SEVERITIES = ("ok", "warn", "breach")
COLOURS = {"ok": "green", "warn": "yellow", "breach": "red"}


def audit(
    context: typer.Context,
    fail_on: Annotated[
        Literal["warn", "breach"],
        typer.Option("--fail-on", metavar="warn|breach", help="From which verdict on to fail."),
    ] = "breach",
    halt_on: Annotated[
        Literal["warn", "breach"] | None,
        typer.Option(
            "--halt-on", metavar="warn|breach", help="From which verdict on to halt trading."
        ),
    ] = None,
) -> None:
    """Check books, limits, journal, data and disk.

    Example: tm audit --fail-on warn --halt-on breach

    Exit codes: 0 below --fail-on, 3 cannot reach the daemon, 12 findings at or above it.
    """
    now = session(context)

    def judged(reply: Reply) -> Reply:
        """Find fault with a verdict at or above --fail-on, and halt at one at or above --halt-on.

        A daemon that does not take the halt is no finding: that ends as any command without reply.
        """
        if not reply.ok or reply.data is None:
            return reply
        verdict, halted = str(reply.data["verdict"]), False
        found = [one["name"] for one in reply.data["checks"] if one["severity"] != "ok"]
        message = f"the verdict is {verdict}: {', '.join(found)}"
        if halt_on is not None and SEVERITIES.index(verdict) >= SEVERITIES.index(halt_on):
            halt = now.ask(Halt(f"audit: {message}"), timeout=PATIENT)
            if not halt.ok:
                return halt
            message, halted = f"{message}; trading is halted", True
            reply = replace(reply, data={**reply.data, "halted": True}, key=halt.key)
        if not halted and SEVERITIES.index(verdict) < SEVERITIES.index(fail_on):
            return reply
        fault = Fault("FINDINGS", message, "each finding says what to do")
        return replace(reply, ok=False, status="findings", exit=Exit.FINDINGS, error=fault)

    now.answer(protocol.Audit(), page, timeout=PATIENT, judge=judged)


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
