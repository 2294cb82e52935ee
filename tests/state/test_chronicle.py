"""The journal told session by session: which events count in which period."""

from datetime import timedelta
from decimal import Decimal as D

import pytest

from state.chronicle import Executions, Flow, Halt, chronicle
from state.denial import Code
from state.event import (
    CashMoved,
    CommandFinished,
    CommandRefused,
    Halted,
    OrderCancelled,
    OrderDenied,
    OrderRejected,
    PositionAdjusted,
    Resumed,
)
from state.order import Status
from state.period import Period
from state.session import Session
from tests.state.story import (
    AT_MONDAY,
    AT_TUESDAY,
    AT_WEDNESDAY,
    FIRST,
    MONDAY,
    SECOND,
    STORY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    bars,
    close_of,
    fill,
    no,
    noon_of,
    order,
    recorded,
)


def told(events=STORY, start=None, end=None):
    return chronicle(recorded(events), Period(start, end))


def test_every_session_has_its_growth_without_flows():
    first, second, third = told().sessions

    assert first == Session(MONDAY, AT_MONDAY, D(10_000), growth=1.0, flows=D(10_000))
    assert second == Session(
        TUESDAY,
        AT_TUESDAY,
        D(10_058),
        growth=pytest.approx(1.0058),
        traded=pytest.approx(0.67),
        gross=0.6721,
        net=0.6721,
        heaviest="KO",
        weight=pytest.approx(5200 / 10_058),
        weights={"KO": pytest.approx(5200 / 10_058), "XOM": pytest.approx(1560 / 10_058)},
        flows=D(10_000),
    )
    assert third.growth == pytest.approx(15_262 / 15_058)
    assert third.traded == pytest.approx(2_120 / 15_058)
    assert third.flows == D(15_000)
    assert (third.heaviest, third.weight) == ("KO", pytest.approx(3_240 / 15_262))


def test_a_period_opens_with_the_last_close_before_it():
    story = told(start=WEDNESDAY)

    assert [s.session for s in story.sessions] == [WEDNESDAY]
    assert story.base is not None
    assert (story.base.session, story.base.equity) == (TUESDAY, D(10_058))
    assert story.opening.ledger.cash == D(3_298)
    assert story.closing.ledger.cash == D(10_442)
    assert story.sessions[0].growth == pytest.approx(15_262 / 15_058)


def test_a_period_before_the_journal_opens_with_nothing():
    story = told(start=MONDAY - timedelta(days=30))

    assert (story.base, story.opening.ledger.cash, len(story.sessions)) == (None, D(0), 3)


def test_what_happens_after_a_close_belongs_to_the_next_session():
    tuesday, wednesday = told(start=TUESDAY, end=TUESDAY), told(start=WEDNESDAY)

    assert list(tuesday.placed) == ["A.0", "A.1"]
    assert list(wednesday.placed) == ["B.0", "C.0"]
    assert tuesday.executions == {
        "KO": Executions(1, D(5_100)),
        "XOM": Executions(1, D(1_600)),
    }
    assert wednesday.executions == {"KO": Executions(1, D(2_120))}
    assert (tuesday.flows, len(wednesday.flows)) == ([], 2)
    assert (tuesday.denied, wednesday.denied) == ({}, {Code.ORDER_NOTIONAL: 1})
    assert (tuesday.refused, wednesday.refused) == ({}, {Code.NO_TARGETS: 1})
    assert (tuesday.halts, len(wednesday.halts)) == ([], 1)


def test_a_period_knows_only_the_records_up_to_its_last_close():
    story = told(end=TUESDAY)

    assert story.last is not None
    assert story.last.seq == len(FIRST) + len(SECOND)
    assert story.sessions[-1].session == TUESDAY
    assert told(end=TUESDAY).sessions == told([*FIRST, *SECOND]).sessions


def test_an_order_is_followed_to_its_end():
    story = told()

    assert {i: p.order.status for i, p in story.placed.items()} == {
        "A.0": Status.FILLED,
        "A.1": Status.FILLED,
        "B.0": Status.FILLED,
        "C.0": Status.LIVE,
    }
    assert story.placed["A.0"].first_fill == noon_of(TUESDAY)
    assert story.placed["A.0"].last == D(50)  # the last price known when it was filled
    assert story.placed["C.0"].first_fill is None
    assert story.placed["C.0"].last == D(79)  # still open, so at the period's end
    assert story.orders_executed == {"A.0", "A.1", "B.0"}


def test_the_first_of_several_executions_dates_an_order():
    halves = [
        *FIRST,
        *order("A.0", "KO", 100, 50, AT_MONDAY),
        fill("A.0", "KO", 60, 51, noon_of(TUESDAY)),
        bars(TUESDAY, 10_000, 0, KO=52),
        fill("A.0", "KO", 40, 51, noon_of(WEDNESDAY)),
    ]
    placed = told(halves).placed["A.0"]

    assert (placed.first_fill, placed.order.filled) == (noon_of(TUESDAY), D(100))


def test_a_late_execution_of_an_order_let_go_moves_the_book_alone():
    events = [
        *FIRST,
        *order("A.0", "KO", 100, 50, AT_MONDAY),
        OrderCancelled("A.0", D(0), "by the broker", noon_of(TUESDAY)),
        CommandFinished("A", (), noon_of(TUESDAY)),
        fill("A.0", "KO", 10, 50, noon_of(TUESDAY)),
        bars(TUESDAY, 10_000, 9_500, KO=50),
    ]
    story = told(events)

    assert story.placed["A.0"].order.status is Status.CANCELLED
    assert story.executions["KO"].count == 1


def test_an_order_of_an_earlier_period_is_not_this_ones_but_its_executions_are():
    story = told([*STORY, fill("C.0", "XOM", 10, 70, noon_of(THURSDAY)),
                  bars(THURSDAY, 15_000, 9_741, KO=54, XOM=79)], start=THURSDAY)  # fmt: skip

    assert story.placed == {}
    assert story.orders_executed == {"C.0"}
    assert story.executions == {"XOM": Executions(1, D(700))}


def test_a_closed_trade_made_what_it_realised_less_its_fees():
    assert told().profits == {"B.0": D(79)}  # 40 bought at 51, sold at 53, fee 1


def test_the_executions_of_one_order_are_one_trade_and_shorts_count_too():
    events = [
        *FIRST,
        *order("A.0", "KO", -30, 50, AT_MONDAY),
        fill("A.0", "KO", -30, 50, noon_of(TUESDAY)),
        *order("B.0", "KO", 30, 50, noon_of(TUESDAY), oid=2),
        fill("B.0", "KO", 10, 48, noon_of(TUESDAY)),
        fill("B.0", "KO", 20, 45, noon_of(TUESDAY)),
        bars(TUESDAY, 10_000, 10_000, KO=50),
    ]
    assert told(events).profits == {"B.0": D(10 * 2 + 20 * 5 - 2)}


def test_what_no_close_followed_yet_counts_as_orders_but_in_no_figure():
    late = [
        fill("C.0", "XOM", 10, 70, noon_of(THURSDAY)),
        CashMoved("withdraw", D(-100), "", noon_of(THURSDAY)),
        OrderDenied("F.0", "F", "KO", D(1), no(Code.DAY_LOSS), noon_of(THURSDAY)),
        CommandRefused("G", no(Code.PLAN_EXPIRED), noon_of(THURSDAY)),
        Halted("account", "drill", "TRADING_HALTED", "ops", noon_of(THURSDAY)),
    ]
    story = told([*STORY, *late])

    assert story.late == 2
    assert story.placed["C.0"].order.status is Status.FILLED
    assert story.denied == {Code.ORDER_NOTIONAL: 1, Code.DAY_LOSS: 1}
    assert story.refused == {Code.NO_TARGETS: 1, Code.PLAN_EXPIRED: 1}
    assert [halt.scope for halt in story.halts] == ["symbol:XOM", "account"]
    assert story.closing.ledger.cash == D(10_442)
    assert "XOM" not in {s for s, e in story.executions.items() if e.count > 1}
    assert len(story.flows) == 3  # initial, deposit, dividend


def test_a_period_that_ended_knows_nothing_of_what_came_after():
    late = [Halted("account", "drill", "TRADING_HALTED", "ops", noon_of(THURSDAY))]

    assert [h.scope for h in told([*STORY, *late], end=WEDNESDAY).halts] == ["symbol:XOM"]
    assert len(told([*STORY, *late], end=THURSDAY).halts) == 2  # Thursday has no close yet


def test_halts_are_those_in_force_in_the_period():
    halted = Halt(
        "symbol:XOM",
        "odd prices",
        "TRADING_HALTED",
        "ops",
        AT_TUESDAY,
        noon_of(WEDNESDAY),
        "ops",
    )
    again = Halted("account", "drill", "TRADING_HALTED", "ops", AT_WEDNESDAY)
    other = Resumed("symbol:KO", "never halted", "ops", AT_WEDNESDAY)
    thursday = bars(THURSDAY, 15_262, 10_442, KO=54, XOM=79)

    assert told().halts == [halted]
    assert told([*STORY, again, other, thursday], start=THURSDAY).halts == [
        Halt("account", "drill", "TRADING_HALTED", "ops", AT_WEDNESDAY)
    ]
    friday = bars(THURSDAY + timedelta(days=1), 15_262, 10_442, KO=54, XOM=79)
    assert len(told([*STORY, again, thursday, friday], start=friday.session).halts) == 1


def test_flows_and_income_are_listed_in_order():
    assert told().flows[1:] == [
        Flow(AT_TUESDAY, "deposit", D(5_000), "savings"),
        Flow(AT_TUESDAY, "dividend", D(25), "KO"),
    ]


def test_two_closes_of_a_session_are_one_session():
    noon = bars(TUESDAY, 10_100, 10_100, at=noon_of(TUESDAY), KO=51, XOM=80)
    evening = bars(TUESDAY, 10_201, 10_201, KO=52, XOM=80)
    _, session = told([*FIRST, noon, evening]).sessions

    assert (session.equity, session.growth) == (D(10_201), pytest.approx(1.0201))


def test_there_is_no_growth_before_there_is_money():
    unfunded = [FIRST[0], bars(MONDAY, 0, 0, KO=50), CashMoved("deposit", D(100), "", AT_MONDAY)]
    first, second = told([*unfunded, bars(TUESDAY, 100, 100, KO=51)]).sessions

    assert (first.growth, first.undefined) == (None, "")
    assert (second.growth, second.undefined) == (1.0, "")


def test_money_that_came_while_a_holding_had_no_price_makes_growth_unknown():
    spun_off = PositionAdjusted("NEW", D(5), D(3), "spin-off", AT_MONDAY)
    deposit = CashMoved("deposit", D(100), "", AT_MONDAY)
    (session,) = told([FIRST[0], spun_off, deposit, bars(TUESDAY, 115, 100, NEW=3)]).sessions

    assert (session.growth, session.undefined) == (None, "cash moved while NEW had no price")


def test_growth_out_of_debt_is_undefined_and_so_is_turnover():
    broke = bars(TUESDAY, -50, -50, KO=50)
    bought = [
        *order("A.0", "KO", 1, 50, AT_TUESDAY),
        fill("A.0", "KO", 1, 50, AT_TUESDAY),
        CashMoved("deposit", D(1_000), "", AT_TUESDAY),
        *order("B.0", "KO", 1, 50, AT_TUESDAY, oid=2),
        fill("B.0", "KO", 1, 50, AT_TUESDAY),
    ]
    *_, worse, worst = told(
        [*FIRST, broke, *bought, bars(WEDNESDAY, -60, -60, KO=50), bars(THURSDAY, -9, -9, KO=50)]
    ).sessions

    assert (worse.growth, worse.traded) == (None, None)
    assert worse.undefined == "an account worth -50 has no rate of return"
    assert (worse.heaviest, worse.weight) == ("", 0.0)
    assert worst.traded == 0.0


def test_an_empty_journal_tells_nothing():
    story = told([])

    assert (story.sessions, story.base, story.last, story.counting) == ([], None, None, True)


def test_a_journal_without_a_close_still_tells_of_denials():
    story = told([FIRST[0], OrderDenied("F.0", "F", "KO", D(1), no(Code.NO_PRICE), AT_MONDAY)])
    assert (story.denied, story.sessions) == ({Code.NO_PRICE: 1}, [])


def test_a_period_of_the_future_has_no_session_and_opens_with_the_last_close():
    story = told(start=THURSDAY, end=close_of(THURSDAY).date())

    assert (story.sessions, story.base and story.base.session) == ([], WEDNESDAY)
    assert story.opening.ledger == story.closing.ledger


def test_an_order_decided_by_a_quote_has_no_later_price():
    quoted = [FIRST[0], *order("A.0", "KO", 5, 49, AT_MONDAY),
              OrderRejected("A.0", D(0), "closed", AT_MONDAY)]  # fmt: skip

    assert told(quoted).placed["A.0"].last == D(49)
