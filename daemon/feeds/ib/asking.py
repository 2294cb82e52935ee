"""Daily bars out of the gateway's history, one question after the other, within its limits."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from ib_async import BarData, RequestError

from daemon.brokers.ib.contracts import Listed
from daemon.brokers.ib.executions import ReportUnreadable, exact
from daemon.brokers.ib.gateway import Gateway
from daemon.feeds.ib.pacing import Pacer
from daemon.feeds.market_message import DayBar
from daemon.seams import BrokerUnavailable, Clock
from state.instrument import AmountOutOfRange
from state.quote import Bar

HISTORY: Final = 162  # whatever is wrong with a question about the past
NOTHING: Final = "no data"  # in its text: there is none, and that is the answer
PACED: Final = "pacing"  # in its text: too much was asked
YEAR: Final = 365  # days beyond which a duration has to be in years


class Asking:
    """Asks one gateway after the other; the limits are those of the login, and outlive them."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock, self._patience, self._pacer = clock, patience, Pacer()

    async def bars(self, gateway: Gateway, listed: Listed, start: date) -> Sequence[DayBar]:
        """Return the bars from the day `start` on; today's may not be over yet.

        Raises BrokerUnavailable; the connection is kept, for orders may go over it.
        """
        symbol, span = listed.instrument.symbol, self._since(start)
        while wait := self._pacer.wait(listed.con_id, span, self._clock.mono()):
            await self._clock.sleep(wait)
            span = self._since(start)  # it ends when it is asked, which may be days later by now
        self._pacer.asked(listed.con_id, span, self._clock.mono())
        try:
            rows = await gateway.ib.reqHistoricalDataAsync(
                listed.contract,
                endDateTime="",
                durationStr=span,
                barSizeSetting="1 day",
                whatToShow="TRADES",
                useRTH=True,
                formatDate=1,
                timeout=self._patience,
            )
        except RequestError as why:
            if why.code == HISTORY and NOTHING in why.message.lower():
                return ()
            if why.code == HISTORY and PACED in why.message.lower():
                self._pacer.refused(self._clock.mono())
            raise BrokerUnavailable(
                f"about the past of {symbol}: {why.code}: {why.message}"
            ) from why
        except (OSError, TimeoutError) as why:
            raise BrokerUnavailable(f"no answer about the past of {symbol}") from why
        if not rows:  # what has no data is an error, so this is a question that ran out of time
            raise BrokerUnavailable(f"no answer about the past of {symbol}")
        return [bar for row in rows if (bar := read(symbol, row)) is not None]

    def _since(self, start: date) -> str:
        """Return the span from a day until now, and one day more: its end is another's midnight."""
        return duration((self._clock.wall().date() - start).days + 2)


def read(symbol: str, row: BarData) -> DayBar | None:
    """Return a bar of the wire, None where it has no day or no numbers."""
    day = row.date
    if type(day) is not date:
        return None
    try:
        bar = Bar(
            symbol,
            exact(row.close),
            exact(row.open),
            exact(row.high),
            exact(row.low),
            exact(row.volume) if row.volume >= 0 else None,  # -1: not known
        )
    except (ReportUnreadable, AmountOutOfRange, ArithmeticError):
        return None
    return DayBar(day, bar)


def duration(days: int) -> str:
    """Return a span of at least so many calendar days, as the gateway wants it written."""
    return f"{days} D" if days <= YEAR else f"{-(-days // YEAR)} Y"
