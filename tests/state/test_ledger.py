"""Positions and cash, asserted by equality: no cent is lost."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.ledger import Ledger, Position, moved, post

SYMBOLS = ("KO", "PG")


def ledger_after(*trades, fee=0):
    ledger = Ledger()
    for quantity, price in trades:
        ledger = post(ledger, "KO", D(str(quantity)), D(str(price)), D(str(fee)))
    return ledger


@pytest.mark.parametrize(
    ("trades", "quantity", "cost", "realized"),
    [
        pytest.param([(10, 5)], 10, 50, 0, id="opening costs what was paid"),
        pytest.param([(10, 5), (10, 7)], 20, 120, 0, id="adding adds its cost"),
        pytest.param([(10, 5), (-4, 8)], 6, 30, 12, id="reducing takes its share of the cost"),
        pytest.param([(10, 5), (-10, 8)], 0, 0, 30, id="closing leaves only profit"),
        pytest.param([(10, 5), (-15, 8)], -5, -40, 30, id="crossing zero closes, then opens"),
        pytest.param([(-10, 5)], -10, -50, 0, id="a short was paid for"),
        pytest.param([(-10, 5), (4, 3)], -6, -30, 8, id="a short bought back lower profits"),
        pytest.param([(-10, 5), (15, 3)], 5, 15, 20, id="crossing zero upwards"),
        pytest.param([(3, "10"), (-1, "10")], 2, 20, 0, id="a third"),
        pytest.param(
            [(3, "0.333333"), (-1, "1")], 2, "0.666666", "0.666667", id="thirds of micros"
        ),
    ],
)
def test_a_position_after_trades(trades, quantity, cost, realized):
    assert ledger_after(*trades).positions["KO"] == Position(
        D(quantity), D(str(cost)), D(str(realized))
    )


def test_the_average_price_is_derived_and_there_is_none_when_flat():
    assert ledger_after((10, 5), (10, 7)).positions["KO"].average_price == 6
    assert ledger_after((-10, 5)).positions["KO"].average_price == 5
    assert ledger_after((10, 5), (-10, 6)).positions["KO"].average_price is None


def test_value_and_open_profit_follow_the_mark():
    long, short = ledger_after((10, 5)).positions["KO"], ledger_after((-10, 5)).positions["KO"]

    assert (long.value(D(6)), long.unrealized(D(6))) == (60, 10)
    assert (short.value(D(6)), short.unrealized(D(6))) == (-60, -10)


def test_fees_are_paid_from_cash_and_a_rebate_is_a_negative_one():
    assert ledger_after((10, 5), fee=1).cash == -51
    assert ledger_after((10, 5), fee=-1).cash == -49
    assert ledger_after((10, 5), (-10, 5), fee=1).positions["KO"].fees == 2
    assert ledger_after((10, 5), (-10, 5), fee=1).fees == 2


def test_a_ledger_holds_nothing_of_what_it_never_traded():
    assert Ledger().held("KO") == 0
    assert ledger_after((10, 5)).held("KO") == 10


def test_money_put_in_is_a_flow_and_a_dividend_is_income():
    ledger = moved(moved(Ledger(), D(100), flow=True), D(7), flow=False)
    ledger = moved(ledger, D(-30), flow=True)

    assert (ledger.cash, ledger.flows, ledger.income) == (77, 70, 7)


def test_no_step_changes_the_ledger_before_it():
    before = ledger_after((10, 5))
    post(before, "KO", D(5), D(6), D(1))
    moved(before, D(1), flow=True)

    assert before == ledger_after((10, 5))


quantities = st.decimals("-1000", "1000", places=6).filter(bool)
prices = st.decimals("0.000001", "1000", places=6)
fees = st.decimals("-5", "5", places=6)
trades = st.lists(st.tuples(st.sampled_from(SYMBOLS), quantities, prices, fees), min_size=1)


@given(trades, st.lists(st.tuples(st.decimals("-1000", "1000", places=2), st.booleans())))
def test_cash_is_conserved_exactly(executed, movements):
    """Cash and cost together are what came in, plus profit taken, less fees: to the micro."""
    ledger = Ledger()
    for symbol, quantity, price, fee in executed:
        ledger = post(ledger, symbol, quantity, price, fee)
    for signed, flow in movements:
        ledger = moved(ledger, signed, flow=flow)
    cost = sum(position.cost for position in ledger.positions.values())

    assert ledger.cash + cost == ledger.flows + ledger.income + ledger.realized - ledger.fees
    assert ledger.fees == sum(position.fees for position in ledger.positions.values())
    assert ledger.fees == sum(fee for *_, fee in executed)


@given(trades)
def test_what_is_flat_has_cost_exactly_nothing(executed):
    ledger = Ledger()
    for symbol, quantity, price, fee in executed:
        ledger = post(ledger, symbol, quantity, price, fee)
    for symbol in SYMBOLS:
        ledger = post(ledger, symbol, -ledger.held(symbol), D(10), D(0))

    assert {(p.quantity, p.cost) for p in ledger.positions.values()} == {(0, 0)}


@given(st.lists(st.tuples(quantities, prices), min_size=1), prices)
def test_profit_is_the_sum_of_what_each_trade_made(executed, mark):
    """However trades are split into opens and closes; a micro is lost per rounding at most."""
    position = ledger_after(*executed).positions["KO"]
    profit = position.realized + position.unrealized(mark)
    made = sum(quantity * (mark - price) for quantity, price in executed)

    assert abs(profit - made) <= D("0.000001") * (len(executed) + 1)


@given(st.lists(st.tuples(quantities, prices), min_size=1))
def test_cost_has_the_sign_of_the_holding(executed):
    position = ledger_after(*executed).positions["KO"]

    assert position.cost * position.quantity >= 0
