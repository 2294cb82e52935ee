"""`tm doctor`."""

import asyncio
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer

from control import diagnosis, protocol
from control.address import configuration_file
from control.client import NoReply
from control.diagnosis import Finding
from control.halt_file import NAME
from control.protocol import Exit, Fault, Query, Reply
from control.render import Ink
from control.session import PATIENT, Session, session
from control.version import VERSION
from state.settings import Settings

COLOURS = {"ok": "green", "warn": "yellow", "bad": "red"}


def doctor(
    context: typer.Context,
    drill: Annotated[
        bool, typer.Option("--drill", help="Try out what a paper account's gateway does.")
    ] = False,
    record: Annotated[
        str, typer.Option("--record", metavar="FILE", help="Where a drill leaves the wire.")
    ] = "drill.jsonl",
) -> None:
    """Check this machine, the daemon, and a gateway of Interactive Brokers if one is configured.

    Each finding has its remedy beside it. The gateway is asked step by step, over a connection of
    the doctor's own; nothing is sent that could trade.

    With --drill, orders of one share far below the market are sent and taken back, on a paper
    account only and while no daemon runs; the wire, without the names of accounts, is in FILE.

    Example: tm doctor

    Exit codes: 0 nothing is bad, 6 no drill is possible, 12 something is bad.
    """
    now = session(context)
    findings = [configuration(), state(now.state()), halt_file(now.state())]
    findings += daemon(now, stopped=drill)
    findings += gateway(findings)
    if drill:
        findings += drilled(now, findings, record)
    verdict = diagnosis.worst(findings)
    data = {"verdict": verdict, "checks": msgspec.to_builtins(findings)}
    if verdict != "bad":
        now.finish(Reply("doctor", True, "completed", Exit.DONE, data=data), page)
    names = ", ".join(finding.name for finding in findings if finding.grade == "bad")
    fault = Fault("FINDINGS", f"bad: {names}", "each finding says what to do")
    now.finish(Reply("doctor", False, "findings", Exit.FINDINGS, data=data, error=fault), page)


def configuration() -> Finding:
    """Look at the configuration as `tmd --check` would."""
    path, _, problems = configured()
    return diagnosis.of_configuration(path, problems)


def configured() -> tuple[str | None, Settings | None, Sequence[str]]:
    """Return the configuration's file and its settings, or what is wrong with it."""
    from state.configuration import decode
    from state.given import ConfigurationInvalid

    path = configuration_file(None, os.environ, os.path.exists)
    try:
        text = Path(path).read_text("utf-8") if path else ""
        return path, decode(text, path or "nothing", os.environ).settings, ()
    except (OSError, UnicodeDecodeError) as error:
        return path, None, [f"{path} can't be read: {error}"]
    except ConfigurationInvalid as error:
        return path, None, list(map(str, error.problems))


def gateway(so_far: Sequence[Finding]) -> Sequence[Finding]:
    """Ask the gateway of Interactive Brokers, step by step, where one is configured."""
    _, settings, _ = configured()
    if settings is None or "ib" not in {settings.broker.kind, settings.feed.kind}:
        return ()
    from daemon.brokers.ib.examining import examined

    answers = any(one.name == "daemon" and one.grade != "bad" for one in so_far)
    daemon_is_there = answers and diagnosis.STOPPED not in so_far
    return asyncio.run(examined(settings, daemon_is_there=daemon_is_there))


def state(path: str) -> Finding:
    """Look at the state directory."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return diagnosis.of_state(path, False, True, None)
    private = not mode & (stat.S_IRWXO | stat.S_IWGRP)
    return diagnosis.of_state(path, True, private, shutil.disk_usage(path).free)


def halt_file(state: str) -> Finding:
    """Look for the halt file."""
    path = os.path.join(state, NAME)
    return diagnosis.of_halt_file(path if os.path.exists(path) else None)


def daemon(now: Session, *, stopped: bool) -> list[Finding]:
    """Ask the daemon who it is, how it is, and for an audit; less where it does not answer.

    `stopped`: that there is none is as it should be.
    """
    try:
        address = now.address()
        greeting = now.ask(protocol.Ping())
    except NoReply as error:
        if stopped and error.absent:
            return [diagnosis.STOPPED]
        why = f"{error}. {error.fault.hint}".rstrip(". ")
        return [diagnosis.of_daemon("", VERSION, None, why)]
    found = [diagnosis.of_daemon(address, VERSION, greeting.data, "")]
    health, why = asked(now, protocol.Health())
    found.append(
        diagnosis.of_health(health["verdict"], health["reasons"])
        if health
        else Finding("health", "bad", why, "`tm status`")
    )
    audit, why = asked(now, protocol.Audit())
    if audit is None:
        return [*found, Finding("audit", "bad", why, "`tm audit`")]
    return found + [diagnosis.of_audit(check) for check in audit["checks"]]


def drilled(now: Session, so_far: Sequence[Finding], record: str) -> Sequence[Finding]:
    """Drill, or end the command where that is not possible."""
    from daemon.brokers.ib.drill_questions import NoDrill
    from daemon.brokers.ib.drilling import drilled as drill

    _, settings, problems = configured()
    if diagnosis.STOPPED not in so_far:
        no_drill(now, so_far, "a daemon runs, and would take the drill's orders for another's")
    if settings is None:
        no_drill(now, so_far, "; ".join(problems))
    try:
        return drill(settings, Path(record))
    except (NoDrill, OSError) as why:
        no_drill(now, so_far, str(why))


def no_drill(now: Session, so_far: Sequence[Finding], why: str) -> NoReturn:
    """End the command: nothing was sent."""
    fault = Fault("NO_DRILL", why, "see docs/interactive-brokers.md: a paper account, tmd stopped")
    data = {"verdict": "bad", "checks": msgspec.to_builtins(so_far)}
    now.finish(Reply("doctor", False, "refused", Exit.REFUSED, data=data, error=fault), page)


def asked(now: Session, question: Query) -> tuple[Mapping[str, Any] | None, str]:
    """Return what the daemon answers, or why there is no answer."""
    try:
        reply = now.ask(question, timeout=PATIENT)
    except NoReply as error:
        return None, str(error)
    return reply.data, reply.error.message if reply.error else "no answer"


def page(reply: Reply, ink: Ink) -> str:
    """Return a line for each check, and its remedy below."""
    lines = []
    for check in reply.data["checks"]:
        mark = ink.styled(f"{check['grade']:<4}", COLOURS[check["grade"]])
        lines.append(f"{mark}  {check['name']}: {check['found']}")
        if check["remedy"]:
            lines.append(f"      -> {check['remedy']}")
    return "\n".join(lines)
