"""What a report says of evolution: who was bred, what the gate said of it, and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from state.evolved import Influence, Member, Shadow, Verdict
from state.report import Report
from state.report_tables import Listing, listing, number, percent

SHOWN: Final = 8  # genes, those that mattered most


class Bred(msgspec.Struct, frozen=True):
    """A run as a report has it."""

    run_id: str
    status: str
    evaluations: int
    candidate_id: str = ""
    front: tuple[Member, ...] = ()
    verdict: Verdict | None = None
    shadow: Shadow = Shadow()
    genes: Mapping[str, Influence] = {}


def bred(told: Report) -> tuple[Bred, ...]:
    """Return the runs lately, oldest first."""
    return msgspec.convert(told.evolution.get("runs", ()), tuple[Bred, ...])


def runs(told: Report) -> Listing:
    """Return each run, its candidate in and out of sample, and what became of it."""
    return listing(
        ("Run", "Evaluations", "Candidate", "In sample", "Out of sample", "In shadow", "Gate"),
        (
            (
                run.run_id,
                f"{run.evaluations:,}",
                run.candidate_id or "-",
                number(run.verdict.out_of_sample.get("sharpe_in_sample") if run.verdict else None),
                number(run.verdict.out_of_sample.get("sharpe") if run.verdict else None),
                f"{run.shadow.sessions} sessions, {percent(run.shadow.growth)}",
                run.status
                if not run.verdict
                else "passed"
                if run.verdict.promotable
                else "refused",
            )
            for run in bred(told)
        ),
    )


def tests(told: Report) -> Listing:
    """Return the tests of the newest verdict."""
    verdict = next((run.verdict for run in reversed(bred(told)) if run.verdict), None)
    return listing(
        ("Test", "Value", "Bound", "Result"),
        (
            (
                test.name,
                f"{test.value:.4g}",
                f"{test.sense} {test.bound:.4g}",
                "passed" if test.passed else "failed",
            )
            for test in (verdict.tests if verdict else ())
        ),
    )


def genes(told: Report) -> Listing:
    """Return the genes that went most with the return for risk in the newest run."""
    run = next((each for each in reversed(bred(told)) if each.genes), None)
    known = [
        (abs(one.correlation), name, one)
        for name, one in (run.genes if run else {}).items()
        if one.correlation is not None
    ]
    known.sort(key=lambda each: (-each[0], each[1]))
    return listing(
        ("Gene", "Correlation with return for risk", "Of its bounds in use"),
        ((name, f"{one.correlation:+.2f}", percent(one.span, 0)) for _, name, one in known[:SHOWN]),
    )


class InCharge(msgspec.Struct, frozen=True):
    """A genome that was put in charge, as a report has it."""

    genome_id: str
    by: str
    reason: str
    at: datetime


def promoted(told: Report) -> Listing:
    """Return who was put in charge lately, by whom, and why."""
    lately = msgspec.convert(told.evolution.get("promoted", ()), tuple[InCharge, ...])
    return listing(
        ("When", "Genome", "By", "Why"),
        ((f"{one.at:%Y-%m-%d %H:%M}", one.genome_id, one.by, one.reason) for one in lately),
    )
