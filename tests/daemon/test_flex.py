"""A Flex statement is read whole, exactly, or not at all."""

from datetime import date, datetime
from decimal import Decimal as D
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daemon.flex import StatementRefused, read
from state.command import RecordFill

TEXT = (Path(__file__).parent / "statement.xml").read_text()
NEW_YORK = ZoneInfo("America/New_York")


def test_executions_are_those_the_gateway_would_have_reported():
    bought, sold = read(TEXT, "DU1234567", "USD").executions

    at = datetime(2022, 1, 4, 10, 30, tzinfo=NEW_YORK)
    assert bought == RecordFill(
        "0000e0d5.61d4.01", "RID.0", "KO", D(10), D(51), D(1), at, revision=3
    )
    assert (sold.order_id, sold.quantity, sold.fee) == ("EXT.902", D(-4), D("0.35"))
    assert sold.revision == 5


def test_cash_is_what_the_statement_calls_it_oldest_first():
    movements = read(TEXT, "DU1234567", "USD").movements

    assert [(one.ref, one.kind, one.amount) for one in movements] == [
        ("71", "dividend", D("120.5")),
        ("72", "dividend", D("-18.08")),
        ("73", "deposit", D(5000)),
        ("74", "adjustment", D(-10)),
    ]
    assert sum(one.amount for one in movements) == D("5092.42")  # its own summary


def test_period_and_corporate_actions_are_named():
    statement = read(TEXT, "DU1234567", "USD")
    assert (statement.start, statement.end) == (date(2022, 1, 3), date(2022, 1, 5))
    (split,) = statement.actions
    assert (split.kind, split.symbol, split.ref, split.quantity) == ("FS", "PG", "81", 250)
    assert split.at.isoformat() == "2022-01-04T20:25:00-05:00"
    assert split.ratio == (2, 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("DU1234567", "DU7654321"), "of account DU7654321, and this daemon trades DU1234567"),
        (('currency="USD" symbol="KO" description', 'currency="EUR" symbol="KO" description'),
         "is in EUR, and the book is kept in USD"),
        (('ibCommissionCurrency="USD"', 'ibCommissionCurrency="EUR"'), "charged in EUR, not"),
        (('assetCategory="STK"', 'assetCategory="OPT"'), "a trade of OPT"),
        (('ibExecID="0000e0d5.61d4.01.01"', ""), "has no ibExecID"),
        (('ibExecID="0000e0d5.61d4.01.01"', 'ibExecID="x"'), "does not end in .REVISION"),
        (('buySell="BUY"', 'buySell="BUY (Ca.)"'), "not BUY or SELL"),
        (('tradePrice="51"', 'tradePrice="NaN"'), "is no amount"),
        (('dateTime="20220104;103000"', 'dateTime="yesterday"'), "is no time"),
        (("CASH RECEIPTS", "x" * 1001), "longer than 1,000 or unprintable"),
        (("CASH RECEIPTS", "&#x202e;"), "longer than 1,000 or unprintable"),
        (("</FlexQueryResponse>", ""), "no XML"),
        (("FlexStatement accountId", "Other accountId"), "no XML"),
        (("<FlexQueryResponse", "<!DOCTYPE x [<!ENTITY a 'b'>]><FlexQueryResponse"),
         "document type"),
    ],
)  # fmt: skip
def test_what_is_not_this_accounts_statement_is_refused_and_says_what_to_do(change, why):
    with pytest.raises(StatementRefused, match="^.*" + why.replace("(", r"\(")) as refused:
        read(TEXT.replace(*change), "DU1234567", "USD")
    assert refused.value.hint


def test_two_statements_in_one_file_are_refused():
    head = '<FlexStatement accountId="DU1234567" fromDate="20220103" toDate="20220105" />'
    with pytest.raises(StatementRefused, match="2 statements"):
        read(TEXT.replace("</FlexStatements>", head + "</FlexStatements>"), "DU1234567", "USD")
