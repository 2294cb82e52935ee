"""Which sessions a report covers."""

from datetime import date

import pytest

from state.period import Period, UnknownPeriod

LAST = date(2022, 11, 9)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("1d", date(2022, 11, 9)),
        ("1w", date(2022, 11, 3)),
        ("mtd", date(2022, 11, 1)),
        ("qtd", date(2022, 10, 1)),
        ("ytd", date(2022, 1, 1)),
        ("all", None),
    ],
)
def test_a_named_period_ends_with_the_last_session(name, first):
    assert Period.named(name, None, None, LAST) == Period(first, None)
    assert Period.named(name, None, None, None) == Period()  # nothing ever closed


@pytest.mark.parametrize(
    ("day", "first"), [(date(2022, 3, 31), date(2022, 1, 1)), (date(2022, 4, 1), date(2022, 4, 1))]
)
def test_quarters_begin_in_january_april_july_and_october(day, first):
    assert Period.named("qtd", None, None, day).start == first


@pytest.mark.parametrize(
    ("start", "end", "period"),
    [
        ("2022-01-03", "2022-02-01", Period(date(2022, 1, 3), date(2022, 2, 1))),
        ("2022-01-03", None, Period(date(2022, 1, 3), None)),
        (None, "2022-02-01", Period(None, date(2022, 2, 1))),
        ("2022-01-03", "2022-01-03", Period(date(2022, 1, 3), date(2022, 1, 3))),
    ],
)
def test_dates_overrule_the_name(start, end, period):
    assert Period.named("mtd", start, end, LAST) == period


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("2w", None, None), "period '2w' is none of 1d, 1w, mtd, qtd, ytd, all"),
        (("all", "3 Jan", None), "'3 Jan' is not a date; write it as 2022-12-28"),
        (("all", "2022-02-01", "2022-01-01"), "begins on 2022-02-01, after its end on 2022-01-01"),
    ],
)
def test_what_is_no_period_is_refused_with_what_would_be(asked, why):
    with pytest.raises(UnknownPeriod, match=why):
        Period.named(*asked, LAST)
