"""A session seen in quotes: a bar of it counts only if it was seen whole. No I/O."""

from collections.abc import Collection
from datetime import date, datetime

from daemon.calendar import Calendar
from daemon.feeds.market_message import DayBar
from daemon.feeds.quote_bars import Building, extended, worth
from state.instrument import Symbol
from state.quote import Quote


class Watching:
    """Builds the bars of the session that is on, for the day on which there is no history.

    It is whole when every symbol's prices came live from before the open until the close, without
    a break: what was not seen is asked for, and never made up.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self.since: datetime | None = None  # from when on every price came
        self._session: date | None = None
        self._building: dict[Symbol, Building] = {}

    def live(self, at: datetime) -> None:
        """Note that from now on every price comes."""
        if self.since is None:
            self.since = at

    def broken(self) -> None:
        """Note that prices may be missing: what is being built is not whole any more."""
        self.since, self._session = None, None
        self._building.clear()

    def take(self, quote: Quote) -> bool:
        """Take a quote in, and return whether it is one of an open market and has a price."""
        price = worth(quote)
        if price is None or not self._calendar.is_open(quote.at):
            return False
        session = self._calendar.session_of(quote.at)
        if session != self._session:
            self._session = session
            self._building.clear()
        self._building[quote.symbol] = extended(
            self._building.get(quote.symbol), price, jumped=False
        )
        return True

    def bars(self, session: date, symbols: Collection[Symbol]) -> Collection[DayBar]:
        """Return the bars of a session that is over if it was seen whole; none otherwise."""
        whole = self.since is not None and self.since <= self._calendar.open_of(session)
        if not whole or session != self._session or not set(symbols) <= set(self._building):
            return ()
        return [DayBar(session, built.bar(of)) for of, built in self._building.items()]
