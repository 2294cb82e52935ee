"""The gateway's daily restart: when it is, and for how long nothing new is sent around it."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from daemon.brokers.ib.configured import GatewayImpossible
from daemon.calendar import Calendar, Session
from state.settings import InteractiveBrokers

DAY: Final = timedelta(days=1)
AHEAD: Final = timedelta(days=366)  # that sessions are looked through: both halves of the year
HINT: Final = 'say a time of day and a zone, like "23:45 America/New_York"'


class Restart(msgspec.Struct, frozen=True):
    """A time of day in a zone, and how long before and after it nothing new is sent."""

    at: time
    zone: ZoneInfo
    before: timedelta
    after: timedelta

    def window(self, now: datetime) -> tuple[datetime, datetime] | None:
        """Return from when until when (UTC, the end not included), None outside of it."""
        for begins, ends in self._around(now, now):
            if begins <= now < ends:
                return begins, ends
        return None

    def left(self, now: datetime) -> float:
        """Return for how many seconds a loss of the connection is still expected, 0 outside."""
        found = self.window(now)
        return (found[1] - now).total_seconds() if found else 0.0

    def said(self, now: datetime) -> str:
        """Return why nothing new is sent, and until when; "" outside of the window."""
        found = self.window(now)
        if found is None:
            return ""
        return (
            "nothing new is sent around the gateway's daily restart, "
            f"until {found[1]:%Y-%m-%d %H:%M:%S} UTC"
        )

    def within(self, calendar: Calendar, today: date) -> Session | None:
        """Return the first session of a year from `today` that a window takes a part of."""
        for session in calendar.sessions:
            if not today <= session.day <= today + AHEAD:
                continue
            for begins, ends in self._around(session.opens, session.closes):
                if begins < session.closes and ends > session.opens:
                    return session
        return None

    def _around(self, start: datetime, end: datetime) -> Iterable[tuple[datetime, datetime]]:
        """Yield the windows of all days near the time from `start` to `end`."""
        day = start.astimezone(self.zone).date() - DAY
        while day <= end.astimezone(self.zone).date() + DAY:
            at = datetime.combine(day, self.at, self.zone).astimezone(UTC)
            yield at - self.before, at + self.after
            day += DAY


def restart_of(ib: InteractiveBrokers) -> Restart | None:
    """Return the restart that is configured, None for none; raise GatewayImpossible."""
    if not ib.restart:
        return None
    clock, _, zone = ib.restart.partition(" ")
    try:
        at = datetime.strptime(clock, "%H:%M").time()  # noqa: DTZ007  a time of day has no zone yet
        known = ZoneInfo(zone.strip())
    except (ValueError, KeyError, OSError) as why:
        raise GatewayImpossible(f"ib.restart is {ib.restart!r}: {HINT}") from why
    before, after = timedelta(seconds=ib.restart_before), timedelta(seconds=ib.restart_after)
    if not before + after:
        raise GatewayImpossible(
            "ib.restart_before and ib.restart_after are both 0, so nothing is held back around "
            'ib.restart; set one of them, or ib.restart = ""'
        )
    return Restart(at, known, before, after)


def cautioned(ib: InteractiveBrokers, calendar: Calendar, today: date) -> str:
    """Return what to think of before the daemon runs with this restart, "" for nothing."""
    restart = restart_of(ib)
    session = restart.within(calendar, today) if restart else None
    if session is None:
        return ""
    return (
        f"nothing new is sent around ib.restart {ib.restart!r}, and that takes a part of the "
        f"session of {session.day}; set the gateway's restart outside of the sessions of "
        f"{calendar.name}"
    )
