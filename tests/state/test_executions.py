"""The book follows the broker's executions: late, repeated, reordered or corrected."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.answers import portfolio
from state.apply import apply
from state.command import RecordFill, RecordStatus, ReportKind
from state.event import (
    CommandFinished,
    OrderAccepted,
    OrderCancelled,
    OrderClaimed,
    OrderNotPlaced,
    OrderRejected,
    OrderStopped,
    OrderSubmitted,
)
from state.order import Status
from tests.given import CLOSE, TUESDAY, bars, funded, kinds, the, told

ORDER = "R.0"


def submitted(quantity=10, symbol="KO", order_id=ORDER):
    rid = order_id.partition(".")[0]
    return OrderSubmitted(order_id, rid, symbol, D(quantity), D(50), None, "manual", TUESDAY, CLOSE)


def execution(quantity, price=50, name="x1", revision=0, fee=0, symbol="KO", order_id=ORDER):
    at = CLOSE + timedelta(hours=1)
    return RecordFill(name, order_id, symbol, D(quantity), D(price), D(fee), at, revision)


def after(now, reports):
    for report in reports:
        now = told(now, report).now
    return now


def book(now):
    """What must be the same whatever came first: cash, fees, units, and profit with cost."""
    held = now.ledger.positions.items()
    return (
        now.ledger.cash,
        now.ledger.fees,
        {symbol: p.quantity for symbol, p in held if p.quantity},
        sum(p.realized - p.cost for _, p in held),
    )


ENDS = {
    "expired": [OrderStopped(ORDER, "expired", "", CLOSE)],
    "halted": [OrderStopped(ORDER, "halted", "", CLOSE)],
    "cancelled unsent": [OrderStopped(ORDER, "cancelled", "", CLOSE)],
    "not placed": [OrderClaimed(ORDER, 1, CLOSE), OrderNotPlaced(ORDER, CLOSE)],
    "cancelled": [OrderClaimed(ORDER, 1, CLOSE), OrderCancelled(ORDER, D(0), "", CLOSE)],
    "rejected": [OrderClaimed(ORDER, 1, CLOSE), OrderRejected(ORDER, D(0), "", CLOSE)],
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("quantity", "filled"), [(4, False), (10, True)])
def test_an_execution_after_the_end_is_booked_in_full(end, quantity, filled):
    now = funded(submitted(), *ENDS[end])

    then = told(now, execution(quantity, fee=1)).now

    assert then.ledger.held("KO") == quantity
    assert then.ledger.cash == 100_000 - 50 * quantity - 1
    order = then.orders.get(ORDER)
    assert order is None or order.filled == quantity
    if filled:
        assert order is None or order.status is Status.FILLED


def test_an_execution_of_an_order_that_was_let_go_moves_its_row_too():
    course = told(funded(submitted(), OrderClaimed(ORDER, 1, CLOSE)), cancel(0))
    over, (gone,) = course.now, the(course, CommandFinished).orders
    assert not over.orders

    late = told(over, replace(execution(4), over=gone))

    assert kinds(late) == ["OrderRecalled", "OrderFilled", "OrderReleased"]
    assert late.events[-1].order.filled == 4
    assert late.events[-1].order.status is Status.CANCELLED
    assert not late.now.orders


def cancel(filled, order_id=ORDER):
    return RecordStatus(order_id, ReportKind.CANCELLED, filled=D(filled))


def test_a_zombie_of_a_finished_command_counts_until_it_is_over():
    over = told(funded(submitted(), OrderClaimed(ORDER, 1, CLOSE)),
                RecordStatus(ORDER, ReportKind.NOT_SEEN))  # fmt: skip
    gone = over.events[-1].orders[0]
    assert gone.status is Status.NOT_PLACED

    alive = told(over.now, RecordStatus(ORDER, ReportKind.ACCEPTED, "B1", D(0), over=gone)).now
    assert alive.working("KO") == (10, 0)

    assert not told(alive, execution(10)).now.orders


def test_a_repeat_that_memory_let_go_is_known_by_the_journal():
    once = told(funded(submitted(), OrderClaimed(ORDER, 1, CLOSE)), execution(10)).now
    booked = once.executions["x1"]
    much_later = replace(once, executions={})

    assert told(much_later, replace(execution(10), booked=booked)).events == []


def test_a_correction_books_the_difference():
    now = funded(submitted(), OrderClaimed(ORDER, 1, CLOSE), OrderAccepted(ORDER, "B", D(0), CLOSE))

    then = after(now, [execution(4, 50, fee=1), execution(6, 51, revision=1, fee=2)])

    assert (then.ledger.held("KO"), then.ledger.cash) == (6, 100_000 - 306 - 2)
    order = then.orders[ORDER]
    assert (order.filled, order.value, order.fees) == (6, 306, 2)
    assert order.status is Status.LIVE


def test_an_execution_that_was_no_trade_is_taken_back():
    now = funded(submitted(), OrderClaimed(ORDER, 1, CLOSE))

    then = after(now, [execution(10, 50, fee=1), execution(0, 50, revision=1)])

    assert book(then) == book(now)


def test_what_never_had_a_price_is_worth_what_was_paid():
    now = told(funded(), execution(10, 30, symbol="GE", order_id="EXT.1")).now

    assert now.equity == 100_000
    assert apply(now, bars(50, 100, day=1)).equity == 100_000
    assert portfolio(now).unpriced == ()


WORDS = [ReportKind.ACCEPTED, ReportKind.CANCELLED, ReportKind.REJECTED]


@st.composite
def trades(draw):
    """Executions of three orders, some with revisions, and what the broker says of the orders."""
    said = []
    for leg, symbol in enumerate(("KO", "PG", "KO")):
        order_id = f"R.{leg}"
        for n in range(draw(st.integers(1, 3))):
            for revision in range(draw(st.integers(1, 3))):
                quantity = draw(st.integers(0 if revision else 1, 3))
                price, fee = draw(st.integers(45, 55)), draw(st.integers(0, 2))
                name = f"{order_id}.x{n}"
                one = execution(quantity, price, name, revision, fee, symbol, order_id)
                said.append(one)
        said.append(RecordStatus(order_id, draw(st.sampled_from(WORDS)), f"B{leg}", D(0)))
    repeated = said + draw(st.lists(st.sampled_from(said), max_size=5))
    return said, draw(st.permutations(repeated))


@given(trades())
def test_any_order_and_any_repetition_give_the_same_book(stories):
    in_turn, in_disorder = stories
    now = funded(
        *(submitted(9, symbol, f"R.{leg}") for leg, symbol in enumerate(("KO", "PG", "KO"))),
        *(OrderClaimed(f"R.{leg}", leg + 1, CLOSE) for leg in range(3)),
    )

    assert book(after(now, in_disorder)) == book(after(now, in_turn))
