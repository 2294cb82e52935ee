"""What explaining needs of the market's calendar and of the configuration."""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial

from daemon.calendar import Calendar
from state.moment import Moment
from state.settings import Settings
from state.weighing import Almanac


def almanac(calendar: Calendar, settings: Settings) -> Almanac:
    """Return the calendar as far as explanations ask it."""

    def moment(at: datetime) -> Moment:
        return calendar.moment(at, at, session_policy=settings.execution.session)

    return Almanac(
        moment, calendar.is_session, due_by(calendar, settings), settings.trading.rebalance
    )


def due_by(calendar: Calendar, settings: Settings) -> Callable[[date], bool] | None:
    """Return whether a rebalance is due by a session's close; None when nothing is by the clock."""
    if settings.trading.mode != "autonomous":
        return None
    return partial(calendar.ends_period, period=settings.trading.rebalance)
