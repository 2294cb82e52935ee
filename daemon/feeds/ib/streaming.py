"""Quotes of one connection: what is subscribed, and which ticks may be believed."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from ib_async import Contract, Ticker

from daemon.brokers.ib.contracts import Listed
from daemon.brokers.ib.executions import ReportUnreadable, exact
from daemon.brokers.ib.gateway import Gateway
from daemon.brokers.ib.wire_errors import Action, action
from state.instrument import ZERO, AmountOutOfRange, Symbol
from state.quote import Quote

LIVE: Final = 1
TYPES: Final = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed and frozen"}
ASKED: Final = 3  # delayed where live ones are not subscribed: never used, but it can be said
NOTHING: Final = float("nan")

log: Final = logging.getLogger(__name__)


class Streaming:
    """Prices over one gateway. `lost` is called when some may have been missed."""

    def __init__(
        self,
        gateway: Gateway,
        listed: Mapping[Symbol, Listed],
        lines: int,
        lost: Callable[[], None],
    ) -> None:
        self.gateway, self._lost = gateway, lost
        self._wanted = dict(list(listed.items())[:lines])
        self._symbols = {one.con_id: symbol for symbol, one in self._wanted.items()}
        self._without: dict[Symbol, str] = {}  # why there are no prices
        self._types: dict[Symbol, int] = {}
        self._news: set[Symbol] = set()
        self._tickers: dict[Symbol, Ticker] = {}
        self._said: set[int] = set()  # kinds and codes that were told of: the first of each
        self._again = True
        left = len(listed) - len(self._wanted)
        if left:
            log.warning("ib_lines_used_up", extra={"lines": lines, "without": left})
        gateway.ib.pendingTickersEvent += self._moved
        gateway.ib.errorEvent += self._told

    def subscribe(self) -> None:
        """Subscribe to what is wanted, anew when the gateway lost it; raise ConnectionError."""
        if not self._again:
            return
        ib = self.gateway.ib
        ib.reqMarketDataType(ASKED)
        for symbol, one in self._wanted.items():
            if symbol in self._tickers:
                ib.cancelMktData(one.contract)
            ticker = self._tickers[symbol] = ib.reqMktData(one.contract)
            # what it had is of before: a tick of one side must not bring an old other one back
            ticker.bid = ticker.ask = ticker.last = NOTHING
            ticker.lastTimestamp = None
        self._without.clear()
        self._news.clear()
        self._again = False

    @property
    def whole(self) -> bool:
        """Return whether every symbol that is wanted has live prices."""
        return not self._again and all(
            symbol not in self._without and self._types.get(symbol) == LIVE
            for symbol in self._wanted
        )

    @property
    def symbols(self) -> Iterable[Symbol]:
        """Return what is wanted: no more than there are lines."""
        return self._wanted.keys()

    def quotes(self, at: datetime, opened: datetime) -> tuple[list[Quote], int]:
        """Return the news as quotes of `at`, and how many were not live.

        A last price counts if it was traded since `opened`, or it may be of another day.
        """
        news, self._news = self._news, set()
        found, old = [], 0
        for symbol in news:
            ticker = self._tickers[symbol]
            if ticker.marketDataType != LIVE:
                old += 1
                continue
            traded = ticker.lastTimestamp
            last = price(ticker.last) if traded is not None and traded >= opened else None
            bid, ask = price(ticker.bid), price(ticker.ask)
            if bid is not None and ask is not None and bid > ask:
                continue
            if last is not None or (bid is not None and ask is not None):
                found.append(Quote(symbol, at, bid, ask, last))
        return found, old

    def close(self) -> None:
        """Hear nothing more of it."""
        self.gateway.ib.pendingTickersEvent -= self._moved
        self.gateway.ib.errorEvent -= self._told

    def _moved(self, tickers: Iterable[Ticker]) -> None:
        for ticker in tickers:
            contract = ticker.contract
            symbol = self._symbols.get(contract.conId) if contract is not None else None
            if symbol is None or self._tickers.get(symbol) is not ticker:
                continue
            self._news.add(symbol)
            kind = ticker.marketDataType
            if self._types.get(symbol, LIVE) != kind:
                self._lost()
                if kind != LIVE and kind not in self._said:
                    self._said.add(kind)
                    extra = {"symbol": symbol, "prices": TYPES.get(kind, str(kind))}
                    log.warning("ib_prices_not_live", extra=extra)
            self._types[symbol] = kind

    def _told(self, _request: int, code: int, text: str, contract: Contract | None) -> None:
        """Take a notice: servers lost and found, and prices that will not come."""
        match action(code):
            case Action.BACK_DATA_LOST:
                self._again = True
                self._lost()
            case Action.UPSTREAM_LOST | Action.PRICES_STALE:
                self._lost()
            case Action.NO_PRICES if contract is not None:
                symbol = self._symbols.get(contract.conId)
                if symbol is not None and symbol not in self._without:
                    self._without[symbol] = text
                    self._lost()
                    if code not in self._said:
                        self._said.add(code)
                        extra = {"symbol": symbol, "code": code, "detail": text}
                        log.warning("ib_no_live_prices", extra=extra)
            case _:
                return


def price(number: float) -> Decimal | None:
    """Return a price of a ticker, None for none: it is not a number, or -1."""
    try:
        known = exact(number) if number == number else None
    except (ReportUnreadable, AmountOutOfRange, ArithmeticError):
        return None
    return known if known is not None and known > ZERO else None
