"""Which splits of a statement are booked: those that lines, ratio, time and holdings agree on."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.corporate_actions import CorporateAction, splits, told
from state.event import Difference

AT = datetime(2026, 6, 10, 20, 25, tzinfo=UTC)
DAY = timedelta(days=1)


def line(said="KO SPLIT 2 FOR 1", quantity=100, **how):
    given = {"kind": "FS", "symbol": "KO", "ref": "81", "at": AT}
    return CorporateAction(
        said=said, quantity=None if quantity is None else D(quantity), **given | how
    )


def booked(*lines, ours=100, broker=200, last=None, began=AT - DAY):
    found = (Difference("KO", D(ours), D(broker)),)
    return [(one.new, one.old) for one in splits(lines, found, {"KO": last} if last else {}, began)]


def test_a_split_that_all_agree_on_is_booked():
    assert booked(line()) == [(2, 1)]
    assert booked(line("KO(US19) Split 3 for 2 (KO, CO)", 50), broker=150) == [(3, 2)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": 99},  # the broker's line says otherwise
        {"quantity": None},
        {"at": None},
        {"ref": ""},
        {"kind": "SD"},
        {"said": "KO SPLIT 3 FOR 1"},
        {"said": "KO SPLIT 2 FOR 0"},
        {"said": "KO SPLIT 2 FOR 1.5.2"},
        {"said": "KO SPLIT"},
        {"symbol": "PG"},
    ],
    ids=str,
)
def test_where_anything_disagrees_or_is_not_said_nothing_is_booked(wrong):
    assert booked(line(**wrong)) == []


def test_one_that_was_booked_or_is_from_before_the_book_is_over():
    assert booked(line(), last=AT + DAY) == []
    assert booked(line(), last=AT - DAY) == [(2, 1)]
    assert booked(line(), began=AT + DAY) == []


def test_one_that_was_booked_hides_no_later_one_of_the_same_ratio():
    lines = line(ref="80", at=AT - 9 * DAY, quantity=50), line()
    assert booked(*lines, last=AT - 8 * DAY, began=AT - 99 * DAY) == [(2, 1)]
    (split,) = splits(lines, (Difference("KO", D(100), D(200)),), {"KO": AT - DAY}, AT - 99 * DAY)
    first, second = told(lines, [split], [Difference("KO", D(100), D(200))])
    assert "nothing is to be booked" in first
    assert second.endswith(": booked")


def test_holdings_that_differ_by_more_are_left_to_a_person():
    assert booked(line(), broker=210) == []
    assert booked(line(), ours=0, broker=100) == []
    (word,) = told([line()], (), [Difference("KO", D(100), D(210))])
    assert "accept --as split:2:1" in word


@given(st.integers(1, 10_000), st.integers(1, 50), st.integers(1, 50))
def test_any_ratio_is_booked_when_and_only_when_the_broker_holds_it(held, new, old):
    after = held * new // old
    said = f"KO SPLIT {new} FOR {old}"
    exact = booked(line(said, after - held), ours=held, broker=after)
    assert exact == [(new, old)]
    assert booked(line(said, after - held), ours=held, broker=after + 1) == []
