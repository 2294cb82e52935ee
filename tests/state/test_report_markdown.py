"""The report as people read it."""

from datetime import timedelta
from decimal import Decimal as D

import pytest

from state.event import CashMoved, Halted
from state.period import Period
from state.report import report
from state.report_markdown import cell, markdown
from state.report_tables import money, percent
from tests.state.story import AT_MONDAY, FIRST, MONDAY, STORY, TUESDAY, WEDNESDAY, bars, recorded


def printed(events=STORY, benchmark=None):
    return markdown(report(recorded(events), Period(), benchmark, "S&P 500"))


def test_the_whole_story():
    text = printed(benchmark={MONDAY: 100.0, TUESDAY: 101.0, WEDNESDAY: 103.02})
    lines = text.splitlines()

    assert lines[0] == "# Report: 2022-01-03 to 2022-01-05, 3 sessions"
    assert lines[2].startswith("Account DEMO, paper, strategy inverse_volatility, in USD.")
    for line in (
        "| Equity at the end | 15,262.00 |",
        "| Profit | 262.00 |",
        "| Return, time-weighted | 1.94% |",
        "| Largest position | 51.70% KO, 2022-01-04 |",
        "| orders filled | 3 |",
        "| denied: ORDER_NOTIONAL | 1 |",
        "| refused: NO_TARGETS | 1 |",
        "| Slippage | 69.1 bps |",
        "| Profit factor | - |",
        "| Return of S&P 500 | 3.02% |",
        "| KO | 60 | 3,240.00 | 21.23% | 258.00 | 2.00 | 7,220.00 | 2 |",
        "| symbol:XOM | 2022-01-04 21:00 | 2022-01-05 17:00 | odd prices | ops |",
        "| 2022-01-04 21:00 | deposit | 5,000.00 | savings |",
        "| 2022 | 1.9% |" + " - |" * 11,
    ):
        assert line in lines
    assert text.endswith("|\n")


def test_the_same_report_is_the_same_text():
    assert printed() == printed()


def test_parts_without_anything_to_say_are_left_out():
    text = printed()

    assert "## Against the benchmark" not in text
    assert "## Deepest falls" not in text


def test_a_fall_not_made_good_and_a_halt_in_force_say_so():
    halted = Halted("account", "drill", "TRADING_HALTED", "ops", AT_MONDAY)
    down = bars(TUESDAY, 9_000, 9_000, KO=50)
    text = printed([*FIRST, halted, down])

    assert "| 2022-01-03 | 2022-01-04 | not yet | 10.00% | 1 |" in text
    assert "| account | 2022-01-03 21:00 | in force | drill | ops |" in text


def test_an_empty_journal_is_a_short_report():
    text = printed([])

    assert text.startswith("# Report: no session\n")
    assert "- no session closed in this period" in text
    assert "| Largest position | - |" in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a | b", "a \\| b"),
        ("two\nlines\r\nmore", "two lines more"),
        ("back\\|slash", "back\\\\\\|slash"),
    ],
)
def test_what_people_write_cannot_break_a_table(text, safe):
    assert cell(text) == safe
    reason = [*FIRST, CashMoved("deposit", D(1), text, AT_MONDAY),
              bars(MONDAY + timedelta(days=1), 10_001, 10_001, KO=50)]  # fmt: skip
    assert f"| 2022-01-03 21:00 | deposit | 1.00 | {safe} |" in printed(reason).splitlines()


def test_nothing_is_negative_nothing():
    assert (money(D("-0.001")), percent(-0.000001)) == ("0.00", "0.00%")
    assert (money(None), percent(None)) == ("-", "-")
