import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from ib_async import CommissionReport, Execution, Fill, Stock
from msgspec.structs import replace

from daemon.brokers.ib.broker import InteractiveBroker
from daemon.brokers.ib.contracts import tick_at
from daemon.brokers.ib.gateway import Address
from daemon.brokers.ib.ways import Routing, of_rebalance
from daemon.calendar import Calendar, Session
from daemon.clock import SystemClock
from daemon.seams import Alarming, BrokerUnavailable
from state.command import RecordFill, RecordStatus, ReportKind
from state.instrument import Instrument
from tests.ib.awaiting import until
from tests.ib.conftest import ACCOUNT
from tests.ib.sending import sending

LISTED = (Instrument("SPY"), Instrument("TLT"), Instrument("NESN", currency="CHF"), Instrument("X"))


def order(quantity, oid, symbol="SPY", limit=None, ref="RID"):
    return sending(f"{ref}.{oid}", quantity, oid, symbol, limit)


@pytest.fixture
async def open_broker(fake):
    """Open brokers on the fake, each connected; all are closed at the end."""
    opened = []

    async def one(**how):
        heard = []
        how.setdefault("clock", SystemClock())
        broker = InteractiveBroker(
            Address("127.0.0.1", fake.port, 7, ACCOUNT),
            LISTED,
            "USD",
            listener=heard.append,
            chance=lambda: 0.0,
            patience=30.0,
            **how,
        )
        opened.append(broker)
        await until(lambda: broker.connected, 30)
        return broker, heard

    yield one
    for broker in opened:
        await broker.aclose()


async def compared(broker):
    await broker.book(None)
    return await broker.next_oid()


def said(heard, kind):
    return [r for r in heard if isinstance(r, RecordStatus) and r.kind is kind]


async def test_an_order_is_reported_until_its_commission(fake, open_broker):
    broker, heard = await open_broker()
    oid = await compared(broker)
    broker.place(order(10, oid))
    await broker.settle()
    await until(lambda: sum(r.revision % 2 for r in heard if isinstance(r, RecordFill)) == 2, 30)

    fills = [r for r in heard if isinstance(r, RecordFill)]
    assert {fill.order_id for fill in fills} == {f"RID.{oid}"}
    assert sum(fill.quantity for fill in fills if fill.revision % 2) == 10
    assert said(heard, ReportKind.ACCEPTED)[0].broker_id == str(
        fake.order(ref=f"TM1.RID.{oid}").perm_id
    )
    assert (await broker.book(None)).positions == {"SPY": D(10)}
    assert await broker.next_oid() > oid


async def test_asked_back_twice_is_asked_once(fake, open_broker):
    broker, heard = await open_broker()
    oid = await compared(broker)
    waits = order(5, oid, limit=D("1.00"))
    broker.place(waits)
    await broker.settle()
    broker.cancel(waits)
    broker.cancel(waits)
    await until(lambda: said(heard, ReportKind.CANCELLED), 30)
    await broker.book(None)
    assert len(fake.messages("cancelOrder", "in")) == 1


@pytest.mark.parametrize(
    ("symbol", "why"),
    [("NESN", "nothing here converts"), ("X", "no contract"), ("GE", "not in the universe")],
)
async def test_what_cannot_be_traded_is_refused_with_its_reason(fake, open_broker, symbol, why):
    broker, heard = await open_broker()
    broker_oid = await compared(broker)
    broker.place(order(1, broker_oid, symbol))
    (refused,) = said(heard, ReportKind.REJECTED)
    assert why in refused.reason
    assert not fake.received


async def test_read_only_sends_nothing(fake, open_broker):
    broker, heard = await open_broker(read_only=True)
    broker.place(order(1, await compared(broker)))
    assert "read_only" in said(heard, ReportKind.REJECTED)[0].reason
    assert not fake.received


async def test_a_rejection_says_the_gateways_reason(fake, open_broker):
    broker, heard = await open_broker()
    oid = await compared(broker)
    fake.reject_next_order(201, "margin is missing")
    broker.place(order(1, oid))
    await until(lambda: said(heard, ReportKind.REJECTED), 30)
    assert "margin is missing" in said(heard, ReportKind.REJECTED)[0].reason


@pytest.mark.parametrize("data_lost", [True, False])
async def test_nothing_is_sent_before_the_books_were_compared_nor_while_servers_are_lost(
    fake, open_broker, data_lost
):
    broker, _ = await open_broker()
    broker.place(order(1, 1))
    oid, first = await compared(broker), broker.connection
    fake.connectivity_lost()
    await until(lambda: not broker.connected, 30)
    broker.place(order(1, oid))
    with pytest.raises(BrokerUnavailable, match="1100"):
        await broker.book(None)
    fake.connectivity_restored(data_lost)
    await until(lambda: broker.connected, 30)
    broker.place(order(1, oid))
    assert broker.connection > first
    await compared(broker)
    assert not fake.received


async def resting(fake, broker):
    """Place an order that rests; return ours and the gateway's of it."""
    waits = order(5, await compared(broker), limit=D("1.00"))
    broker.place(waits)
    await broker.settle()
    return waits, fake.order(ref=waits.order_ref)


async def test_an_execution_after_the_cancellation_is_reported_and_in_the_book(fake, open_broker):
    broker, heard = await open_broker()
    waits, theirs = await resting(fake, broker)
    broker.cancel(waits)
    await until(lambda: said(heard, ReportKind.CANCELLED), 30)
    fake.late_fill(theirs, 2)
    await until(lambda: any(isinstance(r, RecordFill) for r in heard), 30)
    book = await broker.book(None)
    assert [o.status for o in book.orders] == ["cancelled"]
    assert [(f.order_id, f.quantity) for f in book.executions] == [(waits.order_id, 2)]


@pytest.mark.parametrize("code", [399, 404, 10349, 99_999])
async def test_a_notice_that_the_library_takes_for_an_end_ends_nothing(fake, open_broker, code):
    broker, heard = await open_broker()
    fake.notice_next_order(code, "only a notice", after_ack=True)
    await resting(fake, broker)
    book = await broker.book(None)  # what was said before is heard by now
    assert [m for m in fake.messages("error") if str(code) in m]
    assert [o.status for o in book.orders] == ["open"]
    assert said(heard, ReportKind.CANCELLED) + said(heard, ReportKind.REJECTED) == []


async def test_inactive_is_no_end(fake, open_broker):
    broker, heard = await open_broker()
    _waits, theirs = await resting(fake, broker)
    fake._publish(theirs, lambda session: fake._send_status(session, theirs, "Inactive"))
    book = await broker.book(None)
    assert [o.status for o in book.orders] == ["open"]
    assert said(heard, ReportKind.CANCELLED) + said(heard, ReportKind.REJECTED) == []


async def test_an_order_names_contract_exchange_currency_account_and_tif(fake, open_broker):
    broker, _ = await open_broker()
    await resting(fake, broker)
    (sent,) = fake.messages("placeOrder", "in")
    assert {str(fake.inst("SPY").con_id), "SMART", "USD", ACCOUNT, "DAY"} <= set(sent)


async def test_an_execution_nobody_can_read_lets_the_books_be_compared_again(open_broker):
    broker, heard = await open_broker()
    await compared(broker)
    before = broker.connection
    odd = Execution(execId="1.1.1", side="SHORT", acctNumber=ACCOUNT, shares=1.0, price=1.0)
    fill = Fill(Stock("SPY"), odd, CommissionReport(), datetime(2026, 1, 5, 15, tzinfo=UTC))
    broker._gateway.ib.execDetailsEvent.emit(None, fill)
    assert broker.connection > before
    assert heard == []


async def test_cash_is_known_to_the_executions_that_it_may_lag(fake, open_broker):
    broker, _ = await open_broker()
    broker.place(order(10, await compared(broker)))
    await until(lambda: fake.truth().net("SPY") == 10, 30)
    book = await broker.book(None)
    least, most = book.cash_between
    spent = sum(abs(f.quantity) * f.price for f in book.executions)
    assert most == book.cash + D("0.01")
    assert book.cash - spent - 10 < least < book.cash - spent


async def test_nobody_there_is_said_and_not_guessed(fake, open_broker):
    broker, _ = await open_broker()
    await fake.stop()
    await until(lambda: not broker.connected, 30)
    for ask in (broker.book(None), broker.next_oid()):
        with pytest.raises(BrokerUnavailable, match="no gateway at"):
            await ask
    await asyncio.sleep(0)


class Hasty(SystemClock):
    """A clock on which five minutes of being gone are a third of a second."""

    def mono(self):
        return super().mono() * 1000


async def test_a_person_is_wanted_while_no_gateway_has_its_servers(fake, open_broker):
    broker, _ = await open_broker(clock=Hasty())
    await until(lambda: broker.alarm == "", 30)
    fake.connectivity_lost()
    fake.drop(7)
    await fake.stop()
    assert isinstance(broker, Alarming)
    await until(lambda: "no gateway with its servers for 300 seconds" in broker.alarm, 30)


async def test_the_gateway_takes_and_fills_each_of_them(fake, open_broker):
    now = datetime.now(UTC)
    hours = Session(now.date(), now - timedelta(hours=1), now + timedelta(hours=6))
    today, way = Calendar("TODAY", "UTC", [hours]), ["market"]

    def route(order, sent, moment):
        return of_rebalance(order, sent, moment, routing=Routing(way[0]), calendar=today)

    broker, heard = await open_broker(route=route)
    first = await compared(broker)
    for oid, way[0] in enumerate(("market", "adaptive", "twap", "vwap", "moc"), first):
        broker.place(replace(sending(f"RID.{oid}", 10, oid), source="rebalance"))
    way[0] = "twap"
    limited = replace(sending("RID.9", 10, first + 5, limit=D(10_000)), source="rebalance")
    broker.place(limited)
    await broker.settle()
    await until(lambda: fake.truth().net("SPY") == 50, 30)
    assert fake.order(ref=f"TM1.RID.{first + 4}").filled == 0  # it waits for the auction
    fake.close_auction()
    await until(
        lambda: (
            sum(r.quantity for r in heard if isinstance(r, RecordFill) and r.revision % 2) == 60
        ),
        30,
    )

    sent = [fake.order(perm_id=r.perm_id) for r in fake.received]
    assert [o.type for o in sent] == ["MKT", "MKT", "MKT", "MKT", "MOC", "LMT"]
    assert [o.algo for o in sent] == ["", "Adaptive", "Twap", "Vwap", "", ""]
    assert {(o.tif, o.account) for o in sent} == {("DAY", ACCOUNT)}
    assert not said(heard, ReportKind.REJECTED)


def test_a_tick_is_that_of_the_prices_band():
    bands = ((D(0), D("0.0001")), (D(1), D("0.01")))
    assert [tick_at(bands, D(p)) for p in ("0.5", "1", "20")] == [D("0.0001"), D("0.01"), D("0.01")]
