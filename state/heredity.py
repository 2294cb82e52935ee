"""How one event changes what is known of evolution."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, assert_never

from msgspec.structs import replace

from state.event import (
    EvolutionCancelled,
    EvolutionEnded,
    EvolutionStarted,
    GenerationBred,
    GenomePromoted,
    GenomeRolledBack,
    HoldoutTouched,
    ShadowWatched,
)
from state.evolved import Evolution, Run, RunId, Touch

RUNS_KEPT: Final = 20
CHAMPIONS_KEPT: Final = 20

Happened = (
    EvolutionStarted
    | GenerationBred
    | HoldoutTouched
    | ShadowWatched
    | EvolutionEnded
    | EvolutionCancelled
    | GenomePromoted
    | GenomeRolledBack
)


def evolved(known: Evolution, event: Happened) -> Evolution:
    """Return what is known after `event`."""
    match event:
        case EvolutionStarted(run_id, course, by, at):
            run = known.runs.get(run_id) or Run(run_id, course, by, at)
            begun = replace(run, status="running", reason="", ended=None)
            others = {key: each for key, each in known.runs.items() if key != run_id}
            kept = dict(list(others.items())[-(RUNS_KEPT - 1) :])
            return replace(known, runs={**kept, run_id: begun})
        case GenerationBred():
            run = known.runs[event.run_id]
            most = max(run.evaluations, event.evaluations)  # a resumed run repeats some
            bred = replace(
                run,
                stage=event.stage,
                generation=event.generation,
                evaluations=most,
                seconds=event.seconds,
                best=event.best,
                retries=event.retries,
            )
            more = most - run.evaluations
            return replace(known, runs={**known.runs, run.run_id: bred}, trials=known.trials + more)
        case HoldoutTouched(run_id, _, first, last):
            touches = [touch for touch in known.touches if touch.run_id != run_id]
            return replace(known, touches=(*touches, Touch(run_id, first, last)))
        case EvolutionEnded():
            run = known.runs[event.run_id]
            over = replace(
                run,
                status=event.status,
                reason=event.reason,
                evaluations=event.evaluations,
                seconds=event.seconds,
                front=event.front,
                candidate_id=event.candidate_id,
                candidate=event.candidate,
                verdict=event.verdict,
                ended=event.at,
                genes=event.genes,
            )
            return replace(known, runs={**known.runs, run.run_id: over})
        case ShadowWatched(run_id, shadow):
            watched = replace(known.runs[run_id], shadow=shadow)
            return replace(known, runs={**known.runs, run_id: watched})
        case EvolutionCancelled(run_id, by, at):
            return replace(known, runs=stopped(known.runs, run_id, by, at))
        case GenomePromoted(champion):
            return replace(known, champions=(*known.champions[-(CHAMPIONS_KEPT - 1) :], champion))
        case GenomeRolledBack():
            return replace(known, champions=known.champions[:-1])
        case _:
            assert_never(event)


def stopped(runs: Mapping[RunId, Run], run_id: RunId, by: str, at: datetime) -> dict[RunId, Run]:
    """Return the runs with one of them cancelled."""
    run = runs[run_id]
    return {
        **runs,
        run_id: replace(run, status="cancelled", reason=f"cancelled by {by}", ended=at),
    }
