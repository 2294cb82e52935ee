from decimal import Decimal

import ib_async
import pytest
from msgspec.structs import replace

from daemon.brokers.ib.orders import OrderUnsendable, incoming, on_tick, outgoing
from state.instrument import Instrument
from tests.ib.conftest import ACCOUNT, by_letters
from tests.ib.test_recovery_reads import order


def test_an_order_goes_out_with_nothing_left_to_presets():
    sent = outgoing(order(-10, 41, Decimal("9.991")), Instrument("SPY"), ACCOUNT, "DAY")
    assert (sent.orderId, sent.orderRef) == (41, "TM1.RID41.0")
    assert (sent.action, sent.totalQuantity, sent.orderType) == ("SELL", 10, "LMT")
    assert (sent.lmtPrice, sent.tif, sent.account) == (10.0, "DAY", ACCOUNT)


@pytest.mark.parametrize(("buys", "price"), [(True, "10.00"), (False, "10.05")])
def test_a_limit_goes_to_the_tick_that_costs_no_more(buys, price):
    assert on_tick(Decimal("10.03"), Decimal("0.05"), buys=buys) == Decimal(price)


@pytest.mark.parametrize("guess", ["Cancelled", "ApiCancelled", "Inactive", "ValidationError"])
def test_what_the_gateway_lists_as_open_is_open_whatever_the_library_made_of_it(guess):
    listed = ib_async.Trade(
        ib_async.Stock("SPY"),
        ib_async.LimitOrder("BUY", 5, 1.0, permId=9),
        ib_async.OrderStatus(status=guess),
    )
    assert incoming(listed, completed=False, name=by_letters).status == "open"


def test_a_limit_on_the_tick_stays():
    assert on_tick(Decimal("10.05"), Decimal("0.05"), buys=True) == Decimal("10.05")


@pytest.mark.parametrize(
    "unsendable",
    [order("0.4", 41), replace(order(1, 41), broker_oid=None), order(1, 41, Decimal("0.004"))],
)
def test_what_can_not_be_sent_is_said_before_anything_is(unsendable):
    with pytest.raises(OrderUnsendable):
        outgoing(unsendable, Instrument("SPY"), ACCOUNT, "DAY")
