"""What trading fell short of the kernel's, and by what."""

from datetime import timedelta
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.event import Booked, ExecutionCorrected, OrderFilled, OrderSubmitted
from state.quote import Bar
from state.shortfall import Measured, Split
from tests.given import CLOSE, TUESDAY, bars, funded, start

DAY = timedelta(days=1)
MORNING, EVENING = CLOSE + DAY - timedelta(hours=6), CLOSE + DAY
TEN_BPS = funded(run=start(cost_bps=10.0))


def order(quantity, *, source="rebalance"):
    """An order for KO, decided on Monday's close at 50, for Tuesday."""
    return OrderSubmitted("R.0", "R", "KO", D(quantity), D(50), None, source, TUESDAY, CLOSE)


def fill(quantity, price, *, fee=0, at=EVENING):
    return OrderFilled("x1", "R.0", "KO", D(quantity), D(str(price)), D(fee), at, at)


def close(ko, day=1, *, opened=None):
    event = bars(ko, 100, day=day)
    return replace(event, bars=(Bar("KO", D(str(ko)), opened and D(str(opened))),))


def told(*events, now=TEN_BPS):
    measured = Measured()
    for event in events:
        measured.take(event)
    return measured.told(now)


def test_traded_as_the_kernel_does_nothing_is_lost():
    short = told(order(100), fill(100, 52, fee="5.2"), close(52), close(60, 2))

    assert (short.orders, short.whole) == (1, Split())


def test_a_worse_price_than_the_close_is_spread_and_a_smaller_fee_than_expected_a_gain():
    short = told(order(100), fill(100, "52.1", fee=2), close(52))

    assert short.whole == Split(spread=D(10), cost=D("-3.2"), total=D("6.8"))


def test_the_same_of_a_sale_has_its_sign():
    short = told(order(-100), fill(-100, "51.9", fee=2), close(52))

    assert short.whole == Split(spread=D(10), cost=D("-3.2"), total=D("6.8"))


def test_in_the_first_half_of_a_session_its_open_is_the_market_and_the_rest_is_delay():
    short = told(order(100), fill(100, "50.1", fee="5.2", at=MORNING), close(52, opened=50))

    assert short.whole == Split(delay=D(-200), spread=D(10), total=D(-190))


def test_without_an_open_on_record_the_close_is_the_market():
    short = told(order(100), fill(100, "50.1", fee="5.2", at=MORNING), close(52))

    assert short.whole == Split(spread=D(-190), total=D(-190))


def test_what_trades_a_session_later_is_late():
    late = fill(100, 55, fee="5.2", at=EVENING + DAY)
    short = told(order(100), close(52), late, close(55, 2))

    assert short.whole == Split(delay=D(300), total=D(300))


def test_what_never_traded_missed_the_next_move_and_saved_its_cost():
    short = told(order(100), close(52), close(60, 2), close(90, 3))

    assert short.whole == Split(missed=D("794.8"), total=D("794.8"))


def test_half_of_an_order_is_split_in_two():
    short = told(order(100), fill(50, 52, fee="2.6"), close(52), close(60, 2))

    assert short.whole == Split(missed=D("397.4"), total=D("397.4"))


def test_a_corrected_execution_counts_as_it_is_now():
    was = fill(100, 60, fee=9)
    booked = Booked(TUESDAY, "R.0", "KO", was.quantity, was.price, was.fee, was.traded_at)
    right = ExecutionCorrected(
        "x1", "R.0", "KO", D(100), D(52), D("5.2"), EVENING, 1, booked, EVENING + DAY
    )

    assert told(order(100), was, close(52), right, close(52, 2)).whole == Split()


def test_what_the_kernel_has_not_traded_yet_is_not_measured():
    assert told(order(100), fill(100, 52)).orders == 0


def test_orders_of_people_are_not_the_kernels():
    assert told(order(100, source="manual"), fill(100, 60), close(52)).orders == 0


prices = st.decimals(1, 1000, places=2)
sizes = st.integers(-500, 500).filter(bool)


@given(quantity=sizes, part=st.integers(0, 500), at=prices, price=prices, after=prices,
       fee=st.decimals(0, 9, places=2))  # fmt: skip
def test_the_four_add_up_to_what_the_kernels_account_has_more(
    quantity, part, at, price, after, fee
):
    """Both accounts are valued at the last close: the kernel's, less ours, is the shortfall."""
    filled = min(abs(quantity), part) * (1 if quantity > 0 else -1)
    fills = [fill(filled, price, fee=fee)] if filled else []
    short = told(order(quantity), *fills, close(at), close(after, 2))

    kernel = quantity * (after - at) - abs(quantity) * at / 1000
    ours = filled * (after - price) - (fee if filled else 0)
    assert abs(short.whole.total - (kernel - ours)) <= D("0.000003")
    assert short.whole.total == sum((day.total for day in short.days), D(0))
