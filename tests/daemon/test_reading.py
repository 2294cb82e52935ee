"""A frame's bytes to a request: strict and bounded."""

from datetime import UTC, datetime
from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.protocol import Asked, Events, Exit, Orders, Ping, encode
from daemon.reading import Unreadable, once, request_of
from state.command import Halt, MakePlan, MoveCash, Rebalance, SubmitOrder

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)


def refused(body):
    """What the client is told of a frame that is no request."""
    with pytest.raises(Unreadable) as e:
        request_of(body if isinstance(body, bytes) else body.encode())
    return e.value.exit, e.value.fault.code, e.value.fault.message


def sent(ask, **how):
    return encode(Asked(ask, **{"key": "k", **how}))


@pytest.mark.parametrize(
    "asked",
    [
        Asked(Ping()),
        Asked(Orders(open_only=True, since=NOON, limit=7)),
        Asked(Halt("drill", flatten=True), key="k", wait=2.5),
        Asked(SubmitOrder("sell", "KO", D("0.5"), D("60.25")), key="k"),
        Asked(Rebalance(("AAPL", "KO")), key="k", scheduled_for=NOON, max_lateness=60.0),
    ],
)
def test_a_request_comes_out_as_it_went_in(asked):
    assert request_of(encode(asked)) == asked


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("", "no request", id="nothing"),
        pytest.param("{", "no request", id="half an object"),
        pytest.param("[1]", "Expected `object`", id="no object"),
        pytest.param(b"\xff\xfe{}", "malformed", id="no JSON"),
        pytest.param(b'{"ask":{"op":"\xff"}}', "utf-8", id="no UTF-8"),
        pytest.param('{"ask":{"op":"fly"}}', "fly", id="an unknown command"),
        pytest.param('{"ask":{"op":"ping","x":1}}', "`x`", id="an unknown field of the command"),
        pytest.param('{"ask":{"op":"ping"},"x":1}', "`x`", id="an unknown field of the request"),
        pytest.param(
            '{"ask":{"op":"order","side":"buy"},"key":"k"}', "symbol", id="a field missing"
        ),
        pytest.param('{"ask":' * 100_000, "no request", id="nested deeply"),
        pytest.param('{"ask":{"op":"ping"},"wait":NaN}', "malformed", id="not a number"),
        pytest.param('{"ask":{"op":"ping"},"wait":1e999}', "out of range", id="beyond a float"),
        pytest.param('{"ask":{"op":"ping"},"wait":-Infinity}', "malformed", id="infinite"),
        pytest.param('{"ask":{"op":"ping"},"key":"a","key":"b"}', "twice", id="a key twice"),
        pytest.param(
            '{"ask":{"op":"order","side":"buy","symbol":"KO","quantity":"1","quantity":"1"},"key":"k"}',
            "'quantity' stands in one object twice",
            id="the same twice",
        ),
    ],
)
def test_what_is_no_request_is_a_usage_error_that_says_why(body, says):
    exit_, code, message = refused(body)
    assert (exit_, code) == (Exit.USAGE, "BAD_REQUEST")
    assert says in message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (sent(MoveCash("deposit", D("NaN"))), "NaN is not within ±9,000,000,000,000"),
        (sent(MoveCash("deposit", D("Infinity"))), "Infinity is not within"),
        (sent(MoveCash("deposit", D("1e999999"))), "1E+999999 is not within"),
        (sent(MoveCash("deposit", D("9000000000000.000001"))), "is not within"),
        (sent(MoveCash("deposit", D("0.0000001"))), "more than 6 decimals"),
        (sent(SubmitOrder("buy", "KO", D(1), D("1e-9"))), "limit_price = 1E-9 has more than 6"),
        (sent(Halt("x" * 1001)), "reason of 1,001 characters is longer than 1,000"),
        (sent(Halt("two\nlines")), "unprintable"),
        (sent(Rebalance(("KO",) * 1001)), "only of 1,001 items"),
        (sent(Rebalance(("K\x00",))), "unprintable"),
        (sent(MakePlan(ttl=0.5)), "ttl = 0.5 is not from 1 to"),
        (sent(Ping(), wait=-1.0), "wait = -1.0 is not from 0"),
        (sent(Ping(), wait=1e9), "wait = 1000000000.0 is not from 0 to 86,400"),
        (sent(Events(limit=0)), "limit = 0 is not from 1"),
        (sent(Ping(), max_lateness=-1.0), "max_lateness"),
        (sent(Halt("drill"), key=""), "1 to 200 printable"),
        (sent(Halt("drill"), key="k" * 201), "201 characters"),
        (sent(Halt("drill"), key="schlüssel"), "printable ASCII"),
        (sent(Halt("drill"), key=None), "needs a key"),
        (b'{"ask":{"op":"orders","since":"2022-01-01T00:00:00"}}', "names no time zone"),
    ],
)
def test_a_value_out_of_bounds_is_named_with_its_bound(body, says):
    exit_, code, message = refused(body)
    assert (exit_, code) == (Exit.INVALID, "INVALID_ARGUMENT")
    assert says in message


def test_the_largest_and_the_finest_amounts_pass():
    for amount in (D(9000000000000), D(-9000000000000), D("0.000001"), D("1e3"), D("1.10")):
        assert request_of(sent(MoveCash("deposit", amount))).ask.amount == amount


tables = st.recursive(
    st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), tables, min_size=1, max_size=4), st.data())
def test_a_key_that_stands_twice_is_found_wherever_it_stands(table, data):
    once(msgspec.json.encode({"inner": [table, table]}))

    key = data.draw(st.sampled_from(sorted(table)))
    again = msgspec.json.encode({key: 1})[:-1] + b"," + msgspec.json.encode(table)[1:]
    with pytest.raises(ValueError, match="twice"):
        once(b'{"inner":[' + again + b"]}")
