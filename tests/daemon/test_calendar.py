import warnings
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.calendar import Calendar, CalendarUnknown, OutsideCalendar, Session, open_calendar
from state.moment import Moment

# exchange_calendars uses what the next version of pandas will not have
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NEW_YORK = ZoneInfo("America/New_York")
WALL = datetime(2025, 3, 3, 12, tzinfo=UTC)
XNYS = open_calendar("XNYS")


def reference(name="XNYS"):
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return exchange_calendars.get_calendar(name, start="1989-01-01", end="2035-12-31")


EXCHANGE = reference()


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def in_new_york(*parts):
    return datetime(*parts, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("day", "traded"),
    [
        pytest.param(date(2021, 11, 25), False, id="Thanksgiving"),
        pytest.param(date(2021, 11, 26), True, id="the half day after it"),
        pytest.param(date(2021, 3, 14), False, id="a Sunday on which clocks go forward"),
        pytest.param(date(2021, 11, 7), False, id="a Sunday on which clocks go back"),
        pytest.param(date(2001, 9, 10), True, id="the day before 9/11"),
        pytest.param(date(2001, 9, 11), False, id="9/11"),
        pytest.param(date(2001, 9, 14), False, id="the last day of the closure after 9/11"),
        pytest.param(date(2001, 9, 17), True, id="the day trading resumed after 9/11"),
        pytest.param(date(2012, 10, 26), True, id="the Friday before Sandy"),
        pytest.param(date(2012, 10, 29), False, id="the first day of Sandy"),
        pytest.param(date(2012, 10, 30), False, id="the second day of Sandy"),
        pytest.param(date(2012, 10, 31), True, id="the day after Sandy"),
        pytest.param(date(2022, 6, 20), False, id="Juneteenth, observed, new that year"),
        pytest.param(date(2021, 6, 18), True, id="a Friday that was not yet Juneteenth"),
        pytest.param(date(2018, 12, 5), False, id="a day of mourning"),
    ],
)
def test_sessions(day, traded):
    assert XNYS.is_session(day) is traded


@pytest.mark.parametrize(
    ("session", "opens", "closes"),
    [
        pytest.param(date(2021, 1, 4), (14, 30), (21, 0), id="winter"),
        pytest.param(date(2021, 7, 1), (13, 30), (20, 0), id="summer"),
        pytest.param(date(2021, 3, 12), (14, 30), (21, 0), id="the Friday before clocks change"),
        pytest.param(date(2021, 3, 15), (13, 30), (20, 0), id="the Monday after they changed"),
        pytest.param(date(2021, 11, 8), (14, 30), (21, 0), id="the Monday after they changed back"),
        pytest.param(date(2021, 11, 26), (14, 30), (18, 0), id="half a day after Thanksgiving"),
        pytest.param(date(2020, 12, 24), (14, 30), (18, 0), id="half a day before Christmas"),
    ],
)
def test_hours_in_utc(session, opens, closes):
    assert XNYS.open_of(session) == utc(session.year, session.month, session.day, *opens)
    assert XNYS.close_of(session) == utc(session.year, session.month, session.day, *closes)


def test_hours_are_those_of_new_york_all_year():
    for session in XNYS.sessions_between(date(1990, 1, 1), date(2022, 12, 31)):
        opens = XNYS.open_of(session).astimezone(NEW_YORK)
        closes = XNYS.close_of(session).astimezone(NEW_YORK)
        assert (opens.date(), closes.date()) == (session, session)
        assert f"{opens:%H:%M}" in ("09:30", "11:00"), session  # 11:00 after outages and mourning
        assert f"{closes:%H:%M}" in ("16:00", "13:00", "14:00"), session


def test_every_open_and_close_is_the_references():
    schedule = EXCHANGE.schedule
    days = [label.date() for label in schedule.index]

    assert XNYS.sessions_between(date(1989, 1, 1), date(2035, 12, 31)) == days
    assert [XNYS.open_of(day) for day in days] == schedule["open"].tolist()
    assert [XNYS.close_of(day) for day in days] == schedule["close"].tolist()


instants = st.builds(
    lambda seconds: utc(1990, 1, 3) + timedelta(seconds=seconds), st.floats(0, 45 * 365 * 86_400)
) | st.builds(
    # on the very edges, where an error would be
    lambda session, edge, off: getattr(XNYS, edge)(session) + timedelta(microseconds=off),
    st.sampled_from(XNYS.sessions_between(date(1990, 1, 3), date(2034, 12, 1))),
    st.sampled_from(["open_of", "close_of"]),
    st.sampled_from([-1, 0, 1]),
)


@given(instants)
def test_the_market_is_open_when_the_reference_says_so(at):
    assert XNYS.is_open(at) is EXCHANGE.is_open_at_time(pd.Timestamp(at), side="left")


@given(instants)
def test_an_order_for_the_next_session_trades_at_the_references_next_open(at):
    moment = XNYS.moment(at, WALL)

    target = EXCHANGE.next_open(pd.Timestamp(at)).to_pydatetime()
    assert moment.target == target.date()
    assert moment.session == EXCHANGE.previous_session(pd.Timestamp(moment.target)).date()


@given(instants, instants)
def test_open_minutes_are_the_references_minutes(one, other):
    start, end = sorted(at.replace(second=0, microsecond=0) for at in (one, other))
    end = min(end, start + timedelta(days=100))

    counted = len(
        EXCHANGE.minutes_in_range(pd.Timestamp(start), pd.Timestamp(end) - pd.Timedelta("1min"))
    )
    assert XNYS.open_minutes_between(start, end) == (counted if end > start else 0)


@given(instants, instants, instants)
def test_open_minutes_add_up_and_never_run_backwards(one, two, three):
    a, b, c = sorted((one, two, three))
    between = XNYS.open_minutes_between

    assert between(a, b) >= 0
    assert between(b, a) == -between(a, b)
    assert abs(between(a, b) + between(b, c) - between(a, c)) < 1e-6


@given(st.dates(date(1990, 2, 1), date(2034, 12, 1)))
def test_neighbours_of_any_day(day):
    label = pd.Timestamp(day)

    assert (
        XNYS.next_session(day)
        == EXCHANGE.date_to_session(label + pd.Timedelta("1D"), "next").date()
    )
    assert (
        XNYS.previous_session(day)
        == EXCHANGE.date_to_session(label - pd.Timedelta("1D"), "previous").date()
    )


@pytest.mark.parametrize(
    ("at", "session", "target", "market_open"),
    [
        pytest.param(
            in_new_york(2021, 11, 26, 9, 29),
            date(2021, 11, 24),
            date(2021, 11, 26),
            False,
            id="before the open an order is for this very session",
        ),
        pytest.param(
            in_new_york(2021, 11, 26, 9, 30),
            date(2021, 11, 26),
            date(2021, 11, 29),
            True,
            id="from the open on it is for the next",
        ),
        pytest.param(
            in_new_york(2021, 11, 26, 12, 59),
            date(2021, 11, 26),
            date(2021, 11, 29),
            True,
            id="a half day is open until one o'clock",
        ),
        pytest.param(
            in_new_york(2021, 11, 26, 13, 0),
            date(2021, 11, 26),
            date(2021, 11, 29),
            False,
            id="a half day closes at one o'clock",
        ),
        pytest.param(
            in_new_york(2021, 11, 28, 12, 0),
            date(2021, 11, 26),
            date(2021, 11, 29),
            False,
            id="a Sunday belongs to the session before it",
        ),
        pytest.param(
            in_new_york(2001, 9, 11, 9, 30),
            date(2001, 9, 10),
            date(2001, 9, 17),
            False,
            id="after 9/11 the next session is six days away",
        ),
    ],
)
def test_the_moment_of_an_order_for_the_next_session(at, session, target, market_open):
    at = at.astimezone(UTC)

    length = XNYS.close_of(session) - XNYS.open_of(session)

    assert XNYS.moment(at, WALL) == Moment(
        at, WALL, session, target, market_open, open_time=XNYS.open_time, bar=length
    )


def test_a_price_ages_while_the_market_is_open_and_not_over_night_or_a_weekend():
    friday, monday = XNYS.close_of(date(2021, 11, 19)), XNYS.open_of(date(2021, 11, 22))

    assert XNYS.open_time(friday, monday) == timedelta()
    assert XNYS.open_time(friday, monday + timedelta(minutes=15)) == timedelta(minutes=15)


def test_an_order_for_now_needs_an_open_market():
    opens, closes = XNYS.open_of(date(2021, 11, 26)), XNYS.close_of(date(2021, 11, 26))

    def target(at):
        return XNYS.moment(at, WALL, session_policy="now").target

    assert target(opens) == date(2021, 11, 26)
    assert target(closes - timedelta(seconds=1)) == date(2021, 11, 26)
    assert target(closes) is None
    assert target(opens - timedelta(seconds=1)) is None


@pytest.mark.parametrize("policy", ["next", "now"])
def test_no_order_has_a_session_once_the_feed_has_ended(policy):
    at = XNYS.open_of(date(2022, 12, 28))
    moment = XNYS.moment(at, WALL, session_policy=policy, feed_ended=True)

    assert (moment.target, moment.feed_ended) == (None, True)


def test_no_order_has_a_session_once_the_calendar_has_ended():
    closed = XNYS.close_of(XNYS.last)

    assert XNYS.moment(closed, WALL).target is None
    assert XNYS.moment(closed + timedelta(days=400), WALL).session == XNYS.last


def test_what_is_no_session_has_no_hours():
    with pytest.raises(OutsideCalendar, match="2021-11-25 is no session of XNYS"):
        XNYS.close_of(date(2021, 11, 25))
    with pytest.raises(OutsideCalendar):
        XNYS.session_of(utc(1950, 1, 3))


@pytest.mark.parametrize(
    ("session", "week", "month"),
    [
        pytest.param(date(2021, 11, 26), True, False, id="a half Friday ends its week"),
        pytest.param(date(2021, 11, 24), False, False, id="the Wednesday before it doesn't"),
        pytest.param(date(2021, 4, 1), True, False, id="a Thursday before Good Friday does"),
        pytest.param(date(2021, 11, 30), False, True, id="a Tuesday can end a month"),
        pytest.param(date(2021, 12, 31), True, True, id="New Year's Eve ends both"),
        pytest.param(date(2020, 12, 31), True, True, id="a Thursday before New Year does too"),
        pytest.param(date(2018, 12, 31), False, True, id="a week goes on over New Year"),
        pytest.param(date(2001, 9, 10), True, False, id="the only session of its week"),
    ],
)
def test_the_last_sessions_of_periods(session, week, month):
    assert XNYS.is_last_session_of_week(session) is week
    assert XNYS.is_last_session_of_month(session) is month
    assert XNYS.ends_period(session, "1d") is True
    assert XNYS.ends_period(session, "1w") is week
    assert XNYS.ends_period(session, "1mo") is month


@pytest.mark.parametrize("period", ["W", "M"])
def test_each_week_and_each_month_has_one_last_session(period):
    sessions = XNYS.sessions_between(date(1990, 1, 1), date(2022, 12, 31))
    ends = [day for day in sessions if XNYS.ends_period(day, {"W": "1w", "M": "1mo"}[period])]

    labels = pd.DatetimeIndex(sessions)
    assert ends == [
        days[-1].date()
        for days in labels.to_series().groupby(labels.to_period(period)).groups.values()
    ]


def test_periods_are_asked_of_sessions_only():
    with pytest.raises(OutsideCalendar):
        XNYS.ends_period(date(2021, 11, 27), "1d")


def test_counting_sessions():
    assert XNYS.session_after(date(2021, 11, 24), 2) == date(2021, 11, 29)
    assert XNYS.session_after(date(2021, 11, 29), -2) == date(2021, 11, 24)
    assert XNYS.session_after(XNYS.last, 1) is None
    assert XNYS.next_session(XNYS.last) is None
    assert XNYS.previous_session(XNYS.first) is None
    assert list(XNYS.sessions_between(date(2021, 11, 25), date(2021, 11, 28))) == [
        date(2021, 11, 26)
    ]


def test_a_lunch_break_is_closed_and_does_not_count():
    hong_kong = open_calendar("XHKG")
    session = date(2021, 11, 24)

    assert hong_kong.is_open(utc(2021, 11, 24, 3, 59))
    assert not hong_kong.is_open(utc(2021, 11, 24, 4, 0))
    assert hong_kong.is_open(utc(2021, 11, 24, 5, 0))
    assert hong_kong.open_minutes_between(
        hong_kong.open_of(session), hong_kong.close_of(session)
    ) == len(reference("XHKG").session_minutes(pd.Timestamp(session)))
    assert hong_kong.zone == "Asia/Hong_Kong"


def test_where_one_session_closes_as_the_next_opens_the_close_is_the_first_ones():
    always = open_calendar("24/7")
    at = always.close_of(date(2021, 11, 27))

    assert at == always.open_of(date(2021, 11, 28))
    assert always.is_open(at)
    assert always.moment(at, WALL).session == date(2021, 11, 27)
    assert always.moment(at, WALL).target == date(2021, 11, 28)
    assert always.moment(at, WALL, session_policy="now").target == date(2021, 11, 28)


def test_an_exchange_whose_rules_begin_late_is_covered_as_far_as_they_reach():
    tokyo = open_calendar("XTKS")

    assert tokyo.first.year == 1997
    assert tokyo.last.year == 2049


def test_an_unknown_calendar_is_named_beside_the_nearest():
    with pytest.raises(CalendarUnknown, match=r"'XNYZ'.*did you mean 'XN"):
        open_calendar("XNYZ")


def test_a_calendar_without_sessions_is_none():
    with pytest.raises(CalendarUnknown, match="no sessions"):
        Calendar("NONE", "UTC", [])


def test_a_calendar_of_ones_own():
    day = date(2021, 11, 26)
    only = Calendar("ONE", "UTC", [Session(day, utc(2021, 11, 26, 9), utc(2021, 11, 26, 17))])

    assert only.moment(utc(2021, 11, 26, 12), WALL) == Moment(
        utc(2021, 11, 26, 12),
        WALL,
        day,
        None,
        market_open=True,
        open_time=only.open_time,
        bar=timedelta(hours=8),
    )
