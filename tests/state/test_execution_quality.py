"""What trading cost, beside a table worked by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest

from state import execution_quality as quality
from state.execution_quality import Placed
from state.order import Order, Status
from state.performance import Undefined

AT = datetime(2022, 12, 28, 21, tzinfo=UTC)


def placed(quantity, price, filled=0, value=0, fees=0, last=None, after=None, status=None):
    order = Order(
        order_id="o",
        rid="r",
        symbol="KO",
        quantity=D(quantity),
        status=status or (Status.FILLED if filled else Status.CANCELLED),
        created_at=AT,
        session=date(2022, 12, 29),
        price=D(price),
        filled=D(filled),
        value=D(value),
        fees=D(fees),
    )
    return Placed(
        order,
        D(price if last is None else last),
        None if after is None else AT + timedelta(seconds=after),
    )


BOUGHT_DEARER = placed(100, 50, filled=100, value="5010", fees=2, after=10)  # 10 on 5,000
SOLD_CHEAPER = placed(-50, 40, filled=50, value="1990", fees=1, after=30)  # 10 on 2,000
SOLD_DEARER = placed(-50, 40, filled=50, value="2004", fees=1, after=20)  # a gain of 4
HALF_BOUGHT = placed(100, 10, filled=50, value="500", fees=1, last=11)  # the rest rose by 50
NEVER_SOLD = placed(-100, 10, last=9)  # and it fell by 100


@pytest.mark.parametrize(
    ("order", "cost"),
    [
        pytest.param(BOUGHT_DEARER, 10, id="buying above the reference costs"),
        pytest.param(SOLD_CHEAPER, 10, id="selling below it costs"),
        pytest.param(SOLD_DEARER, -4, id="selling above it is a gain"),
        pytest.param(HALF_BOUGHT, 0, id="what did not trade did not slip"),
    ],
)
def test_slippage_is_signed_as_a_cost(order, cost):
    assert quality.slippage(order.order) == D(cost)


@pytest.mark.parametrize(
    ("orders", "bps"),
    [
        ([BOUGHT_DEARER], 20.0),
        ([SOLD_DEARER], -20.0),
        ([BOUGHT_DEARER, SOLD_CHEAPER, NEVER_SOLD], 20 / 7000 * 10_000),
    ],
)
def test_slippage_is_over_the_money_traded(orders, bps):
    assert quality.slippage_bps(orders) == pytest.approx(bps)


@pytest.mark.parametrize(
    ("order", "cost"), [(HALF_BOUGHT, 50), (NEVER_SOLD, 100), (BOUGHT_DEARER, 0)]
)
def test_what_was_not_traded_has_a_price_too(order, cost):
    assert quality.missed(order) == D(cost)


def test_the_shortfall_is_slippage_fees_and_what_was_missed():
    orders = [BOUGHT_DEARER, HALF_BOUGHT, NEVER_SOLD]
    cost = (10 + 2) + (0 + 1 + 50) + 100

    assert quality.shortfall_bps(orders) == pytest.approx(cost / (5000 + 1000 + 1000) * 10_000)


def test_the_fill_ratio_is_by_money():
    assert quality.fill_ratio([BOUGHT_DEARER, HALF_BOUGHT, NEVER_SOLD]) == pytest.approx(
        5500 / 7000
    )


def test_the_delay_is_the_mean_of_what_traded():
    assert quality.delay([BOUGHT_DEARER, SOLD_CHEAPER, NEVER_SOLD]) == 20.0


def test_orders_are_counted_by_status():
    lost = placed(1, 1, status=Status.UNKNOWN)

    assert quality.by_status([BOUGHT_DEARER, lost, NEVER_SOLD, SOLD_DEARER]) == {
        "cancelled": 1,
        "filled": 2,
        "unknown": 1,
    }


@pytest.mark.parametrize("figure", [quality.fill_ratio, quality.shortfall_bps])
def test_without_orders_there_is_no_figure(figure):
    with pytest.raises(Undefined, match="no order was submitted"):
        figure([])


@pytest.mark.parametrize("figure", [quality.slippage_bps, quality.delay])
def test_without_executions_there_is_no_figure(figure):
    with pytest.raises(Undefined, match="nothing was executed"):
        figure([NEVER_SOLD])
