"""Which symbol brought what, to the cent."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.attribution import SymbolResult, by_symbol
from state.chronicle import chronicle
from state.event import CashMoved, PositionAdjusted
from state.period import Period
from tests.state.story import (
    AT_WEDNESDAY,
    FIRST,
    MONDAY,
    STORY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    bars,
    fill,
    noon_of,
    order,
    recorded,
)


def attributed(events=STORY, start=None, end=None):
    return {r.symbol: r for r in by_symbol(chronicle(recorded(events), Period(start, end)))}


def test_the_whole_story_by_symbol():
    assert attributed() == {
        "KO": SymbolResult(
            symbol="KO",
            quantity=D(60),
            value=D(3_240),
            weight=pytest.approx(3_240 / 15_262),
            profit=D(258),  # 80 realised, 180 still open, 2 of fees
            realized=D(80),
            fees=D(2),
            traded=D(7_220),
            executions=2,
        ),
        "XOM": SymbolResult(
            symbol="XOM",
            quantity=D(20),
            value=D(1_580),
            weight=pytest.approx(1_580 / 15_262),
            profit=D(-21),
            realized=D(0),
            fees=D(1),
            traded=D(1_600),
            executions=1,
        ),
    }


def test_a_period_counts_from_the_close_before_it():
    wednesday = attributed(start=WEDNESDAY)

    assert wednesday["KO"].profit == D(40 * 1 + 60 * 2 - 1)  # from 52: 40 to 53, 60 to 54
    assert wednesday["XOM"].profit == D(20)
    assert wednesday["XOM"].traded == D(0)


def test_a_symbol_sold_out_in_the_period_is_still_named_and_later_is_not():
    sold = [
        *STORY,
        *order("S.0", "KO", -60, 54, AT_WEDNESDAY, oid=9),
        fill("S.0", "KO", -60, 55, noon_of(THURSDAY)),
        bars(THURSDAY, 15_321, 13_741, KO=55, XOM=79),
    ]
    after = bars(THURSDAY.replace(day=7), 15_321, 13_741, KO=56, XOM=79)
    thursday = attributed([*sold, after], start=THURSDAY, end=THURSDAY)["KO"]

    assert (thursday.quantity, thursday.value, thursday.weight) == (D(0), D(0), 0.0)
    assert (thursday.profit, thursday.realized) == (D(59), D(240))
    assert list(attributed([*sold, after], start=THURSDAY.replace(day=7))) == ["XOM"]


def test_without_equity_there_is_no_weight_and_without_a_price_no_profit():
    spun_off = [FIRST[0], PositionAdjusted("NEW", D(5), D(3), "spin-off", noon_of(MONDAY)),
                bars(MONDAY, 0, 0, KO=50)]  # fmt: skip
    new = attributed(spun_off)["NEW"]

    assert (new.quantity, new.value, new.weight, new.profit) == (D(5), None, None, None)
    priced = attributed([*spun_off, bars(TUESDAY, 20, 5, NEW=3)], start=TUESDAY)["NEW"]
    assert (priced.value, priced.profit) == (D(15), None)  # what it began with nobody can say


def test_nothing_happened_to_nothing():
    assert attributed([]) == {}


TRADES = st.lists(
    st.tuples(
        st.sampled_from(["KO", "XOM"]),
        st.decimals("-40", "40", places=3).filter(bool),
        st.decimals("1", "90", places=2),
        st.decimals("-1", "2", places=2),
    ),
    max_size=12,
)


@given(TRADES, TRADES, st.decimals("-50", "50", places=2))
def test_symbols_and_income_add_up_to_the_profit_exactly(before, after, dividend):
    """Equity's change is income and what each symbol brought: to the micro, in either period."""
    events, cash, equities, leg = [*FIRST], D(10_000), [D(10_000)], 0
    held = {"KO": D(0), "XOM": D(0)}
    days = (
        (TUESDAY, before, {"KO": D(47), "XOM": D("88.01")}),
        (WEDNESDAY, after, {"KO": D(61), "XOM": D(1)}),
    )
    for session, trades, mark in days:
        at = noon_of(session)
        events.append(CashMoved("dividend", dividend, "", at))
        cash += dividend
        for symbol, quantity, price, fee in trades:
            leg += 1
            events += order(f"R{leg}.0", symbol, quantity, 50, at, oid=leg)
            events.append(fill(f"R{leg}.0", symbol, quantity, price, at, fee))
            cash -= quantity * price + fee
            held[symbol] += quantity
        equities.append(cash + held["KO"] * mark["KO"] + held["XOM"] * mark["XOM"])
        events.append(bars(session, equities[-1], cash, **mark))

    for start, opening, income in ((TUESDAY, equities[0], 2), (WEDNESDAY, equities[1], 1)):
        brought = sum(r.profit for r in attributed(events, start=start).values())
        assert opening + income * dividend + brought == equities[-1]
