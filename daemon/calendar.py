"""Sessions of an exchange: when it trades, and which session an order made now would trade in."""

import difflib
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, Literal

import msgspec

from state.moment import Moment

FIRST, LAST = date(1970, 1, 1), date(2049, 12, 31)  # exchange rules are projected to LAST


class CalendarUnknown(Exception):
    """No calendar of that name, or none that can be computed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"universe.calendar {name!r}: {reason}")
        self.name = name


class OutsideCalendar(ValueError):
    """A day or an instant that the calendar does not cover, or a day that is no session."""

    def __init__(self, name: str, what: object, first: date, last: date) -> None:
        super().__init__(f"{what} is no session of {name}, which covers {first} to {last}")


class Session(msgspec.Struct, frozen=True):
    """One trading day: open from `opens` until `closes` (UTC), but for a lunch break if any."""

    day: date
    opens: datetime
    closes: datetime
    rest: tuple[datetime, datetime] | None = None

    @property
    def minutes(self) -> float:
        """Return how long the market is open in all."""
        return self.minutes_until(self.closes)

    def minutes_until(self, at: datetime) -> float:
        """Return the minutes of open market between the open and `at`."""
        open_time = max(min(at, self.closes) - self.opens, timedelta())
        if self.rest is not None:
            start, end = self.rest
            open_time -= max(min(at, end) - start, timedelta())
        return open_time.total_seconds() / 60


class Calendar:
    """The sessions of one exchange, in order. The one place that knows when a market is open.

    Half days, holidays and daylight saving are in the sessions' own opens and closes. An instant
    at which one session closes and the next one opens belongs to the one that closes.
    """

    def __init__(self, name: str, zone: str, sessions: Sequence[Session]) -> None:
        if not sessions:
            raise CalendarUnknown(name, "it has no sessions in the years asked for")
        self.name = name
        self.zone = zone
        self.sessions = sessions
        self._days = [session.day for session in sessions]
        self._place = {day: i for i, day in enumerate(self._days)}
        self._opens = [session.opens for session in sessions]
        self._closes = [session.closes for session in sessions]
        self._minutes = [0.0, *accumulate(session.minutes for session in sessions)]

    @property
    def first(self) -> date:
        """Return the first session covered."""
        return self._days[0]

    @property
    def last(self) -> date:
        """Return the last session covered."""
        return self._days[-1]

    def is_session(self, day: date) -> bool:
        """Return whether the market trades on `day`, if only for half of it."""
        return day in self._place

    def open_of(self, session: date) -> datetime:
        """Return when `session` opens, UTC; raises OutsideCalendar on any other day."""
        return self._opens[self._index(session)]

    def close_of(self, session: date) -> datetime:
        """Return when `session` closes, UTC; raises OutsideCalendar on any other day."""
        return self._closes[self._index(session)]

    def session_of(self, at: datetime) -> date:
        """Return the session `at` belongs to: the last one begun, open or over."""
        return self._days[self._begun(at)]

    def is_open(self, at: datetime) -> bool:
        """Return whether the market trades at `at`: from the open on, no longer at the close."""
        i = bisect_right(self._opens, at) - 1
        if i < 0 or at >= self._closes[i]:
            return False
        rest = self.sessions[i].rest
        return rest is None or not rest[0] <= at < rest[1]

    def last_open(self, at: datetime) -> datetime:
        """Return the latest moment up to `at` at which the market traded, or just closed."""
        return at if self.is_open(at) else min(at, self.close_of(self.session_of(at)))

    def next_session(self, day: date) -> date | None:
        """Return the first session after `day`, which need not be one; None past the last."""
        i = bisect_right(self._days, day)
        return self._days[i] if i < len(self._days) else None

    def previous_session(self, day: date) -> date | None:
        """Return the last session before `day`, which need not be one; None before the first."""
        i = bisect_left(self._days, day)
        return self._days[i - 1] if i else None

    def sessions_between(self, start: date, end: date) -> Sequence[date]:
        """Return the sessions from `start` to `end`, both included."""
        return self._days[bisect_left(self._days, start) : bisect_right(self._days, end)]

    def session_after(self, session: date, count: int) -> date | None:
        """Return the session `count` sessions after (or before, if negative); None outside."""
        i = self._index(session) + count
        return self._days[i] if 0 <= i < len(self._days) else None

    def open_minutes_between(self, start: datetime, end: datetime) -> float:
        """Return the minutes of open market from `start` to `end`; negative when end is earlier."""
        return self._minutes_until(end) - self._minutes_until(start)

    def open_time(self, start: datetime, end: datetime) -> timedelta:
        """Return how long the market was open from `start` to `end`."""
        return timedelta(minutes=self.open_minutes_between(start, end))

    def is_last_session_of_week(self, session: date) -> bool:
        """Return whether no session of the same ISO week follows. Known in hindsight only."""
        after = self.next_session(session)
        return after is None or after.isocalendar()[:2] != session.isocalendar()[:2]

    def is_last_session_of_month(self, session: date) -> bool:
        """Return whether no session of the same month follows. Known in hindsight only."""
        after = self.next_session(session)
        return after is None or (after.year, after.month) != (session.year, session.month)

    def ends_period(self, session: date, period: Literal["1d", "1w", "1mo"]) -> bool:
        """Return whether `session` is the last of its day, week or month: rebalances are then."""
        self._index(session)
        match period:
            case "1d":
                return True
            case "1w":
                return self.is_last_session_of_week(session)
            case "1mo":
                return self.is_last_session_of_month(session)

    def moment(
        self,
        at: datetime,
        wall: datetime,
        *,
        session_policy: Literal["next", "now"] = "next",
        feed_ended: bool = False,
    ) -> Moment:
        """Return what a command is decided by.

        at      the market clock; raises OutsideCalendar before the calendar's first session
        target  with "next" the first session that opens after `at`; with "now" the one that is
                open; None when there is none, or when the feed has ended
        """
        i = self._begun(at)
        market_open = self.is_open(at)
        target: date | None = None
        if feed_ended:
            pass
        elif session_policy == "next":
            target = self._days[i + 1] if i + 1 < len(self._days) else None
        elif market_open:
            target = self._days[bisect_right(self._opens, at) - 1]
        return Moment(
            at,
            wall,
            self._days[i],
            target,
            market_open,
            feed_ended,
            self.open_time,
            timedelta(minutes=self.sessions[i].minutes),
        )

    def _index(self, session: date) -> int:
        try:
            return self._place[session]
        except KeyError:
            raise OutsideCalendar(self.name, session, self.first, self.last) from None

    def _begun(self, at: datetime) -> int:
        i = bisect_right(self._opens, at) - 1
        if i > 0 and self._closes[i - 1] == at:
            i -= 1
        if i < 0:
            raise OutsideCalendar(self.name, at, self.first, self.last)
        return i

    def _minutes_until(self, at: datetime) -> float:
        i = bisect_right(self._opens, at) - 1
        return self._minutes[i] + self.sessions[i].minutes_until(at) if i >= 0 else 0.0


def open_calendar(name: str, *, first: date = FIRST, last: date = LAST) -> Calendar:
    """Return the calendar that exchange_calendars knows as `name`, as far as it reaches.

    Takes about a second, most of it pandas. Raises CalendarUnknown. Sessions to come follow
    today's rules: a closure nobody has announced is not among them.
    """
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, about its next version
            known = _fitted(exchange_calendars.get_calendar, name, first, last)
    except InvalidCalendarName as e:
        names = exchange_calendars.get_calendar_names()
        near = difflib.get_close_matches(name.upper(), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(names)}"
        raise CalendarUnknown(name, f"exchange_calendars has no such calendar{hint}") from e
    except (NotImplementedError, ValueError) as e:
        raise CalendarUnknown(name, f"exchange_calendars can't compute it: {e}") from e
    schedule = known.schedule
    days: list[date] = schedule.index.to_numpy("datetime64[D]").tolist()
    opens, closes, starts, ends = (
        schedule[field].dt.tz_convert(None).to_numpy("datetime64[us]").tolist()
        for field in ("open", "close", "break_start", "break_end")
    )
    return Calendar(
        name,
        str(known.tz),
        [
            Session(
                day,
                opened.replace(tzinfo=UTC),
                closed.replace(tzinfo=UTC),
                (start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)) if start and end else None,
            )
            for day, opened, closed, start, end in zip(
                days, opens, closes, starts, ends, strict=True
            )
        ],
    )


def _fitted(get_calendar: Any, name: str, first: date, last: date) -> Any:
    """Return the calendar from `first` to `last`, or as much of that as its rules cover."""
    try:
        return get_calendar(name, start=first.isoformat(), end=last.isoformat())
    except ValueError:  # the rules of some exchanges begin late or end soon
        usual = get_calendar(name)
        low, high = type(usual).bound_min(), type(usual).bound_max()
        if low is None and high is None:
            return usual
        start = max(first, low.date()) if low is not None else first
        end = min(last, high.date()) if high is not None else last
        return get_calendar(name, start=start.isoformat(), end=end.isoformat())
