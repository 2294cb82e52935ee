"""What the gateway says of orders beforehand: the real client over TCP, and never an order."""

import asyncio
import time
from collections import Counter
from decimal import Decimal as D
from itertools import product

import pytest
from ib_async import OrderState
from ib_async.util import UNSET_DOUBLE

from daemon.brokers.ib.broker import InteractiveBroker
from daemon.brokers.ib.gateway import Address
from daemon.brokers.ib.previewing import Previewer, number, preview
from daemon.clock import SystemClock
from daemon.seams import Previewing
from state.instrument import Instrument
from tests.ib.awaiting import until
from tests.ib.conftest import ACCOUNT
from tests.ib.gateway.server import FakeIBGateway
from tests.ib.sending import sending

LISTED = (Instrument("SPY"), Instrument("TLT"), Instrument("NESN", currency="CHF"))
ASKS = 9  # the client id of the questions


async def asking(fake, hear, limit=10.0, **how):
    """Return a broker on the fake, connected and compared."""
    broker = InteractiveBroker(
        Address("127.0.0.1", fake.port, 7, ACCOUNT),
        LISTED,
        "USD",
        listener=hear,
        clock=SystemClock(),
        chance=lambda: 0.0,
        patience=30.0,
        previewer=Previewer(Address("127.0.0.1", fake.port, ASKS, ACCOUNT), limit),
        **how,
    )
    await until(lambda: broker.connected, 30)
    await broker.book(None)
    return broker


@pytest.fixture
async def brokers(fake):
    """Make brokers on the fake; what each hears is in `heard`."""
    made, heard = [], []

    async def one(**how):
        made.append(await asking(fake, heard.append, **how))
        return made[-1]

    one.heard = heard
    yield one
    for broker in made:
        await broker.aclose()


def orders(*quantities, symbol="SPY"):
    """Orders as a plan has them: nobody gave them a number yet."""
    return [sending(f"{symbol}.{n}", q, None, symbol) for n, q in enumerate(quantities)]


def outcomes(fake):
    """How many of what arrived as placeOrder, by what became of it."""
    return Counter(received.outcome for received in fake.received)


def only_asked(fake, count):
    """Whether `count` questions came, no order, and the books still balance."""
    fake.check()
    return outcomes(fake) == {"whatif": count} and not fake.orders and not fake.executions


async def test_it_tells_commission_and_margins_of_each_and_places_nothing(fake, brokers):
    broker = await brokers()
    assert isinstance(broker, Previewing)
    told = await broker.preview([*orders(100, -50), *orders(10, symbol="TLT")])

    assert [(one.symbol, one.quantity) for one in told] == [
        ("SPY", D(100)),
        ("SPY", D(-50)),
        ("TLT", D(10)),
    ]
    assert not any(one.unknown for one in told)
    assert {one.commission_currency for one in told} == {"USD"}
    assert told[0].commission_least == told[0].commission_most == D(1)
    price = D(str(fake.inst("SPY").ask))
    assert abs(told[0].initial_margin - 50 * price) < 1
    assert abs(told[0].maintenance_margin - 25 * price) < 1
    assert told[0].equity_with_loan == D(999_999)
    assert only_asked(fake, 3)


async def test_a_range_of_commissions_and_a_warning_are_told(fake, brokers):
    broker = await brokers()
    fake.whatif_next("range")
    (told,) = await broker.preview(orders(1000))
    assert (told.commission_least, told.commission_most) == (D(5), D(10))
    assert told.warning == "TEST about half of it"


async def test_a_first_answer_without_numbers_is_not_taken_for_one(fake, brokers):
    broker = await brokers()
    fake.whatif_next("unset_first")
    (told,) = await broker.preview(orders(100))
    assert (told.commission_least, told.unknown) == (D(1), "")


async def test_its_numbers_use_up_none_of_an_order_and_no_answer_is_word_of_one(fake, brokers):
    broker = await brokers()
    first, connection = await broker.next_oid(), broker.connection
    await broker.preview(orders(100, 200, 300))

    assert await broker.next_oid() == first
    assert (broker.connected, broker.connection, brokers.heard) == (True, connection, [])
    assert {r.client_id for r in fake.received} == {ASKS}
    broker.place(sending("RID.0", 10, first))
    await broker.settle()
    await until(lambda: fake.truth().net("SPY") == 10, 30)
    assert outcomes(fake) == {"whatif": 3, "new": 1}
    assert [o.order_id for o in fake.orders] == [first]
    await broker.book(None)
    assert await broker.next_oid() == first + 1


async def test_a_refusal_says_the_gateways_reason_and_the_others_are_told(fake, brokers):
    broker = await brokers()
    fake.whatif_next("reject")
    told = await broker.preview(orders(100, 200))
    assert Counter(bool(one.unknown) for one in told) == {True: 1, False: 1}
    (why,) = [one.unknown for one in told if one.unknown]
    assert why == "not known, because 201: Order rejected - reason:TEST whatIf"
    assert all(one.commission_least is None for one in told if one.unknown)


async def test_one_that_is_never_answered_costs_the_others_nothing(fake, brokers):
    broker = await brokers(limit=1.0)
    fake.whatif_next("hang")
    began = time.monotonic()
    told = await broker.preview(orders(*range(1, 21)))
    assert time.monotonic() - began < 10
    lost = [one.unknown for one in told if one.unknown]
    assert lost == ["not known, because the gateway did not answer within 1 s"]
    assert broker.connected
    assert only_asked(fake, 20)


async def test_no_more_are_under_way_than_the_gateway_should_have(fake, brokers):
    broker = await brokers(limit=1.0)
    for _ in range(20):
        fake.whatif_next("hang")
    await broker.preview(orders(*range(1, 21)))
    assert only_asked(fake, 8)


@pytest.mark.parametrize("when", ["before", "mid", "after"])
async def test_a_line_cut_at_an_answer_loses_what_was_not_answered_and_no_order(
    fake, brokers, when
):
    broker = await brokers()
    fake.drop_on("openOrder", when, client_id=ASKS)
    told = await broker.preview(orders(100))
    (one,) = told
    assert bool(one.unknown) == (one.commission_least is None)
    assert one.unknown or when == "after"
    assert broker.connected
    assert only_asked(fake, 1)
    (again,) = await broker.preview(orders(100))
    assert again.commission_least == D(1)


async def cut_while_connecting(kind, when):
    """Ask at a gateway of its own whose line is cut there, and then once more."""
    async with FakeIBGateway() as fake:
        broker = await asking(fake, [].append, limit=3.0)
        cut = fake.drop_on(kind, when, how="fin")
        (told,) = await broker.preview(orders(100))
        assert cut.hits == 1, (kind, when)
        assert bool(told.unknown) == (told.commission_least is None)
        assert broker.connected
        fake.clear_faults()
        (again,) = await broker.preview(orders(100))
        assert again.commission_least == D(1), (kind, when)
        assert not fake.orders
        await broker.aclose()


async def test_a_line_cut_while_it_connects_costs_its_time_and_no_more():
    kinds = ("handshake", "managedAccounts", "nextValidId", "positionEnd")
    async with asyncio.TaskGroup() as tasks:  # most of them wait for the limit, all at once
        for kind, when in product(kinds, ("before", "mid", "after")):
            tasks.create_task(cut_while_connecting(kind, when))


async def test_a_line_cut_at_a_question_says_so(fake, brokers):
    broker = await brokers()
    fake.drop_before_accept(client_id=ASKS)
    (told,) = await broker.preview(orders(100))
    assert told.unknown.startswith("not known, because the gateway closed the connection")
    assert broker.connected
    assert not fake.orders


async def test_its_client_id_in_use_is_a_reason_and_not_waited_for(fake, brokers):
    broker = await brokers()
    fake.hold_client_id(ASKS)
    (told,) = await broker.preview(orders(100))
    assert f"client id {ASKS} is in use" in told.unknown
    assert not fake.received


async def test_a_gateway_that_accepts_and_never_answers_costs_its_time_and_no_more(fake, brokers):
    broker = await brokers(limit=0.5)
    fake.hang_handshake()
    (told,) = await broker.preview(orders(100))
    assert "did not answer within 0.5 s" in told.unknown


async def test_nobody_there_is_a_reason(fake, brokers):
    broker = await brokers()
    await fake.stop()
    (told,) = await broker.preview(orders(100))
    assert "not known, because no gateway at" in told.unknown


async def test_a_read_only_gateway_is_heard_at_once(fake, brokers):
    """Its refusal (321) is a warning to the library, which would wait for ever."""
    broker = await brokers(limit=30.0)
    fake.read_only = True
    began = time.monotonic()
    (told,) = await broker.preview(orders(100))
    assert "321: " in told.unknown
    assert "Read-Only" in told.unknown
    assert time.monotonic() - began < 15


async def test_read_only_asks_nothing(fake, brokers):
    broker = await brokers(read_only=True)
    (told,) = await broker.preview(orders(100))
    assert told.unknown == "not known, because ib.read_only is set, so nothing is sent"
    assert not fake.received


async def test_what_could_not_be_ordered_is_not_asked_about(fake, brokers):
    broker = await brokers()
    told = await broker.preview([*orders(100, symbol="NESN"), *orders(1, symbol="GE")])
    assert ["nothing here converts" in told[0].unknown, "universe" in told[1].unknown] == [True] * 2
    assert not fake.received


async def test_two_plans_at_once_are_asked_about_one_after_the_other(fake, brokers):
    broker = await brokers()
    both = await asyncio.gather(broker.preview(orders(100)), broker.preview(orders(200)))
    assert [one.unknown for told in both for one in told] == ["", ""]
    assert only_asked(fake, 2)


async def test_without_it_nothing_is_said(fake, brokers):
    broker = await brokers()
    broker._previewer = None
    assert await broker.preview(orders(100)) == ()
    assert not fake.received


@pytest.mark.parametrize("said", ["", "nan", "inf", UNSET_DOUBLE, str(UNSET_DOUBLE), "1e300", "x"])
def test_what_is_no_amount_is_not_known_and_never_zero(said):
    assert number(said) is None


def test_an_amount_is_exact():
    assert [number(said) for said in ("1234.56", 0.0, "-3")] == [D("1234.56"), D(0), D(-3)]


def test_an_answer_without_a_number_says_so():
    (one,) = orders(1)
    assert preview(one, OrderState(), "").unknown.endswith("the gateway answered without numbers")
