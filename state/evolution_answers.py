"""What `tm status` and reports say of evolution."""

from collections.abc import Mapping

from state.evolved import Evolution


def breeding(known: Evolution) -> Mapping[str, object]:
    """Return the newest run of evolution in brief, empty when there was none."""
    if not known.runs:
        return {}
    run = list(known.runs.values())[-1]
    return {
        "run_id": run.run_id,
        "status": run.status,
        "stage": run.stage,
        "generation": run.generation,
        "generations": run.course.generations,
        "evaluations": run.evaluations,
        "seconds": run.seconds,
        "promotable": None if run.verdict is None else run.verdict.promotable,
        "trials": known.trials,
    }


def verdicts(known: Evolution) -> Mapping[str, object]:
    """Return what the runs of evolution lately came to, and who is in charge; empty without any."""
    if not known.runs and not known.champions:
        return {}
    return {
        "champion": known.champion.genome_id if known.champion else None,
        "trials": known.trials,
        "holdout_touches": len(known.touches),
        "runs": [
            {
                "run_id": run.run_id,
                "status": run.status,
                "evaluations": run.evaluations,
                "seconds": run.seconds,
                "front": run.front,
                "candidate_id": run.candidate_id,
                "verdict": run.verdict,
                "shadow": run.shadow,
                "genes": run.genes,
            }
            for run in known.runs.values()
        ],
        "promoted": [
            {"genome_id": each.genome_id, "by": each.by, "reason": each.reason, "at": each.at}
            for each in known.champions
        ],
    }
