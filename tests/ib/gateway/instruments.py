"""Contracts and live prices."""

from __future__ import annotations

from typing import Any

from tests.ib.gateway.domain import Instrument
from tests.ib.gateway.session import Session
from tests.ib.gateway.wire import CONTRACT, DELAYED_TICKS, LIVE_TICKS, Cursor


class DataDesk:
    """Answers about instruments."""

    def _find(self, contract: dict[str, str]) -> list[Instrument]:
        return [i for i in self.instruments if i.matches(contract)]

    def _on_reqContractDetails(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        req, con = c.int(), c.take(CONTRACT)
        found = self._find(con)
        if not found:
            self._error(ses, req, 200, "No security definition has been found for the request")
            return
        day = self.now().strftime("%Y%m%d")
        for i in found:
            head = [] if ses.sv >= 164 else [8]
            md = [] if ses.sv >= 164 else [100]
            tail: list[Any] = []
            if ses.sv >= 164:
                inc = 0.0001 if self.allow_fractional else i.size_increment
                tail = [inc, inc, 100.0]
            elif ses.sv == 163:
                tail = [100.0]
            hours = f"{day}:0930-{day}:1600"
            ses.send(
                "contractDetails",
                10,
                *head,
                req,
                i.symbol,
                i.sec_type,
                "",
                0.0,
                "",
                con["exchange"] or "SMART",
                i.currency,
                i.symbol,
                i.trading_class,
                i.trading_class,
                i.con_id,
                i.min_tick,
                *md,
                "",
                "ADJUST,ALERT,ALGO,LMT,LOC,MKT,MOC,STP,STPLMT,WHATIF",
                i.exchanges,
                1,
                0,
                i.name,
                i.primary,
                "",
                "Funds" if i.stock_type == "ETF" else "Technology",
                "",
                "",
                self.tz_name,
                f"{day}:0400-{day}:2000",
                hours,
                "",
                0,
                1,
                "ISIN",
                f"US{i.con_id:010d}",
                1,
                "",
                "",
                "26",
                "",
                i.stock_type,
                *tail,
            )
        ses.send("contractDetailsEnd", 52, 1, req)

    def _on_reqMatchingSymbols(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        req, pat = c.int(), c.str().upper()
        hits = [i for i in self.instruments if i.symbol.startswith(pat)]
        out: list[Any] = []
        for i in hits:
            out += [i.con_id, i.symbol, i.sec_type, i.primary, i.currency, 0]
            if ses.sv >= 176:
                out += [i.name, ""]
        ses.send("symbolSamples", 79, req, len(hits), *out)

    def _on_reqMarketRule(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.send("marketRule", 93, c.int(), 2, 0.0, 0.0001, 1.0, 0.01)

    def _on_reqMarketDataType(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        ses.data_type = c.int()

    def _on_reqMktData(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        req, con = c.int(), c.take(CONTRACT)
        c.bool()  # delta neutral
        _generic, snapshot = c.str(), c.bool()
        found = self._find(con)
        if len(found) != 1:
            self._error(ses, req, 200, "No security definition has been found for the request")
            return
        if not snapshot and len(ses.mkt) >= self.max_tickers:
            self._error(ses, req, 101, "Max number of tickers has been reached")
            return
        delayed = False
        if self.market_data == "competing":
            self._error(ses, req, 10197, "No market data during competing live session")
            return
        if self.market_data != "live":
            if ses.data_type in (3, 4):
                delayed = True
                self._error(
                    ses,
                    req,
                    10167,
                    "Requested market data is not subscribed. Displaying delayed market data.",
                )
            else:
                self._error(
                    ses,
                    req,
                    354,
                    "Requested market data is not subscribed.Check API status "
                    "by selecting the Account menu then under Management choose "
                    "Market Data Subscription Manager and/or availability of "
                    "delayed data.",
                )
                return
        sub = {"inst": found[0], "delayed": delayed}
        ses.send("tickReqParams", 81, req, found[0].min_tick, "9c0001", 3)
        ses.send("marketDataType", 58, 1, req, ses.data_type if delayed else 1)
        self._ticks(ses, req, sub, 100, full=True)
        if snapshot:
            ses.send("tickSnapshotEnd", 57, 1, req)
        else:
            ses.mkt[req] = sub

    def _on_cancelMktData(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        if ses.mkt.pop(c.int(), None) is None:
            self._error(ses, -1, 300, "Can't find EId with tickerId")

    def _ticks(
        self, ses: Session, req: int, sub: dict[str, Any], size: float, full: bool = False
    ) -> None:
        i: Instrument = sub["inst"]
        t = DELAYED_TICKS if sub["delayed"] else LIVE_TICKS

        def price(name: str, px: float, qty: float = 0) -> None:
            ses.send("tickPrice", 1, 6, req, t[name], px, qty, 0, inst=i)

        def amount(name: str, qty: float) -> None:
            ses.send("tickSize", 2, 6, req, t[name], qty, inst=i)

        for name, px, qty in (("bid", i.bid, 5 * size), ("ask", i.ask, 3 * size)):
            if i.halted:
                px, qty = -1, 0  # how TWS says "no quote"
            price(name, px, qty)
            amount(name + "Size", qty)
        price("last", i.last, size)
        amount("lastSize", size)
        ses.send("tickString", 46, 6, req, t["time"], int(self.now().timestamp()), inst=i)
        amount("volume", i.volume)
        if full:
            for name, px in (
                ("high", i.high),
                ("low", i.low),
                ("close", i.prev_close),
                ("open", i.open),
            ):
                price(name, px)
            if not sub["delayed"]:
                ses.send("tickGeneric", 45, 6, req, 49, 1 if i.halted else 0)
