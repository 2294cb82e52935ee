from decimal import Decimal

import pytest
from ib_async import Order

from daemon.brokers.ib.executions import record
from daemon.brokers.ib.gateway import Address, Gateway
from daemon.brokers.ib.orders import contract, outgoing
from daemon.brokers.ib.recovery_reads import book
from daemon.seams import BrokerUnavailable
from state.instrument import Instrument
from tests.ib.awaiting import until
from tests.ib.conftest import ACCOUNT, by_letters
from tests.ib.gateway.server import FakeIBGateway
from tests.ib.sending import sending

ENDS = ["openOrderEnd", "completedOrdersEnd", "execDetailsEnd", "positionEnd", "accountDownloadEnd"]


def order(quantity, oid, limit=None):
    return sending(f"RID{oid}.0", quantity, oid, limit=limit)


def send(gateway, fake, one, account=ACCOUNT):
    listed = fake.inst("SPY")
    instrument = Instrument("SPY")
    sent = outgoing(one, instrument, account, "DAY")
    gateway.ib.placeOrder(contract(instrument, listed.con_id), sent)


async def test_the_book_of_a_new_connection_is_the_gateways_truth(fake, connections):
    first = connections()
    await first.connect()
    oid = first.ib.client.getReqId()
    send(first, fake, order(10, oid))
    send(first, fake, order(5, oid + 1, limit=Decimal("1.00")))
    await until(lambda: fake.truth().net("SPY") == 10 and fake.order(ref=f"TM1.RID{oid + 1}.0"))
    first.close("killed")

    second = connections()
    await second.connect()
    read = await book(second, by_letters)

    by_ref = {o.order_ref: o for o in read.orders}
    done, waits = by_ref[f"TM1.RID{oid}.0"], by_ref[f"TM1.RID{oid + 1}.0"]
    assert (done.status, done.quantity, done.filled) == ("filled", 10, 10)
    assert (waits.status, waits.quantity, waits.limit_price) == ("open", 5, Decimal("1.00"))
    assert read.positions == {"SPY": 10}
    assert sum(e.quantity for e in read.executions) == 10
    assert {e.order_id for e in read.executions} == {f"RID{oid}.0"}
    assert float(read.cash) == pytest.approx(fake.truth().cash["USD"], abs=0.01)
    assert fake.truth().duplicates() == {}


async def test_orders_that_have_no_permanent_id_yet_are_each_in_the_book(fake, connections):
    gateway = connections()
    await gateway.connect()
    oid = gateway.ib.client.getReqId()
    fake.numbers_late = True
    for n in range(3):
        send(gateway, fake, order(5, oid + n, limit=Decimal("1.00")))
    await until(lambda: len(fake.orders) == 3)
    names = {f"RID{oid + n}.0" for n in range(3)}
    early = (await book(gateway, by_letters)).orders
    assert {(o.order_id, o.broker_id, o.status) for o in early} == {(n, "", "open") for n in names}

    fake.numbers_late = False
    late = (await book(gateway, by_letters)).orders
    ids = {str(o.perm_id) for o in fake.truth().orders}
    assert len(ids) == 3
    assert ({o.order_id for o in late}, {o.broker_id for o in late}) == (names, ids)


async def test_what_somebody_else_has_not_sent_yet_is_not_in_the_book(fake, connections):
    gateway, other = connections(), Gateway(Address("127.0.0.1", fake.port, 8, ACCOUNT), 30.0)
    await gateway.connect()
    await other.connect()
    fake.numbers_late = True
    listed = fake.inst("SPY")
    theirs = Order(orderId=other.ib.client.getReqId(), action="BUY", totalQuantity=5.0)
    theirs.orderType, theirs.lmtPrice, theirs.tif, theirs.account = "LMT", 1.0, "DAY", ACCOUNT
    other.ib.placeOrder(contract(Instrument("SPY"), listed.con_id), theirs)
    await until(lambda: fake.orders)
    assert (await book(gateway, by_letters)).orders == ()

    fake.numbers_late = False
    (told,) = (await book(gateway, by_letters)).orders
    assert told.order_id == f"EXT.{fake.truth().orders[0].perm_id}"
    other.close("done")


async def test_the_highest_revision_of_an_execution_wins(fake, connections):
    gateway = connections()
    await gateway.connect()
    oid = gateway.ib.client.getReqId()
    send(gateway, fake, order(10, oid))
    await until(lambda: fake.truth().net("SPY") == 10)
    fake.correct(fake.truth().executions[0].exec_id, qty=4)

    highest = {}
    await until(lambda: len(gateway.ib.fills()) == 3)  # the client has the corrected one twice
    heard = [record(fill, by_letters) for fill in gateway.ib.fills()]
    for one in (*heard, *(await book(gateway, by_letters)).executions):
        known = highest.get(one.execution_id)
        if known is None or one.revision > known.revision:
            highest[one.execution_id] = one

    assert sum(e.quantity for e in highest.values()) == fake.truth().net("SPY") == 9


async def test_the_book_of_one_account_has_nothing_of_another():
    async with FakeIBGateway(accounts=(ACCOUNT, "DU7654321")) as two:
        gateway = Gateway(Address("127.0.0.1", two.port, 7, ACCOUNT), 30.0)
        try:
            await gateway.connect()
            oid = gateway.ib.client.getReqId()
            send(gateway, two, order(10, oid), "DU7654321")
            send(gateway, two, order(5, oid + 1, limit=Decimal("1.00")), "DU7654321")
            await until(lambda: two.truth("DU7654321").net("SPY") == 10, 30)
            read = await book(gateway, by_letters)
        finally:
            gateway.close("the test is over")
    assert (read.orders, read.executions, read.positions) == ((), (), {})


@pytest.mark.parametrize("end", ENDS)
async def test_a_list_without_its_end_is_no_book(fake, connections, end):
    gateway = connections(patience=0.5)
    await gateway.connect()
    fake.swallow(end)
    with pytest.raises(BrokerUnavailable, match="did not answer about"):
        await book(gateway, by_letters)
