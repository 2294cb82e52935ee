"""Which strategy brought what, and which regime, to the cent."""

from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.chronicle import chronicle
from state.contributions import Contribution
from state.event import CashMoved
from state.period import Period
from state.report import report
from tests.state.story import (
    FIRST,
    MONDAY,
    SECOND,
    STORY,
    THIRD,
    TUESDAY,
    WEDNESDAY,
    bars,
    close_of,
    recorded,
)
from tests.state.test_belief_answers import CALM, WILD, belief


def told(events=STORY, start=None, end=None):
    return chronicle(recorded(events), Period(start, end)).contributed


def with_targets(events, strategy, belief=None):
    """Return events, the last close of which decided by a strategy."""
    *others, close = events
    return [*others, replace(close, targets={"KO": 0.5}, strategy=strategy, belief=belief)]


def test_a_sessions_profit_is_that_of_the_strategy_in_force_before_it():
    events = [*with_targets(FIRST, "calm"), *with_targets(SECOND, "brave"), *THIRD]

    assert told(events).by_strategy() == (
        Contribution("brave", 1, D(204)),  # 15,262 less 10,058 and 5,000 put in
        Contribution("calm", 1, D(58)),
        Contribution("none", 1, D(0)),
    )


def test_a_period_begins_with_what_was_in_force_before_it():
    events = [*with_targets(FIRST, "calm"), *with_targets(SECOND, "brave"), *THIRD]

    assert told(events, start=WEDNESDAY).by_strategy() == (Contribution("brave", 1, D(204)),)
    assert told(events, end=TUESDAY).by_strategy() == (
        Contribution("calm", 1, D(58)),
        Contribution("none", 1, D(0)),
    )


def test_it_is_that_of_the_volatility_believed_in_before_it():
    events = [
        *with_targets(FIRST, "a", belief({"KO": CALM})),
        *with_targets(SECOND, "a", belief({"KO": WILD})),
        *with_targets(THIRD, "a", belief({"KO": CALM})),
    ]
    calm, wild = Contribution("calm", 1, D(58)), Contribution("stressed", 1, D(204))

    assert told(events).by_regime() == (calm, Contribution("none", 1, D(0)), wild)
    assert told(events, start=WEDNESDAY).by_regime() == (wild,)


def test_the_report_has_both():
    made = report(recorded(STORY), Period())

    assert made.by_strategy == (Contribution("none", 3, D(262)),)
    assert made.by_regime == made.by_strategy


money = st.integers(-900, 900)


@given(st.lists(st.tuples(money, money, st.sampled_from(["", "calm", "brave"])), max_size=8))
def test_the_sums_are_the_accounts_profit_whoever_was_in_force(days):
    events, equity = list(FIRST), D(10_000)
    for n, (made, flow, strategy) in enumerate(days, 1):
        session = MONDAY.replace(day=MONDAY.day + n)
        events.append(CashMoved("deposit", D(flow), "", close_of(session)))
        equity += made + flow
        close = bars(session, equity, equity, KO=50)
        events.append(replace(close, targets={} if strategy else None, strategy=strategy))
    made = report(recorded(events), Period())

    assert sum((one.profit for one in made.by_strategy), D(0)) == made.metrics.profit
    assert sum((one.profit for one in made.by_regime), D(0)) == made.metrics.profit
    assert sum(one.sessions for one in made.by_strategy) == len(days) + 1
