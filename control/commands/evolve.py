"""`tm evolve`."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, NoReturn

import typer

from control import offers, protocol
from control.protocol import Reply
from control.render import Ink, facts, number, table, text
from control.session import PATIENT, Session, session
from state.command import CancelEvolution

GLANCE = 0.5  # seconds between two looks at a run that somebody watches
SHOWN = 8  # genes of a run, those that mattered most
LONG = 3600.0  # seconds that `wait` waits, unless --timeout says otherwise


def evolve(
    context: typer.Context,
    action: Annotated[
        Literal["start", "status", "wait", "cancel", "resume", "list", "show"],
        typer.Argument(metavar="start|status|wait|cancel|resume|list|show", help="What to do."),
    ],
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="[RUN]", autocompletion=offers.runs, help="Which run; the newest unless said."
        ),
    ] = "",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of chance; one seed, one front.")
    ] = None,
    population: Annotated[int | None, typer.Option("--population", min=8)] = None,
    generations: Annotated[int | None, typer.Option("--generations", min=1)] = None,
    perception: Annotated[
        int | None, typer.Option("--perception-generations", min=0, help="0: keep perception.")
    ] = None,
    train_to: Annotated[
        str | None, typer.Option("--train-to", metavar="DAY", help="Last session bred on.")
    ] = None,
    validate_to: Annotated[
        str | None, typer.Option("--validate-to", metavar="DAY", help="Last session chosen by.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until the run is over.")] = False,
) -> None:
    """Breed genomes, and let the gate judge the best.

    A run goes on without this command, and through a restart of the daemon.

    Example: tm evolve start --wait --timeout 7200

    Exit codes: 0 started, shown or over, 1 the run failed, 3 cannot reach the daemon, 7 not enough
    history, 8 no such run, 9 a run is under way, 10 not over yet, 99 nothing to cancel.
    """
    now = session(context)
    question = protocol.Evolution(run_id)
    match action:
        case "start" | "resume":
            ask: protocol.Query = protocol.ResumeEvolution(run_id)
            if action == "start":
                ask = protocol.StartEvolution(
                    seed,
                    population,
                    generations,
                    perception,
                    day("--train-to", train_to),
                    day("--validate-to", validate_to),
                )
            started = now.ask(ask, timeout=PATIENT)
            if not wait or not started.ok:
                now.finish(started, begun)
            until_over(now, started.data["run_id"])
        case "wait":
            until_over(now, run_id)
        case "cancel":
            now.answer(CancelEvolution(run_id), begun, timeout=PATIENT)
        case "list":
            now.answer(protocol.Evolution(all=True), listed)
        case "show":
            now.answer(question, page)
        case "status":
            now.answer(question, brief)


def until_over(now: Session, run_id: str) -> NoReturn:
    """Wait until a run is over, and end with what it came to."""
    if now.watched:
        followed(now, run_id)
    now.answer(protocol.Evolution(run_id, wait=True), page, timeout=LONG, wait=True)


def followed(now: Session, run_id: str) -> None:
    """Draw how far a run is for a person at a terminal, until it is over or can't be told."""
    ends = time.monotonic() + (now.options.timeout or LONG)
    reply = now.ask(protocol.Evolution(run_id))
    if not reply.ok:
        return
    with typer.progressbar(length=reply.data["generations"], file=sys.stderr) as bar:
        while reply.ok and reply.data["status"] == "running" and time.monotonic() < ends:
            data = reply.data
            bar.label = f"{data['stage']}, generation {data['generation']}"
            bar.update((data["generation"] if data["stage"] == "money" else 0) - bar.pos)
            bar.render_progress()
            time.sleep(GLANCE)
            reply = now.ask(protocol.Evolution(run_id))
        if reply.ok and reply.data["status"] == "finished":
            bar.label = "judged"
            bar.update(reply.data["generations"] - bar.pos)
            bar.render_progress()


def day(option: str, given: str | None) -> date | None:
    """Return a day as the command line has it."""
    try:
        return None if given is None else date.fromisoformat(given)
    except ValueError as e:
        raise typer.BadParameter(f"{option} is no day such as 2011-12-30: {given!r}") from e


def begun(reply: Reply, ink: Ink) -> str:
    """Return the run that was started or cancelled."""
    return facts([("run", reply.data["run_id"]), ("status", reply.data["status"])])


def brief(reply: Reply, ink: Ink) -> str:
    """Return how far a run is."""
    return facts(progress(reply.data, ink))


def progress(data: Mapping[str, Any], ink: Ink) -> Sequence[tuple[str, str]]:
    """Return a run's progress, a line each."""
    most = data["generations"]
    lines = [
        ("run", data["run_id"]),
        ("status", data["status"] + (f": {data['reason']}" if data["reason"] else "")),
        ("stage", f"{data['stage']}, generation {data['generation']} of at most {most}"),
        ("evaluations", f"{data['evaluations']:,} in {number(data['seconds'], 1)} s"),
    ]
    if data["retries"]:
        lines.append(("retries", str(data["retries"])))
    shadow = data.get("shadow")
    if shadow and shadow["of"] and data["promotable"]:
        lines.append(
            (
                "in shadow",
                f"{shadow['sessions']} of {shadow['of']} sessions: {shadow['growth']:+.2%}, who is "
                f"in charge {shadow['in_charge']:+.2%}",
            )
        )
    lines += [(f"best {name}", number(value, 4)) for name, value in data["best"].items()]
    return lines


def page(reply: Reply, ink: Ink) -> str:
    """Return a run, its front and the gate's verdict."""
    data = reply.data
    parts = [facts(progress(data, ink))]
    if data["front"]:
        names = list(data["front"][0]["objectives"])
        rows = (
            (one["genome_id"], *(number(one["objectives"][name], 3) for name in names))
            for one in data["front"][:12]
        )
        parts.append(table(("front", *names), rows, ink))
        if len(data["front"]) > 12:
            parts.append(f"and {len(data['front']) - 12} more: --json has all")
    if data["verdict"] is not None:
        parts.append(judged(data, ink))
    if genes := influential(data["genes"]):
        parts.append(table(("gene", "with return for risk", "of its bounds"), genes, ink))
    return "\n\n".join(parts)


def influential(genes: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    """Return the genes that go most with the return for risk, and how much of them is in use."""
    known = [(name, one) for name, one in genes.items() if one["correlation"] is not None]
    known.sort(key=lambda each: -abs(each[1]["correlation"]))
    return [
        (name, f"{one['correlation']:+.2f}", f"{one['span']:.0%}") for name, one in known[:SHOWN]
    ]


def judged(data: Mapping[str, Any], ink: Ink) -> str:
    """Return each test of the gate, and the word at the end."""
    verdict = data["verdict"]
    rows = (
        (
            test["name"],
            f"{test['value']:.4g}",
            f"{test['sense']} {test['bound']:.4g}",
            ink.styled("passed", "green") if test["passed"] else ink.styled("failed", "red"),
        )
        for test in verdict["tests"]
    )
    word = "may be promoted" if verdict["promotable"] else "is not promoted"
    outside = ", ".join(
        f"{name} {number(value, 2)}"
        for name, value in verdict["out_of_sample"].items()
        if name.startswith("sharpe")
    )
    return "\n".join(
        (
            table(("test", "value", "bound", "verdict"), rows, ink, left=4),
            f"after {verdict['trials']:,} trials candidate {data['candidate_id']} {word}",
            f"out of sample: {outside}",
        )
    )


def listed(reply: Reply, ink: Ink) -> str:
    """Return all runs, one a row."""
    rows = (
        (
            one["run_id"],
            one["status"],
            ink.when(one["began"]),
            f"{one['evaluations']:,}",
            text(one["candidate_id"]),
            {None: "-", True: "yes", False: "no"}[one["promotable"]],
        )
        for one in reply.data["runs"]
    )
    return table(("run", "status", "began", "trials", "candidate", "promotable"), rows, ink)
