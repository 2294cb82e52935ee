"""An order's end is its end, and its number means it once: with the daemon's own process."""

from collections import Counter
from decimal import Decimal as D
from functools import partial

import pytest

from control.protocol import Events, Reconcile
from state.command import CancelOrders, Rebalance, SubmitOrder
from tests.ib.desk import Desk, gateway


@pytest.fixture
def made():
    with gateway() as one:
        yield one


@pytest.fixture
def desk(tmp_path, made):
    with Desk(tmp_path / "desk", made.port) as one:
        yield one.trading()


def resting(desk, made, key="rests"):
    """Order far from the market; return the gateway's order once it is live with us."""
    assert desk.ask(SubmitOrder("buy", "KO", D(10), D("39.50")), key=key).ok
    desk.until(lambda: [o["status"] for o in desk.orders()][-1] == "live")
    return made.truth().orders[-1]


def late_word(made, order, status, filled=0.0):
    """Let the gateway say of an order what was once so; it comes before the next answer."""

    def say(session):
        made.behind._send_open_order(session, order, status=status)
        made.behind._send_status(session, order, status, filled, 0.0, 0.0)

    made.call(partial(made.behind._publish, order, say))


def known(desk):
    """What there is of orders and books, without what time it is."""
    books = desk.books()
    orders = [(o["order_id"], o["status"], o["filled"], o["fees"]) for o in desk.orders()]
    return orders, books["cash"], [(p["symbol"], p["quantity"]) for p in books["positions"]]


def test_an_order_that_ended_stays_ended_whatever_comes_late(desk, made):
    cancelled = resting(desk, made)
    assert desk.ask(CancelOrders(), key="c").ok
    desk.until(lambda: [o["status"] for o in desk.orders()] == ["cancelled"])
    assert desk.ask(Rebalance(), key="k").ok
    desk.until(lambda: [o["status"] for o in desk.orders()] == ["cancelled", "filled", "filled"])
    assert desk.until(lambda: desk.ask(Reconcile(), key="before")).ok
    before, seq = known(desk), desk.data()["journal"]["seq"]

    for order in made.truth().orders:
        for status in ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel", "Inactive"):
            late_word(made, order, status)
    for order in made.truth().orders:
        if order is not cancelled:
            late_word(made, order, "Cancelled")

    after = desk.ask(Reconcile(), key="after")
    assert (after.ok, after.data["differences"]) == (True, [])
    assert known(desk) == before
    since = {event["type"] for event in desk.data(Events(since=seq))["events"]}
    assert not {kind for kind in since if kind.startswith("order_")}
    assert desk.data()["open_orders"] == desk.data()["unknown_orders"] == 0


def test_no_order_is_ever_changed_even_while_the_servers_are_lost(desk, made):
    """The gateway would make a second order of a change: what it gets is new ones and cancels."""
    made.twin_on_next_modify()
    resting(desk, made)
    made.connectivity_lost()
    desk.until(lambda: not desk.data()["broker"]["connected"])
    assert desk.ask(CancelOrders(), key="c").ok
    desk.ask(Rebalance(), key="k")
    desk.ask(SubmitOrder("buy", "KO", D(10), D("39.20")), key="same again")
    made.connectivity_restored()

    desk.until(lambda: desk.data()["ready"] and not desk.data()["unknown_orders"])
    desk.until(lambda: desk.orders()[0]["status"] == "cancelled")
    desk.ask(CancelOrders(), key="all")
    desk.until(lambda: desk.data()["open_orders"] == 0)
    received = made.truth().received
    assert Counter(one.outcome for one in received) == {"new": len(received)}
    assert len({(one.client_id, one.order_id) for one in received}) == len(received)
    assert made.truth().duplicates() == {}
    assert desk.ask(Reconcile(), key="r").data["differences"] == []
