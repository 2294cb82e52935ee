"""What the gate counts: what is held, and what the open orders may still make of it."""

from decimal import Decimal as D

import pytest

from state.book import Stake, book_of, cost
from state.event import (
    OrderAccepted,
    OrderCancelled,
    OrderClaimed,
    OrderSubmitted,
    PositionAdjusted,
)
from state.snapshot import Snapshot
from tests.given import CLOSE, TUESDAY, funded, start


def ordered(quantity, limit=None, symbol="KO", order_id="R.0"):
    return OrderSubmitted(
        order_id, "R", symbol, D(quantity), D(50), limit and D(limit), "manual", TUESDAY, CLOSE
    )


def book(*events, cost_bps=0.0, cash=100_000):
    return book_of(funded(*events, cash=cash, run=start(cost_bps=cost_bps)))


def money(events, **more):
    counted = book(*events, **more)
    return tuple(
        int(x) for x in (counted.cash, counted.equity, counted.adverse, counted.gross, counted.high)
    )


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        pytest.param([], (100_000, 100_000, 0, 0, 0), id="nothing"),
        pytest.param([ordered(100)], (95_000, 100_000, 0, 5_000, 5_000), id="a buy is paid"),
        pytest.param(
            [ordered(100, "51")], (94_900, 100_000, 100, 5_000, 5_000),
            id="a limit above the market is paid, and costs equity",
        ),
        pytest.param(
            [ordered(100, "49")], (95_100, 100_000, 0, 5_000, 5_000), id="a limit below costs none"
        ),
        pytest.param([ordered(-100)], (105_000, 100_000, 0, 5_000, 0), id="a short is exposure"),
        pytest.param(
            [ordered(-100, "49")], (104_900, 100_000, 100, 5_000, 0),
            id="a sale below the market brings less, and costs equity",
        ),
        pytest.param(
            [ordered(-100, "51")], (105_000, 100_000, 0, 5_000, 0),
            id="a sale above the market is counted at the market",
        ),
        pytest.param(
            [ordered(100), OrderClaimed("R.0", 1, CLOSE), OrderCancelled("R.0", D(0), "", CLOSE)],
            (100_000, 100_000, 0, 0, 0), id="a final order is nothing",
        ),
        pytest.param(
            [ordered(100), OrderClaimed("R.0", 1, CLOSE), OrderCancelled("R.0", D(40), "", CLOSE)],
            (98_000, 100_000, 0, 2_000, 2_000), id="but for executions the broker still owes",
        ),
    ],
)  # fmt: skip
def test_an_order_counts_from_the_moment_it_is_on_record(events, counted):
    assert money(events) == counted


def test_costs_are_paid_on_either_side():
    assert book(ordered(100), cost_bps=10.0).cash == D(95_000) - 5
    assert book(ordered(-100), cost_bps=10.0).cash == D(105_000) - 5
    assert book(ordered(-100), cost_bps=10.0).least_equity == D(100_000) - 5
    assert cost(D(-5_000), 10.0) == cost(D(5_000), 10.0) == D(5)


@pytest.mark.parametrize(
    ("stake", "bounds", "widest"),
    [
        pytest.param(Stake(D(10)), (10, 10), 10, id="held"),
        pytest.param(Stake(D(10), buying=D(5), sure_buying=D(5)), (10, 15), 15, id="adding"),
        pytest.param(
            Stake(D(10), selling=D(4), sure_selling=D(4)), (6, 6), 10, id="surely selling"
        ),
        pytest.param(Stake(D(10), selling=D(4)), (6, 10), 10, id="selling, in doubt"),
        pytest.param(
            Stake(D(10), buying=D(5), selling=D(4), sure_selling=D(4)), (6, 15), 15, id="both"
        ),
        pytest.param(
            Stake(D(10), selling=D(14), sure_selling=D(14)), (-4, 0), 10, id="crossing zero"
        ),
        pytest.param(Stake(D(-10), buying=D(4), sure_buying=D(4)), (-6, -6), 10, id="covering"),
        pytest.param(Stake(D(-10), buying=D(4)), (-10, -6), 10, id="covering, in doubt"),
        pytest.param(Stake(D(-10), selling=D(5)), (-15, -10), 15, id="more of a short"),
        pytest.param(
            Stake(D(-10), buying=D(14), sure_buying=D(14)), (0, 4), 10, id="covering too much"
        ),
    ],
)
def test_sure_reductions_are_credited_and_all_else_is_not(stake, bounds, widest):
    assert stake.bounds == bounds
    assert stake.widest == widest


@pytest.mark.parametrize(
    ("stake", "quantity", "reduces"),
    [
        (Stake(D(10)), -10, True),
        (Stake(D(10)), -11, False),
        (Stake(D(10)), 1, False),
        (Stake(D(10), selling=D(4)), -6, True),
        (Stake(D(10), selling=D(4)), -7, False),
        (Stake(D(-10)), 10, True),
        (Stake(D(-10)), 11, False),
        (Stake(D(-10)), -1, False),
        (Stake(D(-10), buying=D(4)), 7, False),
        (Stake(), 1, False),
        (Stake(), -1, False),
    ],
)
def test_an_order_reduces_when_no_fill_can_cross_zero(stake, quantity, reduces):
    assert stake.reduces(D(quantity)) is reduces


def test_what_has_no_price_is_named_and_left_out():
    now = funded(ordered(10, symbol="XOM"), PositionAdjusted("GE", D(5), D(1), "a gift", CLOSE))

    assert book_of(now).unpriced == {"XOM", "GE"}
    assert book_of(now).equity == D(100_000)
    assert book_of(now).stake("XOM").effective == D(10)


def test_nothing_known_is_an_empty_book():
    assert book_of(Snapshot()).equity == 0


def test_an_earlier_book_is_only_used_while_it_still_holds():
    first = funded(ordered(10))
    accepted = funded(
        ordered(10), OrderClaimed("R.0", 1, CLOSE), OrderAccepted("R.0", "b", D(0), CLOSE)
    )
    before = book_of(first)

    assert book_of(first, before) is before
    for now in (accepted, funded(), funded(ordered(10), cash=50_000)):
        assert book_of(now, before) == book_of(now)
