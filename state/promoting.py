"""Deciding who is in charge: a genome that passed the gate, by a name or a stated policy."""

from hashlib import blake2b

from state.command import CancelEvolution, Promote, RecordEvolution, Rollback
from state.denial import Code
from state.event import (
    EvolutionCancelled,
    EvolutionEnded,
    EvolutionStarted,
    GenomePromoted,
    GenomeRolledBack,
    ShadowWatched,
)
from state.evolved import Champion, GenomeId, Run
from state.snapshot import Snapshot
from state.unfolding import Unavailable, Unfolding


def record_evolution(course: Unfolding, command: RecordEvolution) -> Unavailable | None:
    """Note what a run did. A run that is over, or was cancelled, does nothing any more."""
    event = command.happened
    running = course.now.evolution.running
    if isinstance(event, ShadowWatched):
        run = course.now.evolution.runs.get(event.run_id)
        if run is None or not run.in_shadow:
            return None
    elif isinstance(event, EvolutionStarted):
        if running is not None and running.run_id != event.run_id:
            return Unavailable(
                "conflict",
                "EVOLUTION_RUNNING",
                f"run {running.run_id} is under way, and there is one at a time",
                "`tm evolve wait`, or `tm evolve cancel`",
            )
    elif running is None or running.run_id != event.run_id:
        return None
    course.note(event)
    if command.promote and isinstance(event, EvolutionEnded | ShadowWatched):
        run = course.now.evolution.runs[event.run_id]
        if run.verdict is not None and run.verdict.promotable and not run.in_shadow:
            promote_candidate(course, run, "policy", command.promote)
    return None


def cancel_evolution(course: Unfolding, command: CancelEvolution) -> Unavailable | None:
    """Stop a run; what it bred so far stays where it can be resumed."""
    running = course.now.evolution.running
    if running is None:
        course.skip("NOT_RUNNING", "no run of evolution is under way")
    elif command.run_id not in {"", running.run_id}:
        return Unavailable(
            "not_found",
            "RUN_NOT_FOUND",
            f"run {command.run_id!r} is not under way",
            "tm evolve list",
        )
    else:
        course.note(EvolutionCancelled(running.run_id, course.actor, course.moment.at))
    return None


def promote(course: Unfolding, command: Promote) -> Unavailable | None:
    """Put a candidate in charge if the gate let it pass; nobody can talk the gate round."""
    run = run_of(course.now, command.genome_id)
    if run is None:
        return Unavailable(
            "not_found",
            "GENOME_NOT_FOUND",
            f"{command.genome_id!r} is no candidate of a run lately",
            "`tm strategy list` shows who is",
        )
    if run.verdict is None or not run.verdict.promotable:
        failed = "; ".join(run.verdict.reasons) if run.verdict else "there is no verdict"
        course.deny(
            Code.NOT_PROMOTABLE,
            f"the gate did not let it pass: {failed}",
            subject=run.candidate_id,
            hint="breed again, with more history; no option overrules the gate",
        )
        return None
    if run.in_shadow:
        course.deny(
            Code.NOT_PROMOTABLE,
            f"it was watched in shadow on {run.shadow.sessions} of {run.course.shadow} live "
            "sessions",
            subject=run.candidate_id,
            hint="let more sessions close; evolution.shadow says how many a run's candidate needs",
        )
        return None
    if command.accept_risk != course.actor:
        course.deny(
            Code.RISK_NOT_ACCEPTED,
            f"--accept-risk must name you, {course.actor}, and not {command.accept_risk!r}",
            hint=f"repeat it with --accept-risk {course.actor} if you mean it",
            subject=run.candidate_id,
        )
        return None
    now = course.now.evolution.champion
    if now is not None and now.genome_id == run.candidate_id:
        course.skip("ALREADY_CHAMPION", f"{run.candidate_id} is in charge already")
        return None
    promote_candidate(course, run, course.actor, command.reason)
    return None


def promote_candidate(course: Unfolding, run: Run, by: str, reason: str) -> None:
    """Note that a run's candidate is in charge from now on."""
    champion = Champion(
        genome_id=run.candidate_id,
        genome=run.candidate,
        run_id=run.run_id,
        approved=approval(course.now, run.candidate),
        by=by,
        reason=reason,
        at=course.moment.at,
    )
    course.note(GenomePromoted(champion, course.moment.at))


def rollback(course: Unfolding, command: Rollback) -> None:
    """Take the genome in charge back; the one before it, or the configured one, follows."""
    champion = course.now.evolution.champion
    if champion is None:
        course.skip("NO_CHAMPION", "the configured genome is in charge: nothing to take back")
    elif command.accept_risk != course.actor:
        course.deny(
            Code.RISK_NOT_ACCEPTED,
            f"--accept-risk must name you, {course.actor}, and not {command.accept_risk!r}",
            hint=f"repeat it with --accept-risk {course.actor} if you mean it",
            subject=champion.genome_id,
        )
    else:
        course.note(
            GenomeRolledBack(champion.genome_id, course.actor, command.reason, course.moment.at)
        )


def run_of(now: Snapshot, genome_id: GenomeId) -> Run | None:
    """Return the newest run whose candidate a genome is; a prefix of 6 or more digits will do."""
    if len(genome_id) < 6:
        return None
    runs = reversed(list(now.evolution.runs.values()))
    return next((run for run in runs if run.candidate_id.startswith(genome_id)), None)


def approval(now: Snapshot, genome: str) -> str:
    """Return the hash of what was approved: strategy, genome, configuration and code."""
    start = now.start
    known = (start.strategy, start.config_hash, start.version) if start else ()
    return blake2b("\x00".join((*known, genome)).encode(), digest_size=16).hexdigest()
