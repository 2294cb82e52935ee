"""The connection is cut at each step of an order's life; the order is there once, or not at all."""

from decimal import Decimal as D

from control.protocol import Health
from state.command import SubmitOrder
from tests.ib.desk import Desk, gateway

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


def connections(desk):
    return desk.said().count('"ib_connected"')


def test_whenever_the_line_breaks_the_books_are_the_gateways_and_nothing_is_sent_twice(tmp_path):
    with gateway() as made, Desk(tmp_path / "desk", made.port) as desk:
        desk.trading()
        ends = {}
        for step, ((fault, *where), _end) in STEPS.items():
            count = connections(desk)
            getattr(made, fault)(*where)
            order = SubmitOrder(symbol="KO", side="buy", quantity=D(10))
            # it may still be comparing the books: then nothing was written, and one asks again
            desk.until(lambda order=order, step=step: desk.ask(order, key=step).ok)
            desk.until(lambda count=count: connections(desk) > count and desk.ask(Health()).ok)
            desk.until(lambda: desk.agrees_with(made))
            ends[step] = desk.orders()[-1]["status"]

        assert ends == {step: end for step, (_, end) in STEPS.items()}
        assert made.truth().duplicates() == {}
        assert made.truth().net("KO") == 10 * list(ends.values()).count("filled")
