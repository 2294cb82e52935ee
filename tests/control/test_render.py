"""Reply data as people read it."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.render import Ink, count, facts, money, number, percent, rounded, table, width

PLAIN, COLOUR = Ink(), Ink(colour=True)


def test_columns_line_up_numbers_to_the_right():
    rows = [("AAPL", "1,200", "3.9 %"), ("KO", "7", "12.4 %")]
    assert table(("symbol", "quantity", "weight"), rows, PLAIN).splitlines() == [
        "symbol  quantity  weight",
        "AAPL       1,200   3.9 %",
        "KO             7  12.4 %",
    ]


def test_colour_changes_no_column():
    rows = [(PLAIN.styled("live", "red"), "1"), ("filled", "22")]
    inked = [(COLOUR.styled("live", "red"), "1"), (COLOUR.styled("filled", "green"), "22")]
    plain = table(("status", "n"), rows, PLAIN).splitlines()
    coloured = table(("status", "n"), inked, COLOUR).splitlines()
    assert [width(line) for line in coloured] == [len(line) for line in plain]
    assert "\x1b[31mlive\x1b[0m" in coloured[1]


def test_an_empty_table_says_none():
    assert table(("a",), [], PLAIN) == "none"


def test_facts_without_a_value_are_left_out():
    assert facts([("mode", "replay"), ("plan", ""), ("equity", "1")]) == "mode    replay\nequity  1"


def test_times_are_the_markets_in_summer_and_winter():
    assert PLAIN.when("2022-12-28T21:00:00Z") == "2022-12-28 16:00:00 EST"
    assert PLAIN.when("2022-06-28T20:00:00Z") == "2022-06-28 16:00:00 EDT"
    assert Ink(zone="Europe/London").when("2022-06-28T20:00:00Z") == "2022-06-28 21:00:00 BST"
    assert PLAIN.when(None) == "-"


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (money("1234567.5"), "1,234,567.50"),
        (money("-0.000001"), "-0.000001"),
        (money("1E+3"), "1,000.00"),
        (money(None), "-"),
        (rounded("126.045"), "126.04"),
        (rounded(None), "-"),
        (count("1200"), "1,200"),
        (count("0.500"), "0.500"),
        (count("1E+3"), "1,000"),
        (percent(0.12345), "12.35 %"),
        (percent(-0.5, 0), "-50 %"),
        (percent(None), "-"),
        (number(1.005), "1.00"),
        (number(None), "-"),
    ],
)
def test_numbers_read_as_people_write_them(shown, text):
    assert shown == text


@given(st.decimals(-(10**12), 10**12, places=6))
def test_money_is_shown_exactly(value):
    assert D(money(str(value)).replace(",", "")) == value
