"""Exact arithmetic of money."""

from decimal import Decimal as D
from decimal import localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.instrument import LARGEST, AmountOutOfRange, Instrument, amount, money, ratio


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("1", "1.000000"),
        ("0.0000005", "0.000000"),
        ("0.0000015", "0.000002"),
        ("-0.0000015", "-0.000002"),
        ("0.1234565000000000000000000001", "0.123457"),
        ("9000000000000", "9000000000000.000000"),
    ],
)
def test_money_is_rounded_half_even_to_a_millionth(value, rounded):
    assert str(money(D(value))) == rounded


@pytest.mark.parametrize(
    "value", ["9000000000000.000001", "-9000000000001", "NaN", "Infinity", "sNaN"]
)
def test_money_that_the_journal_can_not_hold_is_refused(value):
    with pytest.raises(AmountOutOfRange, match=r"is outside ±9,000,000,000,000") as raised:
        money(D(value))
    assert str(raised.value.value) == str(D(value))


def test_amounts_do_not_depend_on_the_threads_decimal_context():
    with localcontext(prec=3):
        assert amount(D("1111.1111"), D("1.0001")) == D("1111.222211")
        assert ratio(D(1), D(3)) == 1 / 3


def test_an_amount_is_negative_for_a_sale():
    assert amount(D(-3), D("10.01")) == D("-30.03")


def test_there_is_no_ratio_to_zero():
    with pytest.raises(ZeroDivisionError, match="ratio of 5 to zero"):
        ratio(D(5), D(0))


@pytest.mark.parametrize(
    ("lot", "quantity", "whole"),
    [
        ("1", "10.9", "10"),
        ("1", "-10.9", "-10"),
        ("100", "250", "200"),
        ("0.001", "0.0299", "0.029"),
        ("0.3", "0.9", "0.9"),
        ("7", "6.999999", "0"),
    ],
)
def test_quantities_are_cut_to_whole_lots_toward_zero(lot, quantity, whole):
    assert Instrument("KO", lot=D(lot)).whole_lots(D(quantity)) == D(whole)


@given(st.decimals("0.000001", 1000, places=6), st.integers(-(10**6), 10**6))
def test_a_multiple_of_the_lot_is_whole(lot, count):
    assert Instrument("KO", lot=lot).whole_lots(lot * count) == lot * count


@pytest.mark.parametrize(
    ("tick", "price", "on"),
    [
        ("0.01", "50.01", True),
        ("0.01", "50.015", False),
        ("0.05", "50.10", True),
        ("0.05", "50.11", False),
    ],
)
def test_prices_move_in_ticks(tick, price, on):
    assert Instrument("KO", tick=D(tick)).on_tick(D(price)) is on


def test_the_largest_amount_fits_64_bits_of_micros():
    assert LARGEST * 10**6 < 2**63
