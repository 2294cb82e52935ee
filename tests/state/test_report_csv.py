"""The report as a table: the same figures, and nothing that a spreadsheet would run."""

import csv
from datetime import date
from decimal import Decimal as D
from io import StringIO

import msgspec

from state.event import Halted
from state.period import Period
from state.report import report
from state.report_csv import HEAD, to_csv
from tests.state.story import AT_MONDAY, MONDAY, STORY, TUESDAY, WEDNESDAY, recorded

INDEX = {MONDAY: 100.0, TUESDAY: 101.0, WEDNESDAY: 103.02}


def table(events=STORY):
    told = report(recorded(events), Period(), INDEX, "S&P 500")
    head, *rows = csv.reader(StringIO(to_csv(told)))
    return told, tuple(head), rows


def test_every_figure_is_there_to_the_digit():
    told, head, rows = table()
    metrics = {field: value for section, _, field, value in rows if section == "metrics"}

    assert head == HEAD
    for name, value in msgspec.to_builtins(told.metrics).items():
        assert metrics[name] == ("" if value is None else str(value))


def test_totals_equal_the_reports_to_the_cent():
    told, _, rows = table()
    profits = [D(v) for section, _, field, v in rows if (section, field) == ("by_symbol", "profit")]

    assert sum(profits) + told.metrics.income == told.metrics.profit


def test_series_have_a_row_for_each_moment():
    told, _, rows = table()
    equity = [(item, value) for section, item, _, value in rows if section == "equity"]

    assert equity == [
        (at.isoformat().replace("+00:00", "Z"), str(value)) for at, value in told.equity
    ]
    assert [r for r in rows if r[0] == "weight" and r[2] == "KO"]
    assert [r for r in rows if r[0] == "benchmark.series"]


def test_a_reason_is_never_a_formula():
    bad = Halted("account", '=HYPERLINK("http://evil")', "MANUAL", "-2+3", AT_MONDAY)
    _, _, rows = table([*STORY, bad])
    cells = [value for row in rows for value in row]

    assert '\'=HYPERLINK("http://evil")' in cells
    assert "'-2+3" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@"))]


def test_regenerating_gives_identical_bytes():
    assert table()[2] == table()[2]
    assert date(2022, 1, 3).isoformat() in to_csv(table()[0])
