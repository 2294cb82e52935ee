"""The recording broker: the proof of what was asked, and of what was not."""

from decimal import Decimal as D

import pytest

from daemon.brokers.recording import AskedBack, BookRead, CashSent, Placed, RecordingBroker
from daemon.seams import BrokerBook, BrokerUnavailable
from tests.daemon.brokers.paper_market import TUESDAY, close, order, paper_broker

pytestmark = pytest.mark.asyncio


async def test_every_call_is_kept_in_order():
    broker = RecordingBroker()
    broker.place(order(1, 10))
    broker.cancel(order(1, 10))
    broker.move_cash("d1", D(5))
    await broker.book(None)
    assert broker.calls == [
        Placed(order(1, 10)),
        AskedBack(order(1, 10)),
        CashSent("d1", D(5)),
        BookRead(None),
    ]
    assert broker.placed == broker.cancelled == [order(1, 10)]


async def test_reading_is_no_effect():
    broker = RecordingBroker()
    await broker.book(None)
    await broker.next_oid()
    await broker.on_close(close(TUESDAY, KO=50))
    await broker.settle()
    assert not broker.effects
    broker.cancel(order(1, 10))
    assert broker.effects


async def test_it_answers_what_it_is_given():
    broker = RecordingBroker()
    broker.answer = BrokerBook((), (), {"KO": D(3)}, D(100))
    assert await broker.book(None) == broker.answer


async def test_disconnected_it_does_not_say_flat():
    broker = RecordingBroker()
    broker.connected = False
    with pytest.raises(BrokerUnavailable):
        await broker.book(None)


async def test_in_front_of_a_broker_it_changes_nothing(tmp_path):
    told = []
    broker = RecordingBroker(await paper_broker(tmp_path / "paper.db", told=told))
    broker.place(order(1, 10))
    broker.move_cash("d1", D(5))
    await broker.on_close(close(TUESDAY, KO=50))
    book = await broker.book(None)
    assert (book.cash, book.positions) == (D(9_505), {"KO": D(10)})
    assert await broker.next_oid() == 2
    assert len(told) == 2
    assert broker.placed == [order(1, 10)]
    await broker.aclose()
    assert not broker.connected
