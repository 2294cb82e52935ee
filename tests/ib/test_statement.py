"""What the gateway forgot at midnight is closed by a statement, in a real daemon."""

import time
from datetime import UTC, datetime

from control.protocol import Health, Reconcile, ReconcileStatement
from state.command import Rebalance, Resume
from tests.ib.desk import ACCOUNT, Desk, gateway
from tests.ib.flexed import split, statement, trade


def test_a_fill_the_gateway_forgot_at_midnight_is_closed_by_a_statement(tmp_path):
    yesterday = 86_400.0
    with (
        gateway(auto_fill=False, clock=lambda: time.time() - yesterday) as made,
        Desk(tmp_path / "desk", made.port) as desk,
    ):
        desk.trading()
        assert desk.ask(Rebalance(), key="k").ok
        desk.until(lambda: [o["status"] for o in desk.orders()] == ["live", "live"])
        desk.kill()
        for order in made.truth().orders:
            made.fill(order.ref)
        made.end_of_day()
        made.advance(days=1)
        told = made.truth().executions

        desk.start().until(lambda: desk.data()["differences"])
        assert not desk.ask(Health()).ok
        assert {one["subject"] for one in desk.data()["differences"]} == {"KO", "PG", "cash"}
        assert not desk.ask(Resume("too early", "ops"), key="early").ok

        day = max(one.time for one in told).date()
        text = statement(ACCOUNT, day, *(trade(one) for one in told))
        for key in ("once", "twice"):
            reply = desk.ask(ReconcileStatement(text), key=key)
            assert reply.ok, reply
            assert reply.data["differences"] == []
        assert desk.agrees_with(made)
        assert {order["status"] for order in desk.orders()} == {"filled"}
        assert sum(float(order["fees"]) for order in desk.orders()) > 0

        assert desk.ask(Resume("the statement explains it", "ops"), key="resume").ok
        desk.until(lambda: desk.ask(Health()).ok)
        assert desk.ask(Reconcile(), key="look").data["differences"] == []
        assert desk.agrees_with(made)
        assert made.truth().duplicates() == {}
        assert len(made.truth().received) == 2


def test_a_split_at_the_gateway_halts_and_a_statement_books_it(tmp_path):
    with gateway() as made, Desk(tmp_path / "desk", made.port) as desk:
        assert desk.trading().ask(Rebalance(), key="k").ok
        desk.until(lambda: desk.agrees_with(made))
        held = dict(made.truth().positions)["KO"]
        made.split("KO", 2)
        assert not desk.ask(Reconcile(), key="look").ok
        assert not desk.ask(Health()).ok

        now = datetime.now(UTC)
        text = statement(ACCOUNT, now, split(ACCOUNT, "KO", 2, 1, held, now))
        reply = desk.ask(ReconcileStatement(text), key="statement")
        assert reply.ok, reply
        assert any(word.endswith(": booked") for word in reply.warnings)
        assert desk.agrees_with(made)
        assert desk.ask(Resume("the statement explains it", "ops"), key="resume").ok
        desk.until(lambda: desk.ask(Health()).ok)
