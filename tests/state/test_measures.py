"""What guards measured: the figures of a denial, for orders that passed too."""

from decimal import Decimal as D

import pytest

from state.book import book_of
from state.case import Case
from state.denial import Code
from state.measures import FLATTENING, MEASURES, REDUCING, measured
from state.risk import GUARDS, check
from tests.given import MOMENT
from tests.state.test_risk import NO, OK, ROWS, book, order

IN_FIGURES = [
    *(Code.STALE_DATA, Code.ORDER_RATE, Code.DAY_ORDERS, Code.DAY_TURNOVER, Code.DAY_LOSS),
    *(Code.DRAWDOWN, Code.ORDER_QUANTITY, Code.ORDER_NOTIONAL, Code.PRICE_COLLAR),
    *(Code.SHORT_SALE, Code.POSITION_WEIGHT, Code.GROSS_EXPOSURE, Code.NET_EXPOSURE),
    *(Code.INSUFFICIENT_CASH, Code.TRADING_HALTED),
]
ALL = tuple(code for code, _ in GUARDS)


def rows(verdict, codes):
    return [
        pytest.param(code, proposed, now, id=f"{code}: {what}")
        for code in codes
        for what, said, proposed, now in ROWS.get(code.value, ())
        if said is verdict
    ]


def number(text):
    """Return a figure's value, whatever zeros are behind its point; words as they are."""
    try:
        return D(text)
    except ArithmeticError:
        return text


def weighed(now, proposed, codes):
    return measured(Case(now, proposed, MOMENT, book_of(now)), codes)


@pytest.mark.parametrize(("code", "proposed", "now"), rows(NO, IN_FIGURES))
def test_a_guard_measures_what_its_denial_says(code, proposed, now):
    denial = check(now, proposed, MOMENT)
    (one,) = weighed(now, proposed, {code})
    assert one.code == denial.code
    assert [number(one.value), number(one.limit)] == [number(denial.value), number(denial.limit)]
    assert not one.spared


@pytest.mark.parametrize(("code", "proposed", "now"), rows(OK, ALL))
def test_every_guard_that_let_an_order_past_says_by_what(code, proposed, now):
    found = weighed(now, proposed, set(ALL))
    assert [one.code for one in found] == [guard.value for guard in ALL]
    assert all(one.value and one.limit for one in found)


def test_what_reduces_or_flattens_is_said_to_be_spared():
    now = book(held={"KO": 100})
    sell = order(-10)
    flatten = order(-10, source="flatten")
    buy = order(10)
    assert {one.code for one in weighed(now, sell, set(ALL)) if one.spared} == REDUCING
    assert {one.code for one in weighed(now, flatten, set(ALL)) if one.spared} == (
        REDUCING | FLATTENING
    )
    assert not any(one.spared for one in weighed(now, buy, set(ALL)))


def test_every_guard_has_its_measure_in_the_order_they_are_asked():
    assert tuple(MEASURES) == ALL
