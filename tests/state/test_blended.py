"""A blend on record: who is halted, who brought what, and who asked for it."""

from decimal import Decimal as D
from struct import pack

import pytest
from msgspec.structs import replace

from state.belief_answers import told as without_bytes
from state.blended import Blended, Share, members, parts
from state.chronicle import chronicle
from state.command import CloseBars, ExecutePlan, Halt, MakePlan, Rebalance, Resume
from state.contributions import Contribution
from state.decider import decide
from state.denial import Code
from state.event import Halted, PlanMade
from state.explain import wanted
from state.period import Period
from state.planning import not_ready
from state.report import report
from state.snapshot import Snapshot
from state.status import status
from tests.given import CLOSE, MOMENT, asked, bars, cause, funded, kinds, the, told
from tests.state.story import FIRST, SECOND, STORY, THIRD, recorded
from tests.state.test_status import FACTS

STEADY = Share("steady", 0.6, equity=1.1, peak=1.2)
BRAVE = Share("brave", 0.4, equity=0.75, peak=1.0)


def blend(*shares, at=CLOSE, wishes=((0.5, 0.25), (1.0, 0.0))):
    """Return a blend whose members want so much of KO and XOM."""
    rows = [[50.0, 80.0]]
    for wish in wishes:
        rows += [[0.0, 0.0], [0.0, 0.0], wish]
    memory = b"".join(pack("<2d", *row) for row in rows)
    return Blended("d", at, ("KO", "XOM"), shares or (STEADY, BRAVE), memory)


def closing(now, share, *, day=1):
    """Return what a close decides by which a share stands so."""
    close = bars(50, 100, day=day)
    made = CloseBars(close.at, close.session, close.bars, blend=blend(share, wishes=((0.5, 0.0),)))
    return told(now, made)


def test_a_members_part_of_a_target_is_its_wish_on_its_capital():
    assert parts(blend()) == {"steady": {"KO": 0.3, "XOM": 0.15}, "brave": {"KO": 0.4, "XOM": 0.0}}
    cash = parts(blend(STEADY, replace(BRAVE, halted=True)))
    assert cash["brave"] == {"KO": 0.0, "XOM": 0.0}


def test_a_member_that_fell_too_far_is_halted_in_the_closes_own_decision():
    course = closing(funded(), replace(BRAVE, halted=True, fell=True))
    halt = the(course, Halted)

    assert kinds(course) == ["BarsClosed", "Halted"]
    assert (halt.scope, halt.code, halt.actor) == ("strategy:brave", Code.DRAWDOWN, "risk")
    assert "25.00%" in halt.reason
    assert "blend.members.brave.max_drawdown" in halt.reason
    assert course.now.halting("KO") is None  # the others trade on
    assert course.now.blend == course.events[0].blend
    again = closing(course.now, replace(BRAVE, halted=True, fell=True), day=2)
    assert kinds(again) == ["BarsClosed"]


def test_an_operator_halts_a_member_and_a_named_person_resumes_it():
    now = closing(funded(), STEADY).now
    now = asked(now, Halt("drill", "strategy:steady"), key="h").now
    assert [(one.name, one.halted) for one in members(now.blend, now.halts)] == [("steady", True)]
    assert kinds(asked(now, Resume("ok", "", "strategy:steady"), key="r")) == ["CommandRefused"]

    now = asked(now, Resume("ok", accept_risk="ann", scope="strategy:steady"), key="s").now
    assert not now.halts


@pytest.mark.parametrize(
    ("halt", "said"),
    [
        (Halt("drill", "strategy:other"), "members of the blend are steady"),
        (Halt("drill", "strategy:steady", flatten=True), "can't be closed alone"),
    ],
)
def test_what_can_not_be_halted_alone_is_refused(halt, said):
    refusal = decide(closing(funded(), STEADY).now, halt, MOMENT, cause(key="h"))

    assert refusal.code == "UNKNOWN_SCOPE"
    assert said in refusal.message


def of_a_blend(events):
    """Return events, the last close of which decided by the blend."""
    *others, close = events
    return [*others, replace(close, targets={"KO": 0.7}, strategy="blend", blend=blend())]


def test_profit_is_told_by_member_from_the_close_on_that_orders_filled_at():
    events = [*of_a_blend(FIRST), *of_a_blend(SECOND), *THIRD]
    made = chronicle(recorded(events), Period()).contributed.by_strategy()

    ko, xom = 54 / 52 - 1, 79 / 78 - 1  # Tuesday to Wednesday; on Monday nothing was held
    steady = D(str(round(10_058 * (0.3 * ko + 0.15 * xom), 6)))
    brave = D(str(round(10_058 * 0.4 * ko, 6)))
    assert made == (
        Contribution("blend: brave", 1, brave),
        Contribution("blend: rest", 2, D(262) - steady - brave),
        Contribution("blend: steady", 1, steady),
        Contribution("none", 1, D(0)),
    )


def test_the_members_and_the_rest_are_the_accounts_profit_exactly():
    made = report(recorded([*of_a_blend(FIRST), *of_a_blend(SECOND), *THIRD]), Period())

    assert sum((one.profit for one in made.by_strategy), D(0)) == made.metrics.profit
    assert report(recorded(STORY), Period()).metrics.profit == made.metrics.profit


def test_a_target_is_explained_by_who_asked_for_it():
    close = replace(bars(50, 100), targets={"KO": 0.7}, strategy="blend", blend=blend())
    ko, pg = wanted(close, ["KO", "PG"])

    assert ko.members == {"steady": 0.3, "brave": 0.4}
    assert pg.members == {"steady": 0.0, "brave": 0.0}
    assert wanted(replace(close, blend=None), ["KO"])[0].members == {}


def test_the_status_names_members_only_while_the_blend_trades():
    now = Snapshot(blend=blend(), strategy="blend")
    steady, brave = status(now, FACTS).strategy.members

    assert (steady.name, steady.capital, steady.equity) == ("steady", 0.6, 1.1)
    assert brave.drawdown == pytest.approx(0.25)
    assert status(replace(now, strategy="buy_and_hold"), FACTS).strategy.members == ()


def test_events_are_shown_without_its_bytes():
    close = replace(bars(50, 100), blend=blend())

    assert without_bytes(close).blend == replace(blend(), memory=b"")


def decided(now, share, *, day):
    """Return what is known after a close whose targets were decided with a share so."""
    close = bars(50, 100, day=day)
    made = CloseBars(
        close.at, close.session, close.bars, {"KO": 0.3}, "blend",
        blend=blend(share, wishes=((0.5, 0.0),)),
    )  # fmt: skip
    return told(now, made).now


def test_what_a_member_wanted_is_not_traded_once_it_is_halted():
    now = decided(funded(), STEADY, day=1)
    plan = the(asked(now, MakePlan(), key="p"), PlanMade).plan
    planned = asked(now, MakePlan(), key="p").now
    now = asked(planned, Halt("drill", "strategy:steady"), key="h").now

    assert not_ready(now).code == Code.TARGETS_STALE
    assert "steady wanted, which was halted since" in not_ready(now).message
    for key, command in (("r", Rebalance()), ("x", ExecutePlan(plan.plan_id))):
        assert decide(now, command, MOMENT, cause(key=key)).code == Code.TARGETS_STALE

    now = decided(now, replace(STEADY, halted=True), day=2)  # the next close that is decided
    assert not_ready(now) is None
    assert "OrderSubmitted" in kinds(asked(now, Rebalance(), key="s"))


def test_nor_once_its_losses_halted_it_at_a_close_that_was_not_decided():
    now = decided(funded(), STEADY, day=1)
    now = closing(now, replace(STEADY, halted=True, fell=True), day=2).now

    assert not_ready(now).code == Code.TARGETS_STALE


def test_a_member_that_is_resumed_before_the_next_close_is_traded_as_it_was():
    now = decided(funded(), STEADY, day=1)
    now = asked(now, Halt("drill", "strategy:steady"), key="h").now
    now = asked(now, Resume("ok", accept_risk="ann", scope="strategy:steady"), key="s").now

    assert not_ready(now) is None


def test_a_book_that_has_nothing_left_has_lost_all_of_it():
    assert replace(STEADY, equity=-0.2, peak=-0.2).drawdown == 1.0
    assert replace(STEADY, equity=0.0, peak=1.2).drawdown == 1.0
