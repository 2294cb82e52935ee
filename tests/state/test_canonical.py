"""What an event is on disk: exact, the same for the same value, and readable for ever."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal as D
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from state.canonical import (
    EVENTS,
    ON_THE_WAY_IN,
    Undecodable,
    Unrepresentable,
    body_of,
    event_in,
    from_micros,
    instant,
    kind_of,
    mender,
    micros,
    microseconds,
    snapshot_in,
)
from state.denial import Denial
from state.event import BarsClosed, CashMoved, Event, Halted, OrderFilled, Started
from state.quote import Bar
from state.settings import Execution, Limits
from state.snapshot import Snapshot
from tests.facts import INT64, amounts, any_of, times
from tests.given import start

CLOSE = datetime(2025, 3, 3, 21, tzinfo=UTC)
MONDAY = date(2025, 3, 3)
FILL = OrderFilled("x.1", "R.0", "KO", D(-10), D("61.5"), D("0.01"), CLOSE, CLOSE)
BARS = BarsClosed(
    CLOSE, MONDAY, (Bar("KO", D("61.5")),), D(1000), D(-250), 1.25, 1, {"PG": 0.25, "KO": 1.0}
)


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_event_comes_back_as_it_was(kind, data):
    event = data.draw(any_of(kind))

    assert event_in(body_of(event)) == event


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(any_of(Snapshot))
def test_a_snapshot_comes_back_as_it_was(snapshot):
    assert snapshot_in(body_of(snapshot)) == snapshot


def test_every_kind_of_event_has_its_own_name_on_disk():
    assert len(EVENTS) == len(get_args(Event))
    assert {str(kind.__struct_config__.tag): kind for kind in get_args(Event)} == EVENTS
    assert kind_of(FILL) == "order_filled"


@pytest.mark.parametrize(
    ("event", "body"),
    [
        pytest.param(
            FILL,
            b'{"type":"order_filled","execution_id":"x.1","order_id":"R.0","symbol":"KO",'
            b'"quantity":-10000000,"price":61500000,"fee":10000,'
            b'"traded_at":"2025-03-03T21:00:00Z","at":"2025-03-03T21:00:00Z",'
            b'"revision":0}',
            id="amounts are integers of micros",
        ),
        pytest.param(
            BARS,
            b'{"type":"bars_closed","at":"2025-03-03T21:00:00Z","session":"2025-03-03",'
            b'"bars":[["KO",61500000,null,null,null,null]],"equity":1000000000,'
            b'"cash":-250000000,"gross":1.25,"net":1.0,"targets":{"PG":0.25,"KO":1.0},'
            b'"strategy":"","belief":null,"undecided":"","blend":null}',
            id="ratios are numbers, mappings keep their order",
        ),
        pytest.param(
            Halted("account", "drill \N{SNOWMAN}", "MANUAL", "ann", CLOSE),
            '{"type":"halted","scope":"account","reason":"drill \N{SNOWMAN}","code":"MANUAL",'
            '"actor":"ann","at":"2025-03-03T21:00:00Z"}'.encode(),
            id="text is UTF-8",
        ),
    ],
)
def test_the_bytes_are_these(event, body):
    """A journal is read for years: what changes these bytes needs a very good reason."""
    assert body_of(event) == body


def test_equal_amounts_have_equal_bytes_however_they_are_written():
    def body(amount: str) -> bytes:
        return body_of(CashMoved("deposit", D(amount), "", CLOSE))

    assert body("10") == body("10.000000") == body("1E+1") == body("010.0")
    assert body("0") == body("-0") == body("0E-6")


def test_amounts_come_back_with_six_decimals_as_money_has_them():
    assert str(event_in(body_of(FILL)).price) == "61.500000"


def test_a_time_elsewhere_is_the_same_instant_in_utc():
    tokyo = CLOSE.astimezone(timezone(timedelta(hours=9)))
    body = body_of(Halted("account", "", "", "", tokyo))

    assert b'"2025-03-03T21:00:00Z"' in body
    assert event_in(body).at == tokyo


def test_mappings_come_back_in_their_order():
    first, second = {"b": 1.0, "a": 2.0}, {"a": 2.0, "b": 1.0}
    for order in (first, second):
        event = msgspec.structs.replace(BARS, targets=order)
        assert list(event_in(body_of(event)).targets) == list(order)


def test_encoding_leaves_the_event_alone():
    before = msgspec.json.encode(BARS)
    body_of(BARS)
    assert msgspec.json.encode(BARS) == before


@given(amounts)
def test_micros_are_exact(amount):
    assert from_micros(micros(amount)) == amount


@given(times)
def test_times_are_exact_to_the_microsecond(at):
    assert instant(microseconds(at)) == at


@pytest.mark.parametrize(
    "amount",
    [
        pytest.param("0.0000001", id="finer than a millionth"),
        pytest.param("1.00000000000000000000000000001", id="finer, in more digits than a context"),
        pytest.param("9223372036854.775808", id="one micro past int64"),
        pytest.param("-9223372036854.775808", id="one micro past int64, owed"),
        pytest.param("1E+400", id="absurd"),
        pytest.param("NaN", id="not a number"),
        pytest.param("sNaN", id="not a number, signalling"),
        pytest.param("Infinity", id="infinite"),
    ],
)
def test_an_amount_without_an_exact_form_is_refused_by_value_and_place(amount):
    with pytest.raises(Unrepresentable) as refused:
        body_of(CashMoved("deposit", D(amount), "", CLOSE))

    assert str(D(amount)) in str(refused.value)
    assert refused.value.__notes__ == ["at 'amount' of a CashMoved"]


def test_the_largest_amounts_fit():
    assert micros(D("9223372036854.775807")) == INT64
    assert micros(D("-9223372036854.775807")) == -INT64


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused_anywhere(value):
    with pytest.raises(Unrepresentable):
        body_of(msgspec.structs.replace(BARS, gross=value))
    with pytest.raises(Unrepresentable):
        body_of(msgspec.structs.replace(BARS, targets={"KO": value}))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(Unrepresentable, match="no time zone"):
        body_of(Halted("account", "", "", "", CLOSE.replace(tzinfo=None)))


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(msgspec.structs.replace(FILL, price=61.5), id="a float for an amount"),
        pytest.param(msgspec.structs.replace(FILL, price=None), id="nothing for an amount"),
        pytest.param(msgspec.structs.replace(BARS, net=D(1)), id="an amount for a ratio"),
    ],
)
def test_what_the_type_checker_would_refuse_is_refused_here_too(event):
    with pytest.raises(TypeError):
        body_of(event)


def test_a_body_older_than_a_field_gets_its_default():
    body = b'{"type":"cash_moved","kind":"deposit","amount":5000000,"reason":"","at":"%s"}'

    assert event_in(body % b"2025-03-03T21:00:00Z") == CashMoved("deposit", D(5), "", CLOSE)


def test_a_default_amount_is_not_taken_for_micros():
    """The instrument's tick of 0.01, absent in the body, must stay 0.01."""
    run = start(limits=Limits(), execution=Execution())
    body = msgspec.json.decode(body_of(Started(run, CLOSE)))
    for instrument in body["start"]["instruments"]:
        del instrument["tick"]
    body["start"]["limits"] = body["start"]["execution"] = {}

    assert event_in(msgspec.json.encode(body)) == Started(run, CLOSE)


def test_a_shorter_row_gets_its_defaults():
    body = body_of(BARS).replace(b"null,null,null,null", b"null")

    assert event_in(body) == BARS


def test_what_a_newer_program_added_to_an_event_is_passed_over():
    body = body_of(FILL).replace(b"{", b'{"venue":"XNYS",', 1)

    assert event_in(body) == FILL


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"type":"from_the_future","at":"2025-03-03T21:00:00Z"}', id="unknown kind"),
        pytest.param(b'{"type":"halted"}', id="missing what has no default"),
        pytest.param(b'{"type":"cash_moved","kind":"deposit","amount":1.5}', id="amount no int"),
        pytest.param(b'{"type":"cash_moved","kind":"deposit","amount":"5"}', id="amount a string"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"at":', id="no JSON"),
        pytest.param(b"\xff", id="no text"),
    ],
)
def test_a_body_nobody_knows_is_said_to_be_one(body):
    with pytest.raises(Undecodable):
        event_in(body)
    with pytest.raises(Undecodable):
        snapshot_in(body.replace(b"type", b"orders"))


class Loose(msgspec.Struct):
    """A struct whose value could be anything."""

    value: Any


class Either(msgspec.Struct):
    """A struct whose value is of one of two kinds, both with amounts."""

    value: tuple[D, ...] | dict[str, D]


class Row(msgspec.Struct, array_like=True, tag=True):
    """A row that starts with its own name."""

    amount: D


@pytest.mark.parametrize("kind", [Loose, Either])
def test_a_type_without_one_exact_form_fails_when_the_program_starts(kind):
    with pytest.raises(TypeError, match="cannot be journaled"):
        mender(inspect.type_info(kind), ON_THE_WAY_IN)


def test_a_tagged_row_is_mended_behind_its_name():
    mend = mender(inspect.type_info(Row), ON_THE_WAY_IN)

    assert mend(["Row", D(2)]) == ["Row", 2_000_000]


def test_a_type_without_amounts_needs_no_mending():
    assert mender(inspect.type_info(Denial), ON_THE_WAY_IN) is None
