"""The sessions that are over, out of the gateway's history: each asked for until it is known."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date, timedelta
from typing import Final

from daemon.brokers.ib.gateway import Gateway
from daemon.calendar import Calendar
from daemon.feeds.bar_check import Memory, check
from daemon.feeds.ib.asking import Asking
from daemon.feeds.ib.line import Line
from daemon.feeds.market_message import DayBar
from daemon.feeds.past import Past
from daemon.seams import BrokerUnavailable, Clock
from state.instrument import Symbol
from state.quote import Bar, Close

LATE: Final = timedelta(seconds=20)  # after a close, until its bar is asked for
REMEMBERED: Final = 1000  # closes that warm a strategy and its evolution
PRIMING: Final = 64  # closes more, for the check to have seen

Seen = Callable[[date, Collection[Symbol]], Collection[DayBar]]

log: Final = logging.getLogger(__name__)


class PastSessions:
    """Which sessions are known, and what was found of those that are not.

    `known` is the last of which everything was told; at a first start the last one that is over is
    still to come.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        calendar: Calendar,
        clock: Clock,
        line: Callable[[], Awaitable[tuple[Gateway, Line]]],
        patience: float,
        *,
        max_jump: float,
        after: date | None,
    ) -> None:
        self.symbols = tuple(symbols)  # those to wait for
        self._calendar, self._clock, self._line = calendar, clock, line
        self._asking, self._max_jump = Asking(clock, patience), max_jump
        self.known = after or calendar.previous_session(self.over()) or calendar.first
        self._found: dict[tuple[date, Symbol], DayBar] = {}
        self._told: set[Symbol] = set()  # whose past was told, while the warm-up goes on

    @property
    def next(self) -> date:
        """Return the first session that is not known, or the day after the last of all."""
        return self._calendar.next_session(self.known) or self.known + timedelta(days=1)

    def over(self) -> date:
        """Return the last session whose bar should be in the history by now."""
        wall = self._clock.wall() - LATE
        session = self._calendar.session_of(wall)
        if self._calendar.close_of(session) <= wall:
            return session
        return self._calendar.previous_session(session) or self._calendar.first

    async def warmed(self, past: Past) -> Past:
        """Return the past with the closes that strategies begin with; raise BrokerUnavailable."""
        recorded = past.closes(self.next, REMEMBERED)
        if len(recorded) >= REMEMBERED:
            return past
        end = self.known
        if recorded:
            end = self._calendar.previous_session(recorded[0].session) or end
        count = REMEMBERED + PRIMING - len(recorded)
        start = self._calendar.session_after(end, -count) or self._calendar.first
        await self._ask([s for s in self.symbols if s not in self._told], start, end)
        self._told.clear()
        return past.with_earlier(self._believed())

    async def caught_up(
        self,
        over: date,
        seen: Callable[[date, Collection[Symbol]], Collection[DayBar]],
        grace: float,
    ) -> Sequence[DayBar]:
        """Return the bars up to the session `over`, nothing as long as some may still come.

        `seen` are the bars of a session that was watched; they are for want of better ones, once
        the session has been over for `grace` seconds. So long a bar of a symbol is waited for when
        others have theirs.
        """
        lacking = [symbol for symbol in self.symbols if (over, symbol) not in self._found]
        closed = self._calendar.close_of(over)
        try:
            await self._ask(lacking, self.next, over)
        except BrokerUnavailable as why:
            log.warning("ib_history_unanswered", extra={"detail": str(why)})
            watched = seen(over, self.symbols) if self.next == over else ()
            if not watched or self._clock.wall() < closed + timedelta(seconds=grace):
                return ()
            log.warning("ib_bars_of_quotes", extra={"session": over.isoformat()})
            for bar in watched:
                self._found.setdefault((over, bar.bar.symbol), bar)
        have = {symbol for session, symbol in self._found if session == over}
        waits = self._clock.wall() < closed + timedelta(seconds=grace)
        if not have or (waits and not have.issuperset(self.symbols)):
            return ()
        found = [bar for _, bar in sorted(self._found.items(), key=lambda item: item[0])]
        self._found.clear()
        self.known = over
        return found

    async def _ask(self, symbols: Sequence[Symbol], start: date, end: date) -> None:
        """Find the bars of sessions, both included; what is found stays so. BrokerUnavailable."""
        for symbol in symbols:
            gateway, line = await self._line()
            for bar in await self._asking.bars(gateway, line.contracts.listed[symbol], start):
                if start <= bar.session <= end:
                    self._found[bar.session, symbol] = bar
            self._told.add(symbol)

    def _believed(self) -> Sequence[Close]:
        """Return what was found as closes, as far as it can be true, and forget it."""
        rows: dict[date, list[Bar]] = {}
        for (session, _), found in sorted(self._found.items()):
            rows.setdefault(session, []).append(found.bar)
        self._found.clear()
        memory, closes = Memory(), list[Close]()
        is_session = self._calendar.is_session
        for session, bars in rows.items():
            if not is_session(session):
                continue
            close = Close(self._calendar.close_of(session), session, tuple(bars))
            checked = check(memory, close, max_jump=self._max_jump, is_session=is_session)
            memory = checked.memory
            if checked.close is not None:
                closes.append(checked.close)
        return closes
