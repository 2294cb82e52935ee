"""Bars and quotes of single symbols in, in whatever order; whole closes out, in theirs. No I/O."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from daemon.calendar import Calendar
from daemon.feeds.bar_check import Checked, Memory, Refusal, check
from daemon.feeds.market_message import DayBar
from daemon.feeds.quote_bars import Building, extended, worth
from state.instrument import Symbol
from state.quote import Bar, Close, Missed, Quote

SKEW: Final = timedelta(seconds=5)  # that another clock may be ahead of ours
WAITING: Final = 200_000  # bars that may wait for their close
ONE: Final = timedelta(days=1)


class Gathering:
    """What came and is not decided yet.

    A close is whole when each symbol has its bar or has gone on to a later session. What is not
    whole goes on without the rest: by the wall, `grace` after the session closed and its first news
    came (which is late after an outage); by the feed's clock, `grace` after the first bar of a
    later one. A symbol that published no bar but quotes
    has one built of them. Of quotes only the newest of each symbol is kept.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        calendar: Calendar,
        *,
        max_jump: float,
        grace: float,
        follows_feed: bool,
        after: date | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._symbols, self._calendar, self._max_jump = tuple(symbols), calendar, max_jump
        self._grace, self._follows = grace, follows_feed
        self._after, self._memory = after, memory or Memory()
        self._decided = {  # who had a bar in the last session decided
            symbol
            for symbol, level in self._memory.levels.items()
            if after is not None and calendar.session_of(level.at) == after
        }
        self._bars: dict[date, dict[Symbol, Bar]] = {}
        self._building: dict[date, dict[Symbol, Building]] = {}
        self._sessions: list[date] = []  # a heap of those in either
        self._reached: dict[Symbol, date] = {}
        self._missing: set[Symbol] = set()  # who the first session still waits for
        self._since: float | None = None  # when its grace began, monotonic seconds
        self._waiting = 0
        self._session = calendar.first  # of the last quote, and when it opens and closes
        self._opens, self._closes = (
            calendar.open_of(calendar.first),
            calendar.close_of(calendar.first),
        )
        self._lost: list[Missed] = []
        self._fresh: dict[Symbol, Quote] = {}
        self.latest: dict[Symbol, Quote] = {}
        self.refused: Counter[Refusal] = Counter()
        self.shifted: list[Symbol] = []
        self.conflated = self.bars = self.quotes = self.missed = 0
        self.missed_at: date | None = None

    def refuse(self, reason: Refusal, *, retained: bool = False) -> Refusal:
        """Count what is not believed; the broker's own copy of something known is no mistake."""
        if retained and reason in {Refusal.DUPLICATE, Refusal.OUT_OF_ORDER}:
            reason = Refusal.RETAINED
        self.refused[reason] += 1
        return reason

    def take_bar(self, said: DayBar, wall: datetime, *, retained: bool = False) -> Refusal | None:
        """Take a bar in, or return why not. The first bar of a session and symbol is the one."""
        session, symbol = said.session, said.bar.symbol
        if self._calendar.close_of(session) > wall + SKEW:
            return self.refuse(Refusal.FUTURE)
        if self._after is not None and session <= self._after:
            again = session == self._after and symbol in self._decided
            reason = Refusal.DUPLICATE if again else Refusal.OUT_OF_ORDER
            return self.refuse(reason, retained=retained)
        known = self._bars.get(session)
        if known is not None and symbol in known:
            return self.refuse(Refusal.DUPLICATE, retained=retained)
        if self._waiting >= WAITING:
            return self.refuse(Refusal.OVERFLOW)
        self._expect(session)
        self._bars.setdefault(session, {})[symbol] = said.bar
        self._waiting += 1
        self.bars += 1
        if session == self._sessions[0]:
            self._missing.discard(symbol)
        self._reach(symbol, session)
        return None

    def take_quote(self, quote: Quote, wall: datetime, *, retained: bool = False) -> Refusal | None:
        """Take a quote in, or return why not."""
        if quote.at > wall + SKEW:
            return self.refuse(Refusal.FUTURE)
        if not self._opens <= quote.at <= self._closes:
            self._look_up(quote.at)
        session = self._session
        symbol, last = quote.symbol, self.latest.get(quote.symbol)
        if (last is not None and quote.at < last.at) or (self._after and session <= self._after):
            return self.refuse(Refusal.OUT_OF_ORDER, retained=retained)
        if quote == last:
            return self.refuse(Refusal.DUPLICATE, retained=retained)
        if quote.at > self._closes:
            return self.refuse(Refusal.OUTSIDE_SESSION)
        price = worth(quote)
        if price is None:
            return self.refuse(Refusal.NO_PRICE)
        level = self._memory.levels.get(symbol)
        jumped = level is not None and abs(float(price) / level.price - 1.0) > self._max_jump
        self._expect(session)
        building = self._building.setdefault(session, {})
        building[symbol] = extended(building.get(symbol), price, jumped=jumped)
        self._reach(symbol, session)
        if jumped:
            return self.refuse(Refusal.JUMP)
        self.quotes += 1
        self.conflated += symbol in self._fresh
        self._fresh[symbol] = self.latest[symbol] = quote
        return None

    def _look_up(self, at: datetime) -> None:
        """Remember the session of a quote: the next one is most likely of the same."""
        self._session = self._calendar.session_of(at)
        self._opens = self._calendar.open_of(self._session)
        self._closes = self._calendar.close_of(self._session)

    def fresh(self) -> Mapping[Symbol, Quote]:
        """Return the newest quote of each symbol that had one since this was last asked."""
        found, self._fresh = self._fresh, {}
        return found

    def due(self, wall: datetime, mono: float) -> Close | None:
        """Return the next close if it is whole, or has waited long enough; None otherwise."""
        while self._sessions and self._is_over(wall, mono):
            if (close := self._closed(heapq.heappop(self._sessions))) is not None:
                return close
        return None

    def _is_over(self, wall: datetime, mono: float) -> bool:
        if not self._missing:
            return True
        if self._follows:
            over = len(self._sessions) > 1
        else:
            closes = self._calendar.close_of(self._sessions[0])
            over = wall >= closes + timedelta(seconds=self._grace)
        if self._since is None and (over or not self._follows):
            self._since = mono
        return over and self._since is not None and mono >= self._since + self._grace

    def _expect(self, session: date) -> None:
        """Make room for a session; who has gone on to a later one has nothing more to say of it."""
        if session in self._bars or session in self._building:
            return
        first = self._sessions[0] if self._sessions else None
        heapq.heappush(self._sessions, session)
        if first is None or session < first:
            self._begin()

    def _begin(self) -> None:
        """Look whom the first session still waits for."""
        self._since = None
        if not self._sessions:
            return
        first = self._sessions[0]
        bars = self._bars.get(first, {})
        self._missing = {
            symbol
            for symbol in self._symbols
            if symbol not in bars and self._reached.get(symbol, date.min) <= first
        }

    def _reach(self, symbol: Symbol, session: date) -> None:
        if session > self._reached.get(symbol, date.min):
            self._reached[symbol] = session
        if session > self._sessions[0]:
            self._missing.discard(symbol)

    def _closed(self, session: date) -> Close | None:
        """Return the close of the first session, as far as it can be believed."""
        bars = self._bars.pop(session, {})
        building = self._building.pop(session, {})
        self._waiting -= len(bars)
        rows = [
            bars[symbol] if symbol in bars else building[symbol].bar(symbol)
            for symbol in self._symbols
            if symbol in bars or symbol in building
        ]
        close = Close(self._calendar.close_of(session), session, tuple(rows))
        checked = self._checked(close)
        self._lose_between(session)
        self._decided = {bar.symbol for bar in rows}
        self._after = session
        self._begin()
        kept = {bar.symbol for bar in checked.close.bars} if checked.close is not None else set()
        if lost := tuple(symbol for symbol in self._symbols if symbol not in kept):
            self._lose(session, lost)
        if checked.close is None:
            return None
        missed, self._lost = tuple(self._lost), []
        return replace(checked.close, missed=missed)

    def _checked(self, close: Close) -> Checked:
        checked = check(
            self._memory, close, max_jump=self._max_jump, is_session=self._calendar.is_session
        )
        self._memory = checked.memory
        self.refused.update(checked.refused)
        self.shifted += checked.shifted
        return checked

    def _lose_between(self, session: date) -> None:
        """Note the sessions since the last one decided of which nothing came at all."""
        if self._after is not None:
            for day in self._calendar.sessions_between(self._after + ONE, session - ONE):
                self._lose(day, self._symbols)

    def _lose(self, session: date, symbols: tuple[Symbol, ...]) -> None:
        self._lost.append(Missed(session, symbols))
        self.missed += len(symbols)
        self.missed_at = session
