"""The paper broker, as its users see it: what it reports, what its book says, what survives."""

from decimal import Decimal as D

import pytest

from state.command import RecordFill, RecordStatus, ReportKind
from tests.daemon.brokers.paper_market import (
    LONG_AGO,
    TUESDAY,
    close,
    evening,
    order,
    paper_broker,
)

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.db"


async def test_a_bought_share_is_in_the_book_and_paid_for(path):
    told = []
    broker = await paper_broker(path, told=told)
    broker.place(order(1, 10))
    await broker.on_close(close(TUESDAY, KO=50))

    book = await broker.book(LONG_AGO)
    assert told == [
        RecordStatus("R1.0", ReportKind.ACCEPTED, "P1", D(0)),
        RecordFill("P1.1", "R1.0", "KO", D(10), D(50), D(0), evening(TUESDAY)),
    ]
    assert book.positions == {"KO": D(10)}
    assert book.cash == D(10_000) - 500
    assert [o.status for o in book.orders] == ["filled"]
    assert book.executions == (told[1],)
    await broker.aclose()
