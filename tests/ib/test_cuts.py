"""The connection is cut at each step of an order's life; the order is there once, or not at all."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D

from control.protocol import Health
from state.command import SubmitOrder
from tests.ib.desk import Desk, gateway
from tests.tmd import calendar

STEPS = {  # where the line breaks, and what became of the order
    "the order arrived, and nothing of it was said": (("drop_after_accept",), "filled"),
    "the order never arrived": (("drop_before_accept",), "not_placed"),
    "before the acknowledgement": (("drop_on", "openOrder", "before"), "filled"),
    "within the acknowledgement": (("drop_on", "openOrder", "mid"), "filled"),
    "before its state": (("drop_on", "orderStatus", "before"), "filled"),
    "before an execution": (("drop_on", "execDetails", "before"), "filled"),
    "within an execution": (("drop_on", "execDetails", "mid"), "filled"),
    "after an execution": (("drop_on", "execDetails", "after"), "filled"),
    "before the commission": (("drop_on", "commissionReport", "before"), "filled"),
}

DESKS = 3  # that go through the steps at a time


def connections(desk):
    return desk.said().count('"ib_connected"')


def broken_at(folder, names):
    """Return how the order of each of these steps ended; the books are the gateway's each time."""
    with gateway() as made, Desk(folder, made.port) as desk:
        desk.trading()
        ends = {}
        for step in names:
            (fault, *where), _ = STEPS[step]
            count = connections(desk)
            getattr(made, fault)(*where)
            order = SubmitOrder(symbol="KO", side="buy", quantity=D(10))
            # it may still be comparing the books: then nothing was written, and one asks again
            desk.until(lambda order=order, step=step: desk.ask(order, key=step).ok)
            desk.until(lambda count=count: connections(desk) > count and desk.ask(Health()).ok)
            desk.until(lambda: desk.agrees_with(made))
            ends[step] = desk.orders()[-1]["status"]
        assert made.truth().duplicates() == {}
        assert made.truth().net("KO") == 10 * list(ends.values()).count("filled")
        return ends


def test_whenever_the_line_breaks_the_books_are_the_gateways_and_nothing_is_sent_twice(tmp_path):
    calendar()  # made here, and not in several threads at once
    with ThreadPoolExecutor(DESKS) as desks:  # most of the time each waits to connect again
        parts = [
            desks.submit(broken_at, tmp_path / f"desk {n}", list(STEPS)[n::DESKS])
            for n in range(DESKS)
        ]
        ends = {step: end for part in parts for step, end in part.result().items()}
    assert ends == {step: end for step, (_, end) in STEPS.items()}
