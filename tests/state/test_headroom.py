"""How near the account is to its limits, worked by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest

from state.event import Start
from state.headroom import Headroom, Meter, day_loss, equity, headroom, unpriced
from state.instrument import Instrument
from state.ledger import Ledger, Position
from state.quote import Mark
from state.settings import Execution, Limits
from state.snapshot import Day, Snapshot

CLOSE = datetime(2022, 12, 28, 21, tzinfo=UTC)
DAY = date(2022, 12, 28)


def book(limits=None, **fields):
    """Return 4,000 in cash, 100 KO at 80 and 20 XOM short at 100: worth 10,000."""
    start = Start(
        version="1",
        config_hash="",
        account="A",
        base_currency="USD",
        mode="paper",
        calendar="XNYS",
        strategy="s",
        instruments=(Instrument("KO"), Instrument("XOM")),
        limits=limits or Limits(),
        execution=Execution(),
    )
    known = {
        "start": start,
        "marks": {"KO": Mark(D(80), CLOSE, DAY, 1), "XOM": Mark(D(100), CLOSE, DAY, 1)},
        "ledger": Ledger(
            D(4000),
            {
                "KO": Position(D(100), D(7000)),
                "XOM": Position(D(-20), D(-2000)),
                "PEP": Position(realized=D(5)),
            },
        ),
        "day": Day(DAY, D(10_500), turnover=D(2_500), orders=7),
        "recent": (CLOSE - timedelta(seconds=90), CLOSE - timedelta(seconds=30)),
        "drawdown": 0.125,
    }
    return Snapshot(**{**known, **fields})


def measured(now):
    return {room.meter: room for room in headroom(now, CLOSE)}


@pytest.mark.parametrize(
    ("meter", "value", "used"),
    [
        (Meter.DRAWDOWN, 0.125, 0.5),
        (Meter.DAY_LOSS, 500 / 10_500, 500 / 10_500 / 0.05),
        (Meter.GROSS, 1.0, 1.0),
        (Meter.NET, 0.6, 0.6),
        (Meter.POSITION_WEIGHT, 0.8, 4.0),
        (Meter.DAY_TURNOVER, 2_500 / 10_500, 5_000 / 10_500),
        (Meter.DAY_ORDERS, 7, 7 / 500),
        (Meter.ORDER_RATE, 1, 1 / 60),
    ],
)
def test_each_limit_is_measured(meter, value, used):
    room = measured(book())[meter]

    assert (room.value, room.used) == (pytest.approx(value), pytest.approx(used))


def test_every_meter_is_a_limit_of_the_configuration_and_is_measured():
    assert set(measured(book())) == set(Meter)
    assert {str(meter) for meter in Meter} <= set(Limits.__struct_fields__)


def test_the_largest_holding_is_named_even_when_it_is_short():
    short = Ledger(D(10_000), {"KO": Position(D(-50), D(-4000))})

    assert measured(book(ledger=short))[Meter.POSITION_WEIGHT].subject == "KO"
    assert measured(book(ledger=short))[Meter.POSITION_WEIGHT].value == pytest.approx(4000 / 6000)


def test_a_gain_is_no_loss():
    assert day_loss(book(), D(11_000)) == 0.0


def test_an_empty_book_before_its_first_session_has_no_budgets_to_use():
    rooms = measured(book(ledger=Ledger(D(100)), day=None, recent=()))
    unknown = {Meter.DAY_LOSS, Meter.DAY_TURNOVER, Meter.DAY_ORDERS}

    assert {meter for meter, room in rooms.items() if room.value is None} == unknown
    assert {meter for meter, room in rooms.items() if room.used is None} == unknown
    assert {rooms[meter].why for meter in unknown} == {"no session has begun"}
    assert rooms[Meter.POSITION_WEIGHT].value == 0.0
    assert rooms[Meter.ORDER_RATE].value == 0.0


def test_a_session_that_began_with_nothing_has_no_loss_or_turnover_to_measure():
    rooms = measured(book(day=Day(DAY, D(0))))
    unknown = {Meter.DAY_LOSS, Meter.DAY_TURNOVER}

    assert {meter for meter, room in rooms.items() if room.value is None} == unknown
    assert {rooms[meter].why for meter in unknown} == {"the session began with an equity of 0"}


def test_the_first_investment_has_the_wider_limit_that_the_gate_gives_it():
    room = measured(book(day=Day(DAY, D(10_000), D(9_900), exempt=True)))[Meter.DAY_TURNOVER]

    assert (room.value, room.limit, room.exempt) == (0.99, 1.5, True)


@pytest.mark.parametrize(
    ("fields", "unknown", "why"),
    [
        pytest.param(
            {"marks": {"KO": Mark(D(80), CLOSE, DAY, 1)}},
            {Meter.DAY_LOSS, Meter.GROSS, Meter.NET, Meter.POSITION_WEIGHT},
            "no price for XOM",
            id="a holding has no price",
        ),
        pytest.param(
            {"ledger": Ledger(D(-5))},
            {Meter.GROSS, Meter.NET, Meter.POSITION_WEIGHT},
            "equity is -5",
            id="the account is in debt",
        ),
    ],
)
def test_what_needs_an_equity_is_unknown_without_one(fields, unknown, why):
    rooms = measured(book(**fields))

    assert {meter for meter, room in rooms.items() if room.value is None} == unknown
    assert {rooms[meter].why for meter in unknown} == {why}
    assert set(rooms) == set(Meter)


def test_a_holding_that_never_had_a_price_is_named_and_equity_is_unknown():
    now = book(marks={})

    assert (unpriced(now), equity(now)) == (("KO", "XOM"), None)
    assert (unpriced(book()), equity(book())) == ((), D(10_000))


def test_nothing_started_has_no_limits():
    assert headroom(Snapshot(), CLOSE) == ()


def test_of_a_limit_of_zero_anything_is_too_much():
    assert Headroom(Meter.NET, 0.1, 0.0).used == float("inf")
    assert Headroom(Meter.NET, 0.0, 0.0).used == 0.0
