"""The paper broker, as its users see it: what it reports, what its book says."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest

from daemon.clock import FakeClock
from daemon.seams import BrokerOrder, BrokerUnavailable
from state.command import RecordFill, RecordStatus, ReportKind
from state.quote import Quote
from state.settings import Paper
from tests.daemon.brokers.paper_market import (
    FREE,
    FRIDAY,
    MONDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    close,
    evening,
    morning,
    order,
    paper_broker,
)

pytestmark = pytest.mark.asyncio

DEAR = Paper(
    initial_cash=D(10_000), commission_bps=10, commission_min=D(1), slippage_bps=5, spread_bps=10
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.db"


def ends(told):
    """How each order ended, by what was reported."""
    kinds = {ReportKind.CANCELLED, ReportKind.REJECTED}
    return {r.order_id: r.reason for r in told if isinstance(r, RecordStatus) and r.kind in kinds}


def fills(told):
    return [(f.execution_id, f.quantity, f.price, f.fee) for f in told if isinstance(f, RecordFill)]


async def test_a_purchase_is_accepted_then_filled_then_in_the_book(path):
    told = []
    broker = await paper_broker(path, told=told)
    broker.place(order(1, 10))
    await broker.on_close(close(TUESDAY, KO=50))

    fill = RecordFill("P1.1", "R1.0", "KO", D(10), D(50), D(0), evening(TUESDAY))
    assert told == [RecordStatus("R1.0", ReportKind.ACCEPTED, "P1", D(0)), fill]
    book = await broker.book(None)
    assert book.orders == (BrokerOrder("TM1.R1.0", 1, "P1", "KO", D(10), D(10), "filled"),)
    assert book.executions == (fill,)
    assert book.positions == {"KO": D(10)}
    assert book.cash == D(9_500)
    await broker.aclose()


@pytest.mark.parametrize(
    ("orders", "bars", "cash", "positions"),
    [
        pytest.param(
            [order(1, 100)], {"KO": 50}, "4989.995", {"KO": 100}, id="bought: 50.05 each, 5.005 fee"
        ),
        pytest.param(
            [order(1, 10)], {"KO": "50"}, "9498.50", {"KO": 10}, id="a small order pays the minimum"
        ),
        pytest.param(
            [order(1, 1, "PG"), order(2, 1)],
            {"KO": 50, "PG": 100},
            "9847.85",
            {"KO": 1, "PG": 1},
            id="each order pays for itself",
        ),
        pytest.param([order(1, 10, "PG")], {"KO": 50}, "10000", {}, id="without a bar nothing"),
        pytest.param(
            [order(1, 10, session=WEDNESDAY)], {"KO": 50}, "10000", {}, id="nothing before its day"
        ),
        pytest.param(
            [order(1, 10, limit="49.99")], {"KO": 50}, "10000", {}, id="nothing over its limit"
        ),
        pytest.param(
            [order(1, 10, limit="50.01")],
            {"KO": 50},
            "9498.90",
            {"KO": 10},
            id="at its limit, not over",
        ),
        pytest.param(
            [order(1, 1_000)],
            {"KO": 50},
            "30.09005",
            {"KO": 199},
            id="what cash affords, fee included",
        ),
    ],
)
async def test_cash_is_exact(path, orders, bars, cash, positions):
    broker = await paper_broker(path, DEAR)
    for one in orders:
        broker.place(one)
    await broker.on_close(close(TUESDAY, **bars))
    book = await broker.book(None)
    assert (book.cash, book.positions) == (D(cash), positions)
    await broker.aclose()


async def test_a_sale_pays_for_a_purchase_of_the_same_close(path):
    told = []
    broker = await paper_broker(path, told=told)
    broker.place(order(1, 200, session=TUESDAY))
    await broker.on_close(close(TUESDAY, KO=50))
    broker.place(order(2, 100, "PG", session=WEDNESDAY))  # older, and nothing to pay it with
    broker.place(order(3, -200, session=WEDNESDAY))
    await broker.on_close(close(WEDNESDAY, KO=55, PG=100))

    assert [f[0] for f in fills(told)] == ["P1.1", "P3.1", "P2.1"]
    book = await broker.book(None)
    assert (book.cash, book.positions) == (D(1_000), {"PG": D(100)})
    await broker.aclose()


async def test_what_cash_does_not_reach_is_cancelled(path):
    told = []
    broker = await paper_broker(path, told=told)
    broker.place(order(1, 250))
    broker.place(order(2, 1))
    await broker.on_close(close(TUESDAY, KO=50))
    assert fills(told) == [("P1.1", D(200), D(50), D(0))]
    assert told[-2:] == [
        RecordStatus("R1.0", ReportKind.CANCELLED, "P1", D(200), "insufficient cash"),
        RecordStatus("R2.0", ReportKind.CANCELLED, "P2", D(0), "insufficient cash"),
    ]
    await broker.aclose()


async def test_on_margin_cash_may_go_below_zero(path):
    broker = await paper_broker(path, margin=True)
    broker.place(order(1, 250))
    await broker.on_close(close(TUESDAY, KO=50))
    assert (await broker.book(None)).cash == D(-2_500)
    await broker.aclose()


async def test_fractions_trade_where_lots_are_fractions(path):
    broker = await paper_broker(path, lot="0.001")
    broker.place(order(1, "0.333"))
    await broker.on_close(close(TUESDAY, KO="50.01"))
    assert (await broker.book(None)).cash == D("9983.346670")
    await broker.aclose()


class TestShortSales:
    async def test_nobody_sells_what_is_not_there(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, -1))
        await broker.settle()
        assert "short sale" in ends(told)["R1.0"]
        assert (await broker.book(None)).orders[0].status == "rejected"
        await broker.aclose()

    async def test_nor_sells_it_twice(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        await broker.on_close(close(TUESDAY, KO=50))
        broker.place(order(2, -6, session=WEDNESDAY))
        broker.place(order(3, -6, session=WEDNESDAY))
        broker.place(order(4, -4, session=WEDNESDAY))
        await broker.settle()
        assert list(ends(told)) == ["R3.0"]
        await broker.aclose()

    async def test_unless_it_is_allowed(self, path):
        broker = await paper_broker(path, allow_short=True)
        broker.place(order(1, -10))
        await broker.on_close(close(TUESDAY, KO=50))
        book = await broker.book(None)
        assert (book.cash, book.positions) == (D(10_500), {"KO": D(-10)})
        await broker.aclose()


class TestTimeAndSession:
    async def test_a_close_shown_twice_trades_once(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        await broker.on_close(close(TUESDAY, KO=50))
        await broker.on_close(close(TUESDAY, KO=50))
        assert len(fills(told)) == 1
        await broker.aclose()

    async def test_an_order_never_trades_at_the_close_it_was_decided_by(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10, session=TUESDAY, created=evening(TUESDAY)))
        await broker.on_close(close(TUESDAY, KO=50))
        assert not fills(told)
        await broker.aclose()

    async def test_before_the_open_it_gets_the_open_and_its_time(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        await broker.on_close(close(TUESDAY, KO=(48, 51, 47, 50)))
        assert told[-1] == RecordFill("P1.1", "R1.0", "KO", D(10), D(48), D(0), morning(TUESDAY))
        await broker.aclose()

    async def test_during_the_session_it_gets_the_next_close(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10, created=morning(TUESDAY) + timedelta(hours=1)))
        await broker.on_close(close(TUESDAY, KO=(48, 51, 47, 50)))
        assert fills(told)[0][2] == D(50)
        await broker.aclose()

    async def test_a_limit_out_of_reach_expires_with_the_last_bar_of_its_session(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10, limit=40))
        noon = morning(TUESDAY) + timedelta(hours=1)
        await broker.on_close(close(TUESDAY, at=noon, KO=(50, 51, 49, 50)))
        assert not ends(told)
        await broker.on_close(close(TUESDAY, KO=(50, 51, 41, 50)))
        assert ends(told) == {"R1.0": "day order expired"}
        await broker.aclose()

    async def test_without_a_bar_it_waits_for_a_later_session_to_expire(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10, "PG"))
        await broker.on_close(close(TUESDAY, KO=50))
        assert not ends(told)
        await broker.on_close(close(WEDNESDAY, PG=100))
        assert ends(told) == {"R1.0": "day order expired"}
        assert not fills(told)
        await broker.aclose()


class TestChance:
    PARTIAL = Paper(initial_cash=D(10_000), commission_bps=0, slippage_bps=0, partial_fill_rate=1)

    async def test_a_part_now_and_the_rest_at_the_next_bar_of_the_session(self, path):
        told = []
        broker = await paper_broker(path, self.PARTIAL, told=told)
        broker.place(order(1, 100))
        noon = morning(TUESDAY) + timedelta(hours=1)
        await broker.on_close(close(TUESDAY, at=noon, KO=50))
        ((_, first, *_),) = fills(told)
        assert 0 < first < 100
        await broker.on_close(close(TUESDAY, KO=50))
        assert [(x, q) for x, q, *_ in fills(told)] == [("P1.1", first), ("P1.2", 100 - first)]
        assert (await broker.book(None)).orders[0].status == "filled"
        await broker.aclose()

    async def test_the_rest_gets_the_next_close_for_its_open_may_be_older(self, path):
        told = []
        broker = await paper_broker(path, self.PARTIAL, told=told)
        broker.place(order(1, 100))
        noon = morning(TUESDAY) + timedelta(hours=1)
        await broker.on_close(close(TUESDAY, at=noon, KO=(48, 51, 47, 50)))
        await broker.on_close(close(TUESDAY, KO=(50, 53, 46, 52)))
        assert [price for _, _, price, _ in fills(told)] == [D(48), D(52)]
        await broker.aclose()

    async def test_a_part_is_not_taken_twice_after_a_restart(self, path):
        told = []
        broker = await paper_broker(path, self.PARTIAL, told=told)
        broker.place(order(1, 100))
        shown = close(TUESDAY, at=morning(TUESDAY) + timedelta(hours=1), KO=50)
        await broker.on_close(shown)
        await broker.aclose()
        broker = await paper_broker(path, self.PARTIAL, told=told)
        await broker.on_close(shown)
        assert len(fills(told)) == 1
        await broker.aclose()

    async def test_a_quote_shown_twice_trades_once(self, path):
        told = []
        broker = await paper_broker(path, self.PARTIAL, told=told)
        broker.place(order(1, 100))
        for _ in range(2):
            await broker.on_quote(Quote("KO", morning(TUESDAY), bid=D(49), ask=D(50)))
        assert len(fills(told)) == 1
        await broker.aclose()

    async def test_the_rest_expires_when_there_is_no_other_bar(self, path):
        told = []
        broker = await paper_broker(path, self.PARTIAL, told=told)
        broker.place(order(1, 100))
        await broker.on_close(close(TUESDAY, KO=50))
        ((_, first, *_),) = fills(told)
        assert told[-1] == RecordStatus(
            "R1.0", ReportKind.CANCELLED, "P1", first, "day order expired"
        )
        await broker.aclose()

    async def test_a_rejected_order_is_in_the_book_as_such(self, path):
        told = []
        broker = await paper_broker(path, Paper(reject_rate=1), told=told)
        broker.place(order(1, 100))
        await broker.on_close(close(TUESDAY, KO=50))
        assert "paper.reject_rate" in ends(told)["R1.0"]
        assert not fills(told)
        assert await broker.next_oid() == 2
        await broker.aclose()


class TestIdentity:
    async def test_an_id_that_is_not_above_all_before_is_refused(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(5, 10))
        broker.place(order(4, 10))
        broker.place(order(5, 10, ref="OTHER.0"))
        await broker.settle()
        assert ends(told) == {
            "R4.0": "103 duplicate order id",
            "OTHER.0": "103 duplicate order id",
        }
        assert [o.order_ref for o in (await broker.book(None)).orders] == ["TM1.R5.0"]
        await broker.aclose()

    async def test_an_order_sent_twice_is_one_order_and_stays_what_it_is(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        broker.place(order(1, 10))
        await broker.settle()
        broker.place(order(2, 10, ref="R1.0"))
        await broker.on_close(close(TUESDAY, KO=50))
        broker.place(order(3, 10, ref="R1.0"))
        await broker.settle()
        assert not ends(told)
        assert (await broker.book(None)).positions == {"KO": D(10)}
        await broker.aclose()

    async def test_ids_may_leave_gaps(self, path):
        broker = await paper_broker(path)
        assert await broker.next_oid() == 1
        broker.place(order(7, 10))
        assert await broker.next_oid() == 8
        await broker.aclose()

    async def test_an_order_without_an_id_is_the_callers_mistake(self, path):
        broker = await paper_broker(path)
        with pytest.raises(ValueError, match="claim it first"):
            broker.place(order(None, 10))
        await broker.aclose()


class TestCancel:
    async def test_an_open_order_ends_and_does_not_trade(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        broker.cancel(order(1, 10))
        await broker.on_close(close(TUESDAY, KO=50))
        assert ends(told) == {"R1.0": "cancelled on request"}
        assert not fills(told)
        await broker.aclose()

    async def test_a_filled_order_stays_filled(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        await broker.on_close(close(TUESDAY, KO=50))
        broker.cancel(order(1, 10))
        await broker.settle()
        assert not ends(told)
        await broker.aclose()

    async def test_an_order_it_never_had_gets_no_answer(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.cancel(order(1, 10))
        await broker.settle()
        assert not told
        await broker.aclose()


class TestCash:
    async def test_the_same_movement_twice_is_once(self, path):
        broker = await paper_broker(path)
        for ref, signed in [("d1", "500"), ("d1", "500"), ("w1", "-0.000001")]:
            broker.move_cash(ref, D(signed))
        await broker.settle()
        broker.move_cash("d1", D(500))
        assert (await broker.book(None)).cash == D("10499.999999")
        await broker.aclose()

    async def test_a_deposit_is_there_before_the_order_sent_after_it(self, path):
        broker = await paper_broker(path)
        broker.move_cash("d1", D(5_000))
        broker.place(order(1, 300))
        await broker.on_close(close(TUESDAY, KO=50))
        assert (await broker.book(None)).positions == {"KO": D(300)}
        await broker.aclose()


class TestLatency:
    SLOW = Paper(initial_cash=D(10_000), commission_bps=0, slippage_bps=0, latency=0.25)

    async def test_acceptance_takes_that_long(self, path):
        told, clock = [], FakeClock()
        broker = await paper_broker(path, self.SLOW, told=told, clock=clock)
        broker.place(order(1, 10))
        broker.place(order(2, 10))
        assert not told
        await broker.settle()
        assert clock.mono() == 0.25
        assert [r.kind for r in told] == [ReportKind.ACCEPTED] * 2
        await broker.aclose()

    async def test_a_price_waits_for_the_orders_sent_before_it(self, path):
        told = []
        broker = await paper_broker(path, self.SLOW, told=told)
        broker.place(order(1, 10))
        await broker.on_close(close(TUESDAY, KO=50))
        assert len(fills(told)) == 1
        await broker.aclose()

    async def test_nobody_has_to_ask_for_the_acceptance(self, path):
        told, accepted = [], asyncio.Event()
        broker = await paper_broker(path, told=told, tell=lambda _: accepted.set())
        broker.place(order(1, 10))
        await asyncio.wait_for(accepted.wait(), 10)
        await broker.aclose()


class TestQuotes:
    async def test_an_order_trades_at_the_first_quote_of_its_session(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        early, late = morning(TUESDAY) - timedelta(minutes=1), morning(TUESDAY)
        for at in (early, late):
            await broker.on_quote(Quote("KO", at, bid=D("49.9"), ask=D("50.1")))
        assert told[-1] == RecordFill("P1.1", "R1.0", "KO", D(10), D("50.1"), D(0), late)
        assert len(fills(told)) == 1
        await broker.aclose()

    async def test_other_symbols_wait_for_theirs(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        await broker.on_quote(Quote("PG", morning(TUESDAY), bid=D(99), ask=D(101)))
        assert not fills(told)
        await broker.aclose()

    async def test_after_its_session_an_order_expires(self, path):
        told = []
        broker = await paper_broker(path, told=told)
        broker.place(order(1, 10))
        await broker.on_quote(Quote("KO", evening(TUESDAY), bid=D(49), ask=D(51)))
        assert ends(told) == {"R1.0": "day order expired"}
        await broker.aclose()


class TestBook:
    async def test_since_leaves_out_no_order_that_may_have_changed(self, path):
        broker = await paper_broker(path)
        for n, session in enumerate([TUESDAY, WEDNESDAY, THURSDAY, FRIDAY], start=1):
            broker.place(order(n, 10, session=session))
        broker.place(order(9, 10, session=FRIDAY))
        for session in [TUESDAY, WEDNESDAY, THURSDAY]:
            await broker.on_close(close(session, KO=50))
        broker.cancel(order(4, 10))
        book = await broker.book(evening(WEDNESDAY))
        assert {o.broker_oid for o in book.orders} >= {2, 3, 4, 9}
        assert [f.execution_id for f in book.executions] == ["P2.1", "P3.1"]
        await broker.aclose()

    async def test_since_tells_an_order_that_ended_long_after_its_session(self, path):
        broker = await paper_broker(path)
        broker.place(order(1, 10, session=TUESDAY))
        late = datetime(2025, 6, 2, 21, tzinfo=UTC)
        await broker.on_quote(Quote("KO", late, bid=D(49), ask=D(50)))
        book = await broker.book(late - timedelta(hours=1))
        assert [o.status for o in book.orders] == ["cancelled"]
        await broker.aclose()

    async def test_since_tells_an_order_cancelled_before_there_was_any_price(self, path):
        broker = await paper_broker(path)
        broker.place(order(1, 10, session=TUESDAY))
        broker.cancel(order(1, 10))
        book = await broker.book(morning(TUESDAY) + timedelta(hours=1))
        assert [o.status for o in book.orders] == ["cancelled"]
        await broker.aclose()

    async def test_of_long_ago_it_tells_only_what_was_asked(self, path):
        broker = await paper_broker(path)
        broker.place(order(1, 10, session=MONDAY))
        await broker.on_close(close(MONDAY, KO=50))
        book = await broker.book(datetime(2025, 6, 1, tzinfo=UTC))
        assert (book.orders, book.executions) == ((), ())
        assert book.positions == {"KO": D(10)}
        await broker.aclose()

    async def test_a_closed_broker_answers_nothing(self, path):
        broker = await paper_broker(path)
        await broker.aclose()
        await broker.aclose()
        assert not broker.connected
        with pytest.raises(BrokerUnavailable, match="closed"):
            await broker.book(None)
        with pytest.raises(BrokerUnavailable):
            await broker.on_close(close(TUESDAY, KO=50))
        broker.place(order(1, 10))  # lost, as on any connection that is gone


async def test_what_was_sent_is_carried_out_before_it_closes(path):
    broker = await paper_broker(path, FREE)
    broker.place(order(1, 10))
    await broker.aclose()
    again = await paper_broker(path, FREE)
    assert [o.status for o in (await again.book(None)).orders] == ["open"]
    await again.aclose()
