"""Halts that nothing forgets, and a flattening that says what it could not close."""

from decimal import Decimal as D

import pytest

from state.command import (
    Claim,
    CloseBars,
    Halt,
    HaltForDisk,
    RecordFill,
    RecordStatus,
    ReportKind,
    Resume,
    SubmitOrder,
)
from state.denial import Code
from state.event import OrderDenied, OrderSubmitted
from state.order import request_id
from tests.given import CLOSE, asked, bars, funded, kinds, the, told

FULL, ROOM = HaltForDisk(full=True, detail="full"), HaltForDisk(full=False)


def order_of(key):
    return f"{request_id(key)}.0"


def fill(key, quantity, execution="x1"):
    return RecordFill(execution, order_of(key), "KO", D(quantity), D(50), D(0), CLOSE)


def holding(quantity=100):
    """Return an account that holds KO."""
    now = asked(funded(), SubmitOrder("buy", "KO", D(quantity)), key="buy").now
    now = told(now, Claim((order_of("buy"),))).now
    return told(now, fill("buy", quantity)).now


def selling(quantity, limit=None):
    """Return an account that holds 100 KO, with a live order to sell some."""
    sell = SubmitOrder("sell", "KO", D(quantity), limit)
    now = told(asked(holding(), sell, key="sell").now, Claim((order_of("sell"),))).now
    return told(now, RecordStatus(order_of("sell"), ReportKind.ACCEPTED)).now


class TestAFullDisk:
    """Its halt ends by itself, so it may not stand in the way of one that doesn't."""

    def test_an_operators_halt_outlasts_it(self):
        now = asked(told(funded(), FULL).now, Halt("drill"), key="h").now
        assert told(now, ROOM).now.halting().reason == "drill"

    def test_a_drawdown_outlasts_it(self):
        close = bars(1, 1, day=1)
        now = told(told(holding(1000), FULL).now, CloseBars(close.at, close.session, close.bars))
        assert told(now.now, ROOM).now.halting().code == Code.DRAWDOWN

    def test_what_was_filled_too_much_outlasts_it(self):
        now = told(told(holding(), FULL).now, fill("buy", 1, "x2")).now
        assert told(now, ROOM).now.halting() is None  # that order is over: only the book moves
        now = told(told(selling(50), FULL).now, fill("sell", -60, "x2")).now
        assert told(now, ROOM).now.halting().code == "OVERFILLED"


class TestFlattening:
    def test_what_closes_at_the_market_already_goes_on(self):
        course = asked(selling(40), Halt("out", flatten=True), key="h")
        assert kinds(course) == ["Halted", "OrderSubmitted"]
        assert the(course, OrderSubmitted).quantity == D(-60)

    def test_a_limit_order_is_asked_back_and_what_it_may_close_is_said(self):
        course = asked(selling(40, D(52)), Halt("out", flatten=True), key="h")
        assert kinds(course) == ["Halted", "CancelRequested", "OrderSubmitted", "OrderDenied"]
        denied = the(course, OrderDenied)
        assert (denied.quantity, denied.denial.code) == (D(-40), Code.DUPLICATE_ORDER)

    def test_when_it_is_cancelled_flattening_again_closes_the_rest(self):
        now = asked(selling(100, D(52)), Halt("out", flatten=True), key="h").now
        now = told(now, RecordStatus(order_of("sell"), ReportKind.CANCELLED)).now
        course = asked(now, Halt("out", flatten=True), key="h2")
        assert kinds(course) == ["OrderSubmitted"]
        assert the(course, OrderSubmitted).quantity == D(-100)

    def test_a_plain_halt_asks_all_of_it_back(self):
        assert kinds(asked(selling(40), Halt("drill"), key="h")) == ["Halted", "CancelRequested"]


@pytest.mark.parametrize("scope", ["account", "symbol:KO"])
def test_a_resume_lifts_its_own_scope_only(scope):
    now = asked(asked(funded(), Halt("a"), key="a").now, Halt("k", "symbol:KO"), key="k").now
    now = asked(now, Resume("ok", "ann", scope), key="r").now
    assert scope not in now.halts
    assert len(now.halts) == 1
