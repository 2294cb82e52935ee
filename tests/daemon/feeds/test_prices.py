from datetime import date
from decimal import ROUND_HALF_EVEN
from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.feeds.prices import MISSING, ODD, PriceFileInvalid, PriceTable, in_micros
from state.quote import Bar

MICRO = D("0.000001")


def micros(*texts):
    values, odd = in_micros(np.array(texts, dtype=np.float64), texts.__getitem__)
    return values.tolist(), odd


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("129.652", 129_652_000),
        ("0.098", 98_000),
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("0.0000025", 2),
        ("1.00000050000000000000000000001", 1_000_001),
        ("8999999999999.999999", 8_999_999_999_999_999_999),
        ("-3", -3_000_000),
        ("1e3", 1_000_000_000),
    ],
)
def test_texts_become_whole_micros_rounded_half_even(text, whole):
    assert micros(text) == ([whole], {})


@given(st.decimals("-9e12", "9e12", allow_nan=False, places=9) | st.decimals("0", "1e7", places=7))
@example(D("2147483.6474995"))
@example(D("1000000.0000005"))
def test_no_text_is_rounded_other_than_exactly(value):
    expected = int(value.quantize(MICRO, rounding=ROUND_HALF_EVEN).scaleb(6))

    assert micros(str(value)) == ([expected], {})


@given(st.floats(0, 1e10))
def test_a_float_is_what_it_prints_as(value):
    expected = int(D(repr(value)).quantize(MICRO, rounding=ROUND_HALF_EVEN).scaleb(6))

    assert in_micros(np.array([value]), lambda i: repr(value))[0].tolist() == [expected]


def test_what_no_price_can_be_is_kept_aside():
    values, odd = micros("1", "nan", "inf", "1e13", "-inf")

    assert values == [1_000_000, ODD, ODD, ODD, ODD]
    assert odd[1].is_nan()
    assert (odd[2], odd[3], odd[4]) == (D("Infinity"), D("1e13"), D("-Infinity"))


def test_a_table_makes_bars_when_asked():
    day = date(2021, 11, 1)
    close = np.array([[1_500_000, MISSING, ODD]])
    table = PriceTable(
        "x", [day], [2], ("KO", "PEP", "GE"), close, odd={("close", 0, 2): D("Infinity")}
    )

    assert table.bars(0) == (Bar("KO", D("1.5")), Bar("GE", D("Infinity")))


def test_a_table_of_ranges_makes_whole_bars():
    day = date(2021, 11, 1)
    one = PriceTable(
        "x", [day], [2], ("KO",),
        close=np.array([[2_000_000]]), open=np.array([[1_000_000]]), high=np.array([[3_000_000]]),
        low=np.array([[MISSING]]), volume=np.array([[ODD]]), odd={("volume", 0, 0): D("1e13")},
    )  # fmt: skip

    assert one.bars(0) == (Bar("KO", D(2), D(1), D(3), None, D("1e13")),)


def test_an_invalid_file_says_where():
    assert str(PriceFileInvalid("my.csv", "no prices", 7)) == "my.csv, row 7: no prices"
    assert str(PriceFileInvalid("my.csv", "no prices")) == "my.csv: no prices"
