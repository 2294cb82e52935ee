"""What the broker said beforehand goes with the order it was said of, or says why it can't."""

from decimal import Decimal as D

from msgspec.structs import replace

from state.canonical import body_of, event_in
from state.command import MakePlan, MakePreviewedPlan
from state.denial import Code, Denial
from state.event import PlanMade
from state.plan import PlanLine, Preview
from state.preview import CHANGED, fitted
from tests.given import asked, bars, funded, the

KO = PlanLine("KO", 0.1, 0.2, D(20), D(50), D(1000), D("0.3"), "below the band")
TOLD = Preview("KO", D(20), D(1), D(2), "USD", D(500), D(250), D(99_000), "a warning")


def test_it_is_of_the_same_symbol_and_quantity():
    assert fitted((KO,), (), (TOLD,)) == (TOLD,)


def test_of_an_order_that_became_another_nothing_is_known():
    (one,) = fitted((replace(KO, quantity=D(21)),), (), (TOLD,))
    assert (one.quantity, one.commission_least) == (D(21), None)
    assert one.unknown == f"not known, because {CHANGED}"


def test_of_an_order_that_the_gate_denies_nothing_was_asked():
    (one,) = fitted((KO,), (Denial(Code.STALE_DATA, "KO"),), ())
    assert one.unknown == "not known, because the gate denies it: STALE_DATA"


def planned(command):
    now = funded(bars(50, 100, targets={"KO": 0.2, "PG": 0.2}))
    return asked(now, command, key="p")


def test_a_plan_is_the_same_with_and_without_it_but_for_what_was_said():
    bare = the(planned(MakePlan()), PlanMade).plan
    told = tuple(Preview(line.symbol, line.quantity, D(1), D(1)) for line in bare.lines)
    plan = the(planned(MakePreviewedPlan(MakePlan(), told)), PlanMade).plan

    assert bare.previews == ()
    assert len(bare.lines) == 2
    assert plan.previews == told
    assert replace(plan, previews=()) == bare


def test_it_is_journaled_exactly_and_an_older_plan_has_none():
    made = the(planned(MakePreviewedPlan(MakePlan(), (TOLD,))), PlanMade)
    assert event_in(body_of(made)) == made
    before = body_of(replace(made, plan=replace(made.plan, previews=())))
    assert event_in(before.replace(b',"previews":[]', b"")).plan.previews == ()
    assert b',"previews":[]' in before
