"""Runs of evolution, and who is in charge."""

from datetime import date

from msgspec.structs import replace

from state.command import CancelEvolution, Promote, RecordEvolution, Rollback
from state.event import (
    EvolutionEnded,
    EvolutionStarted,
    GenerationBred,
    HoldoutTouched,
    ShadowWatched,
)
from state.evolved import Course, Criterion, Influence, Member, Shadow, Verdict
from tests.given import CLOSE, asked, funded, kinds, told, unavailable

COURSE = Course(
    seed=1,
    population=32,
    generations=3,
    perception_generations=1,
    first=date(1990, 1, 2),
    train_to=date(2011, 12, 30),
    validate_to=date(2016, 12, 30),
    last=date(2022, 12, 28),
    digest="d1",
)
STARTED = EvolutionStarted("r1", COURSE, "ann", CLOSE)
GENOME = "5eed5eed5eed5eed"


def bred(generation, evaluations, run_id="r1"):
    return GenerationBred(
        run_id, "money", generation, evaluations, 1.0, {"drawdown": -0.1}, 0, CLOSE
    )


def verdict(passes=True):
    test = Criterion("holdout", 1.0 if passes else -1.0, ">=", 0.0, "Sharpe ratio")
    reasons = () if passes else (str(test),)
    return Verdict(passes, (test,), 0.97, 0.1, 96, "buy_and_hold", {"sharpe": 1.0}, reasons)


def ended(passes=True, run_id="r1"):
    front = (Member(GENOME, {"drawdown": -0.1}),)
    found = verdict(passes)
    genes = {"gamma": Influence(-0.42, 0.5), "band": Influence(None, 0.0)}
    return EvolutionEnded(
        run_id, "finished", "", 96, 2.0, front, GENOME, "a genome", found, CLOSE, genes
    )


def after(*happened):
    now = funded()
    for event in happened:
        now = told(now, RecordEvolution(event)).now
    return now


def promote(genome_id=GENOME, by="ann"):
    return Promote(genome_id, "it passed", by)


def test_a_run_is_known_by_what_it_reported():
    run = after(STARTED, bred(0, 32), bred(1, 64)).evolution.running

    assert (run.run_id, run.generation, run.evaluations, run.stage) == ("r1", 1, 64, "money")
    assert run.best == {"drawdown": -0.1}


def test_there_is_one_run_at_a_time():
    other = replace(STARTED, run_id="r2")

    why = unavailable(after(STARTED), RecordEvolution(other))

    assert (why.kind, why.code) == ("conflict", "EVOLUTION_RUNNING")


def test_a_run_goes_on_under_its_own_name():
    now = after(STARTED, bred(0, 32))
    again = told(now, RecordEvolution(STARTED)).now

    assert again.evolution.running.evaluations == 32
    assert again.evolution.running.began == CLOSE


def test_every_evaluation_of_every_run_is_a_trial_once():
    """What a resumed run does again was counted before."""
    now = after(STARTED, bred(0, 32), bred(1, 64), STARTED, bred(1, 64), bred(2, 96), ended())
    anew = after(STARTED, bred(0, 32), bred(1, 64), STARTED, bred(0, 32), bred(1, 64), bred(2, 96))
    second = after(STARTED, bred(0, 32), ended(), replace(STARTED, run_id="r2"), bred(0, 32, "r2"))

    assert now.evolution.trials == 96
    assert anew.evolution.trials == 96
    assert second.evolution.trials == 64


def test_a_look_at_a_holdout_is_remembered_by_its_sessions():
    touch = HoldoutTouched("r1", GENOME, date(2017, 1, 3), date(2022, 12, 28), CLOSE)
    now = after(STARTED, touch, touch)

    assert now.evolution.touched(date(2020, 1, 1), date(2021, 1, 1)) == 1
    assert now.evolution.touched(date(2010, 1, 1), date(2016, 12, 30)) == 0


def test_a_cancelled_run_does_nothing_any_more():
    now = asked(after(STARTED), CancelEvolution()).now

    assert now.evolution.running is None
    assert told(now, RecordEvolution(bred(5, 999))).events == []
    assert told(now, RecordEvolution(ended())).events == []
    assert now.evolution.runs["r1"].reason == "cancelled by ann"


def test_cancelling_nothing_is_nothing_and_another_run_is_not_found():
    assert kinds(asked(funded(), CancelEvolution())) == ["CommandSkipped"]
    assert unavailable(after(STARTED), CancelEvolution("r9")).code == "RUN_NOT_FOUND"


def test_a_candidate_that_passed_is_promoted_by_somebody_who_says_so():
    course = asked(after(STARTED, ended()), promote(GENOME[:8]))
    champion = course.now.evolution.champion

    assert kinds(course) == ["GenomePromoted"]
    assert (champion.genome_id, champion.genome, champion.by) == (GENOME, "a genome", "ann")
    assert len(champion.approved) == 32


def test_nobody_talks_the_gate_round():
    course = asked(after(STARTED, ended(passes=False)), promote())

    assert kinds(course) == ["CommandRefused"]
    assert course.events[-1].denial.code == "NOT_PROMOTABLE"
    assert "holdout = -1" in str(course.events[-1].denial)


def test_the_risk_is_accepted_under_ones_own_name():
    course = asked(after(STARTED, ended()), promote(by="bob"))

    assert course.events[-1].denial.code == "RISK_NOT_ACCEPTED"


def test_an_unknown_genome_is_not_found():
    assert unavailable(after(STARTED, ended()), promote("ffffff")).code == "GENOME_NOT_FOUND"
    assert unavailable(after(STARTED, ended()), promote("5e")).code == "GENOME_NOT_FOUND"


def test_promoting_the_champion_again_is_nothing():
    now = asked(after(STARTED, ended()), promote()).now

    assert kinds(asked(now, promote())) == ["CommandSkipped"]


def test_a_stated_policy_promotes_at_once_and_only_what_passed():
    passed = told(after(STARTED), RecordEvolution(ended(), "automatic"))
    failed = told(after(STARTED), RecordEvolution(ended(passes=False), "automatic"))

    assert passed.now.evolution.champion.by == "policy"
    assert failed.now.evolution.champion is None


def test_rolling_back_brings_the_one_before_back():
    one = asked(after(STARTED, ended()), promote()).now
    back = asked(one, Rollback("it disappoints", "ann"))

    assert kinds(back) == ["GenomeRolledBack"]
    assert back.now.evolution.champion is None
    assert kinds(asked(back.now, Rollback("again", "ann"))) == ["CommandSkipped"]
    assert asked(one, Rollback("hm", "bob")).events[-1].denial.code == "RISK_NOT_ACCEPTED"


def test_what_was_approved_is_the_genome_with_configuration_and_code():
    """Another configuration has another hash: it is not what was approved."""
    from state.promoting import approval

    now = after(STARTED, ended())
    other = replace(now, start=replace(now.start, config_hash="changed"))

    assert approval(now, "a genome") != approval(other, "a genome")
    assert approval(now, "a genome") != approval(now, "another")


def test_a_strategy_never_changes_its_limits():
    now = after(STARTED, ended())

    assert asked(now, promote()).now.start.limits == now.start.limits


def watched(sessions):
    return ShadowWatched("r1", Shadow(sessions, date(2023, 1, 5), 0.01, 0.002), CLOSE)


SHADOWED = replace(STARTED, course=replace(COURSE, shadow=3))


def test_nobody_is_promoted_before_the_shadow_is_over():
    young = after(SHADOWED, ended(), watched(2))
    denied = asked(young, promote())

    assert "2 of 3 live sessions" in str(denied.events[-1].denial)
    assert denied.now.evolution.champion is None
    assert asked(told(young, RecordEvolution(watched(3))).now, promote()).now.evolution.champion


def test_a_policy_waits_for_the_shadow_too():
    now = after(SHADOWED)
    now = told(now, RecordEvolution(ended(), "automatic")).now
    waiting = told(now, RecordEvolution(watched(2), "automatic")).now
    over = told(waiting, RecordEvolution(watched(3), "automatic")).now

    assert waiting.evolution.champion is None
    assert over.evolution.champion.genome_id == GENOME
    assert over.evolution.runs["r1"].shadow.growth == 0.01


def test_what_the_gate_refused_is_not_watched():
    now = after(SHADOWED, ended(passes=False), watched(1))

    assert now.evolution.runs["r1"].shadow == Shadow()


def test_a_shadow_that_is_over_changes_no_more():
    now = after(SHADOWED, ended(), watched(3), watched(4))

    assert now.evolution.runs["r1"].shadow.sessions == 3
