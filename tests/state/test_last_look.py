"""The last look before an order is sent: what time alone may have changed since it was gated."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from state.book import book_of
from state.command import Claim
from state.event import (
    BarsClosed,
    Halted,
    OrderAccepted,
    OrderClaimed,
    OrderFilled,
    OrderNotPlaced,
    OrderStopped,
    OrderSubmitted,
)
from state.quote import Bar
from state.trading import last_look
from tests.given import (
    CLOSE,
    LIMITS,
    MOMENT,
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    bars,
    funded,
    kinds,
    start,
    the,
    told,
)

ORDER = "R.0"


def sending(*later, quantity=10, limit=None, source="manual", run=None):
    """Return the book with an order claimed for Tuesday, and what happened after that."""
    return funded(
        OrderSubmitted(
            ORDER, "R", "KO", D(quantity), D(50), limit and D(limit), source, TUESDAY, CLOSE
        ),
        OrderClaimed(ORDER, 1, CLOSE),
        *later,
        run=run,
    )


def looked(now, moment=MOMENT):
    held_back = last_look(now, now.orders[ORDER], moment, book_of(now))
    return held_back and (held_back.why, held_back.reason.partition(":")[0])


def only_pg(day=1):
    """A close in which KO is missing."""
    at = CLOSE + timedelta(days=day)
    return BarsClosed(at, MONDAY + timedelta(days=day), (Bar("PG", D(100)),), D(1), D(1), 0, 0)


LIVE = start(mode="live")
HALT = Halted("symbol:KO", "odd prices", "TRADING_HALTED", "ops", CLOSE)


def test_what_is_as_it_was_is_sent():
    assert looked(sending()) is None


def test_what_is_halted_by_now_is_not():
    assert looked(sending(HALT)) == ("halted", "odd prices")


def test_what_closes_a_position_by_order_is_sent_although_halted():
    assert looked(sending(HALT, source="flatten")) is None


def test_what_is_for_a_session_that_is_over_is_not():
    assert looked(sending(bars(50, 100, day=1)))[0] == "expired"


def test_what_would_go_to_a_later_session_by_now_is_not():
    assert looked(sending(run=LIVE)) is None
    late = replace(MOMENT, target=WEDNESDAY)
    assert looked(sending(run=LIVE), late)[0] == "expired"


def test_a_price_that_went_stale_meanwhile_holds_it_back():
    assert looked(sending(only_pg(), run=LIVE)) == ("expired", "STALE_DATA")


def test_a_limit_that_the_market_moved_away_from_holds_it_back():
    assert looked(sending(limit=51, run=LIVE)) is None
    assert looked(sending(bars(40, 100), limit=51, run=LIVE)) == ("expired", "PRICE_COLLAR")


def test_a_look_that_fails_holds_it_back():
    broken = replace(sending(run=LIVE), marks={})
    assert looked(broken) == ("expired", "NO_PRICE")
    nothing = replace(sending(), start=None)
    assert looked(nothing) == ("expired", "GUARD_FAILED")


@pytest.mark.parametrize(("quantity", "sent"), [(-10, True), (-200, False)])
def test_what_only_reduces_is_sent_at_a_stale_price(quantity, sent):
    held = OrderFilled("x", "gone", "KO", D(100), D(50), D(0), CLOSE, CLOSE)
    now = sending(held, only_pg(), quantity=quantity, run=LIVE)
    assert (looked(now) is None) is sent


SALE, PURCHASE = "S.0", "P.0"
HALF = OrderFilled("x", "gone", "KO", D(1000), D(50), D(0), CLOSE, CLOSE)  # of the account is KO


def rotating(*later, sold_by=TUESDAY):
    """Return the book in which most of a holding is on sale, and a purchase counts on that."""
    return funded(
        HALF,
        OrderSubmitted(SALE, "S", "KO", D(-800), D(50), None, "manual", sold_by, CLOSE),
        OrderSubmitted(PURCHASE, "P", "PG", D(400), D(100), None, "manual", TUESDAY, CLOSE),
        *later,
        run=start(replace(LIMITS, max_gross=0.7)),
    )


def claimed(now, *order_ids):
    return told(now, Claim(order_ids))


def test_what_is_paid_by_a_sale_is_claimed_with_it_and_after_it():
    assert kinds(claimed(rotating(), PURCHASE, SALE)) == ["OrderClaimed", "OrderClaimed"]
    assert kinds(claimed(rotating(), PURCHASE)) == ["OrderClaimed"]
    on_its_way = rotating(OrderClaimed(SALE, 1, CLOSE))
    assert kinds(claimed(on_its_way, PURCHASE)) == ["OrderClaimed"]
    there = rotating(OrderClaimed(SALE, 1, CLOSE), OrderAccepted(SALE, "B", D(0), CLOSE))
    assert kinds(claimed(there, PURCHASE)) == ["OrderClaimed"]


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(
            rotating(OrderClaimed(SALE, 1, CLOSE), OrderNotPlaced(SALE, CLOSE)),
            id="was never placed",
        ),
        pytest.param(
            rotating(
                OrderClaimed(SALE, 1, CLOSE), OrderAccepted(SALE, "B", D(0), CLOSE), sold_by=MONDAY
            ),
            id="was for a session that is over",
        ),
    ],
)
def test_what_was_to_be_paid_by_a_sale_that_is_no_more_is_not_sent(now):
    stopped = the(claimed(now, PURCHASE), OrderStopped)

    assert (stopped.order_id, stopped.why) == (PURCHASE, "expired")
    assert stopped.reason.startswith("GROSS_EXPOSURE: ")


def test_nor_by_a_sale_that_the_same_claim_stops():
    course = claimed(rotating(HALT), SALE, PURCHASE)

    stopped = [event for event in course.events if isinstance(event, OrderStopped)]
    assert [(one.order_id, one.why) for one in stopped] == [
        (SALE, "halted"),
        (PURCHASE, "expired"),
    ]


def test_only_what_does_not_fit_stays_behind():
    small = OrderSubmitted("Q.0", "Q", "PG", D(10), D(100), None, "manual", TUESDAY, CLOSE)
    now = rotating(small, OrderClaimed(SALE, 1, CLOSE), OrderNotPlaced(SALE, CLOSE))

    course = claimed(now, PURCHASE, "Q.0")

    assert the(course, OrderStopped).order_id == PURCHASE
    assert the(course, OrderClaimed).order_id == "Q.0"
