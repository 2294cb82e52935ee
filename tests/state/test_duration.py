from datetime import timedelta

import pytest

from state.duration import Bars, NotADuration, duration, seconds, staleness


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("45", timedelta(seconds=45)),
        ("90s", timedelta(seconds=90)),
        (" 15m ", timedelta(minutes=15)),
        ("2 h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_a_duration_is_a_whole_number_and_a_unit(text, span):
    assert duration(text) == staleness(text) == span
    assert seconds(text) == span.total_seconds()


@pytest.mark.parametrize(
    ("text", "bars", "said"),
    [("1 bar", 1, "1 bar"), ("2 bars", 2, "2 bars"), ("3bars", 3, "3 bars")],
)
def test_staleness_may_be_counted_in_bars(text, bars, said):
    assert staleness(text) == Bars(bars)
    assert str(staleness(text)) == said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write a whole number and a unit"),
        ("soon", "write a whole number and a unit"),
        ("1.5h", "write a whole number and a unit"),
        ("-5m", "write a whole number and a unit"),
        ("5 weeks", "write a whole number and a unit"),
        ("٣m", "write a whole number and a unit"),
        ("9999999999s", "write a whole number and a unit"),
        ("0m", "more than nothing"),
        ("0 bars", "more than nothing"),
        ("3651d", "at most 3650 days"),
    ],
)
def test_what_is_no_duration_is_named_with_what_to_write(text, why):
    with pytest.raises(NotADuration, match=why) as raised:
        staleness(text)
    assert raised.value.text == text
    assert repr(text) in str(raised.value)


def test_a_plain_duration_is_not_counted_in_bars():
    with pytest.raises(NotADuration, match="bars are no fixed time"):
        duration("2 bars")
