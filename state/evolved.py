"""What is known of evolution: runs, verdicts, and who trades by which genome."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

import msgspec

RunId = str
GenomeId = str

Ended = Literal["finished", "failed", "cancelled"]


class Course(msgspec.Struct, frozen=True):
    """What a run was asked to do, over which sessions; with its prices all that decides its front.

    Sessions are those of the first bar of the history, the last that is bred on, the last that
    candidates are chosen by, and the last of the holdout.
    """

    seed: int
    population: int
    generations: int
    perception_generations: int
    first: date
    train_to: date
    validate_to: date
    last: date
    digest: str  # of the prices and of everything else that a front depends on
    shadow: int = 0  # sessions its candidate is watched in shadow before it may be promoted


class Criterion(msgspec.Struct, frozen=True):
    """One test of the gate: `value` must be at least `bound`, or at most, as `sense` says."""

    name: str
    value: float
    sense: Literal[">=", "<="]
    bound: float
    meaning: str

    @property
    def passed(self) -> bool:
        """Return whether the value is within its bound; what isn't a number is not."""
        return self.value >= self.bound if self.sense == ">=" else self.value <= self.bound

    def __str__(self) -> str:
        """Return it as people read it."""
        word = "passed" if self.passed else "failed"
        return f"{word}: {self.name} = {self.value:.4g}, bound {self.sense} {self.bound:.4g}"


class Verdict(msgspec.Struct, frozen=True):
    """Whether a candidate may be promoted, and each test behind it.

    `reference` is who had to be beaten: the champion, or the strongest baseline in sample.
    `reasons` are the tests that failed.
    """

    promotable: bool
    tests: tuple[Criterion, ...]
    deflated_sharpe: float
    pbo: float
    trials: int
    reference: str
    out_of_sample: Mapping[str, float]
    reasons: tuple[str, ...]


class Member(msgspec.Struct, frozen=True):
    """A genome of a front, by its id, and what it is worth: objectives, larger is better."""

    genome_id: GenomeId
    objectives: Mapping[str, float]


class Influence(msgspec.Struct, frozen=True):
    """What is seen of one gene over a run's last population.

    `correlation` is Spearman's with the return for risk, None where nothing varies; `span` the part
    of its bounds that is still in use.
    """

    correlation: float | None
    span: float


class Shadow(msgspec.Struct, frozen=True):
    """What a candidate would have made of live sessions, none of which its run saw.

    Fractions of equity after costs, by the kernel; `in_charge` is who traded meanwhile.
    """

    sessions: int = 0
    last: date | None = None
    growth: float = 0.0
    in_charge: float = 0.0


class Run(msgspec.Struct, frozen=True):
    """A run as it stands. `candidate` is the text form of the genome the gate looked at."""

    run_id: RunId
    course: Course
    by: str
    began: datetime
    stage: str = "perception"
    generation: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    best: Mapping[str, float] = {}
    retries: int = 0
    status: Literal["running", "finished", "failed", "cancelled"] = "running"
    reason: str = ""
    front: tuple[Member, ...] = ()
    candidate_id: GenomeId = ""
    candidate: str = ""
    verdict: Verdict | None = None
    ended: datetime | None = None
    shadow: Shadow = Shadow()
    genes: Mapping[str, Influence] = {}

    @property
    def in_shadow(self) -> bool:
        """Return whether its candidate has live sessions to stand yet before it may trade."""
        passed = self.verdict is not None and self.verdict.promotable
        return passed and self.shadow.sessions < self.course.shadow


class Touch(msgspec.Struct, frozen=True):
    """A look at a holdout: from which session to which, by which run."""

    run_id: RunId
    first: date
    last: date


class Champion(msgspec.Struct, frozen=True):
    """A genome in charge. `approved` is the hash of strategy, genome, configuration and code."""

    genome_id: GenomeId
    genome: str
    run_id: RunId
    approved: str
    by: str
    reason: str
    at: datetime


class Evolution(msgspec.Struct, frozen=True):
    """All runs lately, by id, oldest first; and every genome that was in charge, newest last."""

    runs: Mapping[RunId, Run] = {}
    trials: int = 0  # evaluations over all runs there ever were
    touches: tuple[Touch, ...] = ()
    champions: tuple[Champion, ...] = ()

    @property
    def running(self) -> Run | None:
        """Return the run under way: there is one at most."""
        return next((run for run in self.runs.values() if run.status == "running"), None)

    @property
    def champion(self) -> Champion | None:
        """Return the genome in charge, None while the configured one is."""
        return self.champions[-1] if self.champions else None

    def touched(self, first: date, last: date) -> int:
        """Return how many looks at a holdout had a session in common with this one."""
        return sum(touch.first <= last and first <= touch.last for touch in self.touches)
