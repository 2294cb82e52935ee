from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.feeds.bar_check import Memory, Refusal, check, flaw_of
from state.quote import Bar, Close

MONDAY = date(2021, 11, 1)


def day(number):
    return MONDAY + timedelta(days=number)


def close(number, *bars):
    return Close(datetime.combine(day(number), time(20), UTC), day(number), bars)


def ko(price, number):
    return close(number, Bar("KO", D(str(price))))


def fed(*closes, max_jump=0.8, is_session=lambda day: True):
    """What was delivered of the closes, what was refused, and which levels shifted."""
    memory, delivered, refused, shifted = Memory(), [], Counter(), []
    for one in closes:
        checked = check(memory, one, max_jump=max_jump, is_session=is_session)
        memory = checked.memory
        refused.update(checked.refused)
        shifted += checked.shifted
        if checked.close is not None:
            delivered.append(checked.close)
    return delivered, dict(refused), shifted


def prices(closes):
    return [float(bar.close) for one in closes for bar in one.bars]


@pytest.mark.parametrize(
    ("bar", "flaw"),
    [
        pytest.param(Bar("KO", D("52.5")), None, id="a close alone is a bar"),
        pytest.param(Bar("KO", D("NaN")), Refusal.NAN, id="NaN"),
        pytest.param(Bar("KO", D("sNaN")), Refusal.NAN, id="a NaN that signals"),
        pytest.param(Bar("KO", D("Infinity")), Refusal.INFINITE, id="infinite"),
        pytest.param(Bar("KO", D("-Infinity")), Refusal.INFINITE, id="infinitely negative"),
        pytest.param(Bar("KO", D(0)), Refusal.NON_POSITIVE, id="zero"),
        pytest.param(Bar("KO", D(-1)), Refusal.NON_POSITIVE, id="negative"),
        pytest.param(Bar("KO", D("9e12") + 1), Refusal.TOO_LARGE, id="beyond the journal"),
        pytest.param(Bar("KO", D(2), D(1), D(3), D(1), D(0)), None, id="a whole bar, no volume"),
        pytest.param(Bar("KO", D(2), D(2), D(2), D(2), D(5)), None, id="a bar of one price"),
        pytest.param(Bar("KO", D(2), D(1), D(1), D(3)), Refusal.RANGE, id="high below low"),
        pytest.param(Bar("KO", D(4), D(2), D(3), D(1)), Refusal.RANGE, id="close above high"),
        pytest.param(Bar("KO", D("0.5"), D(2), D(3), D(1)), Refusal.RANGE, id="close below low"),
        pytest.param(Bar("KO", D(2), D(4), D(3), D(1)), Refusal.RANGE, id="open above high"),
        pytest.param(Bar("KO", D(2), None, D(1)), Refusal.RANGE, id="above a high without a low"),
        pytest.param(Bar("KO", D(2), low=D(3)), Refusal.RANGE, id="below a low without a high"),
        pytest.param(Bar("KO", D(2), D("NaN"), D(3), D(1)), Refusal.NAN, id="an open that is NaN"),
        pytest.param(Bar("KO", D(2), D(2), D(3), D(0)), Refusal.NON_POSITIVE, id="a low of zero"),
        pytest.param(Bar("KO", D(2), volume=D(-1)), Refusal.VOLUME, id="negative volume"),
        pytest.param(Bar("KO", D(2), volume=D("NaN")), Refusal.VOLUME, id="volume that is NaN"),
    ],
)
def test_a_bar_by_itself(bar, flaw):
    assert flaw_of(bar) is flaw
    assert fed(close(0, bar)) == (
        ([close(0, bar)], {}, []) if flaw is None else ([], {flaw: 1}, [])
    )


def test_bars_in_order_pass_untouched():
    closes = [close(n, Bar("KO", D(50 + n)), Bar("PEP", D(100))) for n in range(5)]

    assert fed(*closes) == (closes, {}, [])


def test_what_is_left_of_a_close_is_delivered():
    assert fed(close(0, Bar("KO", D("NaN")), Bar("PEP", D(100)))) == (
        [close(0, Bar("PEP", D(100)))],
        {Refusal.NAN: 1},
        [],
    )


def test_a_close_that_comes_late_is_refused_whole():
    late = close(1, Bar("KO", D(50)), Bar("NEW", D(7)))

    assert fed(ko(50, 0), ko(50, 2), late, ko(50, 3)) == (
        [ko(50, 0), ko(50, 2), ko(50, 3)],
        {Refusal.OUT_OF_ORDER: 2},
        [],
    )


def test_a_close_that_comes_twice_counts_once():
    assert fed(ko(50, 0), ko(51, 0), ko(52, 1)) == (
        [ko(50, 0), ko(52, 1)],
        {Refusal.DUPLICATE: 1},
        [],
    )


def test_a_symbol_twice_in_one_close_counts_once():
    assert fed(close(0, Bar("KO", D(50)), Bar("KO", D(51)))) == (
        [ko(50, 0)],
        {Refusal.DUPLICATE: 1},
        [],
    )


def test_a_symbol_may_follow_the_others_of_its_close():
    assert fed(ko(50, 0), close(0, Bar("PEP", D(100))))[1] == {}


def test_a_day_without_a_session_has_no_bars():
    assert fed(ko(50, 0), ko(51, 1), ko(52, 2), is_session=lambda d: d != day(1)) == (
        [ko(50, 0), ko(52, 2)],
        {Refusal.NOT_A_SESSION: 1},
        [],
    )


@pytest.mark.parametrize(
    ("after", "believed"),
    [
        pytest.param(180, True, id="up by the limit"),
        pytest.param("180.01", False, id="up by more"),
        pytest.param(20, True, id="down by the limit"),
        pytest.param("19.99", False, id="down by more"),
    ],
)
def test_the_largest_believable_move(after, believed):
    delivered, refused, _ = fed(ko(100, 0), ko(after, 1))

    assert len(delivered) == 1 + believed
    assert refused == ({} if believed else {Refusal.JUMP: 1})


def test_after_a_wild_price_the_last_good_one_stays_the_reference():
    delivered, refused, shifted = fed(ko(50, 0), ko(5000, 1), ko(51, 2), ko(5000, 3), ko(52, 4))

    assert prices(delivered) == [50, 51, 52]
    assert (refused, shifted) == ({Refusal.JUMP: 2}, [])


def test_a_level_that_shifted_for_good_is_believed_at_the_third_close_and_told():
    delivered, refused, shifted = fed(
        ko(500, 0), ko(50, 1), ko(51, 2), ko(50, 3), ko(52, 4), ko(49, 5)
    )

    assert prices(delivered) == [500, 50, 52, 49]
    assert (refused, shifted) == ({Refusal.JUMP: 2}, ["KO"])


def test_prices_that_agree_with_nothing_are_never_believed():
    wild = [ko(10 ** (2 + n % 7), n) for n in range(1, 30) if n % 7]
    delivered, refused, shifted = fed(ko(1, 0), *wild)

    assert prices(delivered) == [1]
    assert (refused, shifted) == ({Refusal.JUMP: len(wild)}, [])


def test_a_wild_price_said_three_times_at_one_close_is_said_once():
    delivered, refused, _ = fed(ko(50, 0), ko(5000, 1), ko(5000, 1), ko(5000, 1), ko(51, 2))

    assert prices(delivered) == [50, 51]
    assert refused == {Refusal.JUMP: 3}


def test_a_wild_price_can_be_corrected_at_its_own_close():
    assert prices(fed(ko(50, 0), ko(5000, 1), ko(51, 1), ko(52, 2))[0]) == [50, 51, 52]


numbers = st.sampled_from(
    [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D(0), D(-3), D("1e30")]
) | st.decimals("0.000001", "1000", places=6)
bars = st.builds(Bar, st.sampled_from(["KO", "PEP", "AAPL"]), numbers, *[st.none() | numbers] * 4)
feeds = st.lists(
    st.builds(lambda n, bars: close(n, *bars), st.integers(0, 12), st.lists(bars, max_size=4)),
    max_size=30,
)


@given(feeds, st.floats(0.01, 5))
@example([ko(50, 0), ko(50, 2), ko(50, 1)], 0.8)
def test_nothing_that_can_not_be_true_is_ever_delivered_and_all_of_it_is_counted(closes, max_jump):
    delivered, refused, shifted = fed(
        *closes, max_jump=max_jump, is_session=lambda d: d.weekday() < 5
    )

    last, times = {}, []
    for one in delivered:
        assert one.session.weekday() < 5
        times.append(one.at)
        for bar in one.bars:
            values = [x for x in (bar.close, bar.open, bar.high, bar.low) if x is not None]
            assert all(x.is_finite() and x > 0 for x in values)
            assert bar.high is None or bar.high == max(values)
            assert bar.low is None or bar.low == min(values)
            before = last.get(bar.symbol)
            assert before is None or before[0] < one.at
            if before is not None and bar.symbol not in shifted:
                assert abs(float(bar.close) / before[1] - 1) <= max_jump
            last[bar.symbol] = (one.at, float(bar.close))
    assert times == sorted(times)
    assert sum(refused.values()) + len(prices(delivered)) == len(
        [bar for one in closes for bar in one.bars]
    )
