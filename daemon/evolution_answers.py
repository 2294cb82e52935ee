"""Runs of evolution and genomes, as clients are told of them."""

import asyncio
from typing import Any

from control.protocol import Evolution, Exit, Fault, Genomes, Reply
from daemon.engine import Engine
from daemon.replies import builtin
from state.evolved import Champion, Run
from state.promoting import run_of
from state.snapshot import Snapshot


async def run_told(ask: Evolution, engine: Engine, wait: float) -> Reply:
    """Return a run, or all of them; with `wait` not before it is over, or that many seconds."""
    known = engine.snapshot.evolution
    if ask.all:
        runs = [summary(run) for run in known.runs.values()]
        return said("evolve", engine, {"runs": runs, "trials": known.trials})
    run = chosen(engine.snapshot, ask.run_id)
    if run is None:
        why = f"no run {ask.run_id!r}" if ask.run_id else "there was no run of evolution yet"
        error = Fault("RUN_NOT_FOUND", why, "`tm evolve start` begins one")
        return Reply("evolve", False, "not_found", Exit.NOT_FOUND, error=error)
    if ask.wait and run.status == "running":
        try:
            async with asyncio.timeout(wait):
                while run.status == "running":
                    await engine.beyond(engine.head.seq)
                    run = engine.snapshot.evolution.runs[run.run_id]
        except TimeoutError:
            error = Fault("PENDING", f"run {run.run_id} goes on", "ask again: `tm evolve wait`")
            return Reply("evolve", False, "pending", Exit.PENDING, data=whole(run), error=error)
    reply = said("evolve", engine, whole(run))
    if ask.wait and run.status == "failed":
        error = Fault("EVOLUTION_FAILED", run.reason, f"`tm evolve resume {run.run_id}` goes on")
        return Reply("evolve", False, "failed", Exit.INTERNAL, data=whole(run), error=error)
    return reply


def chosen(now: Snapshot, run_id: str) -> Run | None:
    """Return a run by its id or the beginning of it; the newest when that is empty."""
    runs = list(now.evolution.runs.values())
    if not run_id:
        return runs[-1] if runs else None
    return next((run for run in reversed(runs) if run.run_id.startswith(run_id)), None)


def summary(run: Run) -> dict[str, Any]:
    """Return a run in brief."""
    return {
        "run_id": run.run_id,
        "status": run.status,
        "reason": run.reason,
        "stage": run.stage,
        "generation": run.generation,
        "generations": run.course.generations,
        "population": run.course.population,
        "seed": run.course.seed,
        "evaluations": run.evaluations,
        "seconds": run.seconds,
        "retries": run.retries,
        "best": dict(run.best),
        "by": run.by,
        "began": builtin(run.began),
        "ended": builtin(run.ended),
        "candidate_id": run.candidate_id or None,
        "promotable": None if run.verdict is None else run.verdict.promotable,
        "shadow": builtin(run.shadow) | {"of": run.course.shadow},
    }


def whole(run: Run) -> dict[str, Any]:
    """Return all that is known of a run."""
    verdict = None
    if run.verdict is not None:
        verdict = builtin(run.verdict) | {
            "tests": [builtin(test) | {"passed": test.passed} for test in run.verdict.tests]
        }
    return summary(run) | {
        "course": builtin(run.course),
        "front": builtin(run.front),
        "candidate": run.candidate or None,
        "verdict": verdict,
        "genes": builtin(run.genes),
    }


def genomes_told(ask: Genomes, engine: Engine) -> Reply:
    """Return who is in charge and who stands for it; or one genome with its verdict."""
    now = engine.snapshot
    champions = now.evolution.champions
    if ask.genome_id:
        run = run_of(now, ask.genome_id)
        named = [c for c in champions if c.genome_id.startswith(ask.genome_id)]
        if run is None and not named:
            error = Fault(
                "GENOME_NOT_FOUND",
                f"no genome {ask.genome_id!r} lately",
                "`tm strategy list` names those that are known",
            )
            return Reply("strategy", False, "not_found", Exit.NOT_FOUND, error=error)
        text = run.candidate if run is not None else named[-1].genome
        told = {
            "genome_id": run.candidate_id if run is not None else named[-1].genome_id,
            "genome": text,
            "champion": None if not named else charge(named[-1]),
            "run": None if run is None else whole(run),
        }
        return said("strategy", engine, told)
    champion = now.evolution.champion
    return said(
        "strategy",
        engine,
        {
            "strategy": now.strategy or (now.start.strategy if now.start else ""),
            "champion": None if champion is None else charge(champion),
            "history": [charge(each) for each in champions[:-1]],
            "challengers": [
                summary(run)
                for run in now.evolution.runs.values()
                if run.candidate_id and (champion is None or run.candidate_id != champion.genome_id)
            ],
        },
    )


def charge(champion: Champion) -> dict[str, Any]:
    """Return a genome that is or was in charge, without its text."""
    plain: dict[str, Any] = builtin(champion)
    plain.pop("genome")
    return plain


def said(command: str, engine: Engine, data: Any) -> Reply:
    """Return a plain answer."""
    now = engine.snapshot
    at = now.closed_at or now.at
    return Reply(command, True, "completed", Exit.DONE, at, engine.head.seq, data)
