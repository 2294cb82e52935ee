"""Account values, portfolio, positions and profit and loss."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from tests.ib.gateway.domain import Account
from tests.ib.gateway.session import Session
from tests.ib.gateway.wire import Cursor, wire


class AccountDesk:
    """Answers about the account."""

    def _on_reqAccountUpdates(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        subscribe, acct = c.bool(), c.str() or self.default_account
        if not subscribe:
            ses.acct_sub = None
            return
        if acct not in self.accounts:
            self._error(
                ses,
                -1,
                321,
                f"Error validating request.-'bP' : cause - Invalid account code '{acct}'.",
            )
            return
        ses.acct_sub = acct
        self._send_account(ses, acct)
        ses.send("accountDownloadEnd", 54, 1, acct)

    def _send_account(self, ses: Session, acct: str) -> None:
        a = self.accounts[acct]
        for tag, val, cur in self.account_rows(a):
            ses.send("updateAccountValue", 6, 2, tag, val, cur, acct)
        for con_id in list(a.positions):
            self._send_portfolio(ses, a, con_id)
        ses.send("updateAccountTime", 8, 1, self.now().strftime("%H:%M"))

    def _send_portfolio(self, ses: Session, a: Account, con_id: int) -> None:
        i, p = self.by_id[con_id], a.positions[con_id]
        if not p.qty and not p.realized:
            return
        ses.send(
            "updatePortfolio",
            7,
            8,
            con_id,
            i.symbol,
            i.sec_type,
            "",
            0,
            "0",
            "",
            i.primary,
            i.currency,
            i.symbol,
            i.trading_class,
            p.qty,
            i.last,
            p.qty * i.last,
            p.avg_cost,
            p.qty * (i.last - p.avg_cost),
            p.realized,
            a.name,
        )

    def _on_reqAccountUpdatesMulti(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        req, acct = c.int(), c.str() or self.default_account
        ses.acct_multi[req] = acct
        for tag, val, cur in self.account_rows(self.accounts[acct]):
            ses.send("accountUpdateMulti", 73, 1, req, acct, "", tag, val, cur)
        ses.send("accountUpdateMultiEnd", 74, 1, req)

    def _on_cancelAccountUpdatesMulti(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        ses.acct_multi.pop(c.int(), None)

    def _on_reqAccountSummary(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        req, _group, tags = c.int(), c.str(), c.str()
        # IB counts distinct request ids, and never more than two per connection
        if req not in ses.summary and len(ses.summary) >= 2:
            self._error(
                ses,
                req,
                322,
                "Error processing request.-'bS' : cause - Maximum number of "
                "account summary requests exceeded; desubscribe to previous "
                "request first",
            )
            return
        ses.summary[req] = tags
        wanted = set(tags.split(","))
        for a in self.accounts.values():
            for tag, val, cur in self.account_rows(a):
                if tag in wanted and cur in ("", a.base):
                    ses.send("accountSummary", 63, 1, req, a.name, tag, val, cur)
            if any(t.startswith("$LEDGER") for t in wanted):
                for tag, val, cur in self.ledger_rows(a):
                    ses.send("accountSummary", 63, 1, req, a.name, tag, val, cur)
        ses.send("accountSummaryEnd", 64, 1, req)

    def _on_cancelAccountSummary(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        ses.summary.pop(c.int(), None)

    def _on_reqPositions(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.positions = True
        for a in self.accounts.values():
            for con_id, p in a.positions.items():
                if p.qty:
                    self._send_position(ses, a, con_id)
        ses.send("positionEnd", 62, 1)

    def _on_cancelPositions(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.positions = False

    def _send_position(self, ses: Session, a: Account, con_id: int) -> None:
        i, p = self.by_id[con_id], a.positions[con_id]
        ses.send("position", 61, 3, a.name, con_id, *i.contract(""), p.qty, p.avg_cost)

    def _on_reqPnL(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        req, acct = c.int(), c.str()
        ses.pnl[req] = (acct, 0)
        self._send_pnl(ses, req)

    def _on_cancelPnL(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.pnl.pop(c.int(), None)

    def _on_reqPnLSingle(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        req, acct, _model, con = c.int(), c.str(), c.str(), c.int()
        ses.pnl[req] = (acct, con)
        self._send_pnl(ses, req)

    _on_cancelPnLSingle = _on_cancelPnL

    def _send_pnl(self, ses: Session, req: int) -> None:
        acct, con = ses.pnl[req]
        a = self.accounts.get(acct)
        if a is None:
            return
        if con:
            p, i = a.positions[con], self.by_id[con]
            ses.send(
                "pnlSingle",
                95,
                req,
                p.qty,
                p.qty * (i.last - i.prev_close),
                p.qty * (i.last - p.avg_cost),
                p.realized,
                p.qty * i.last,
            )
        else:
            u = sum(p.qty * (self.by_id[k].last - p.avg_cost) for k, p in a.positions.items())
            d = sum(
                p.qty * (self.by_id[k].last - self.by_id[k].prev_close)
                for k, p in a.positions.items()
            )
            ses.send("pnl", 94, req, d, u, sum(p.realized for p in a.positions.values()))

    def rate(self, cur: str, base: str) -> float:
        return self.fx[cur] / self.fx[base]

    def numbers(self, a: Account) -> dict[str, float]:
        """Headline account numbers in base currency."""
        stock = gross = 0.0
        for k, p in a.positions.items():
            v = p.qty * self.by_id[k].last * self.rate(self.by_id[k].currency, a.base)
            stock += v
            gross += abs(v)
        cash = sum(v * self.rate(cur, a.base) for cur, v in a.cash.items())
        init = 0.0 if self.cash_account else gross * self.margin_rate
        maint = 0.0 if self.cash_account else gross * self.margin_rate / 2
        nlv = cash + stock
        avail = cash if self.cash_account else nlv - init
        return {
            "NetLiquidation": nlv,
            "TotalCashValue": cash,
            "SettledCash": cash,
            "GrossPositionValue": gross,
            "StockMarketValue": stock,
            "EquityWithLoanValue": nlv,
            "InitMarginReq": init,
            "MaintMarginReq": maint,
            "FullInitMarginReq": init,
            "FullMaintMarginReq": maint,
            "AvailableFunds": avail,
            "FullAvailableFunds": avail,
            "ExcessLiquidity": nlv - maint,
            "BuyingPower": avail if self.cash_account else max(0.0, avail / self.margin_rate),
        }

    def account_rows(self, a: Account) -> list[tuple[str, str, str]]:
        n = self.numbers(a)
        rows = [
            ("AccountCode", a.name, ""),
            ("AccountReady", "true", ""),
            ("AccountType", "INDIVIDUAL", ""),
            ("Currency", a.base, a.base),
            (
                "Cushion",
                wire(n["ExcessLiquidity"] / n["NetLiquidation"] if n["NetLiquidation"] else 0),
                "",
            ),
            (
                "Leverage",
                wire(
                    round(n["GrossPositionValue"] / n["NetLiquidation"], 4)
                    if n["NetLiquidation"]
                    else 0
                ),
                "",
            ),
            ("DayTradesRemaining", "-1", ""),
        ]
        rows += [(k, f"{v:.2f}", a.base) for k, v in n.items()]
        return rows + self.ledger_rows(a)

    def ledger_rows(self, a: Account) -> list[tuple[str, str, str]]:
        rows = []
        per: dict[str, dict[str, float]] = {}
        for cur in sorted(
            set(a.cash) | {self.by_id[k].currency for k, p in a.positions.items() if p.qty}
        ):
            ps = [
                (self.by_id[k], p) for k, p in a.positions.items() if self.by_id[k].currency == cur
            ]
            stock = sum(p.qty * i.last for i, p in ps)
            per[cur] = {
                "CashBalance": a.cash.get(cur, 0.0),
                "TotalCashBalance": a.cash.get(cur, 0.0),
                "StockMarketValue": stock,
                "NetLiquidationByCurrency": a.cash.get(cur, 0.0) + stock,
                "UnrealizedPnL": sum(p.qty * (i.last - p.avg_cost) for i, p in ps),
                "RealizedPnL": sum(p.realized for _, p in ps),
            }
        tot: dict[str, float] = defaultdict(float)
        for cur, d in per.items():
            r = self.rate(cur, a.base)
            for k, v in d.items():
                rows.append((k, f"{v:.2f}", cur))
                tot[k] += v * r
            rows.append(("ExchangeRate", f"{r:.6f}", cur))
        rows += [(k, f"{v:.2f}", "BASE") for k, v in tot.items()]
        rows.append(("ExchangeRate", "1.00", "BASE"))
        return rows

    async def _account_heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self.account_update_interval)
            self.push_account()

    def push_account(self) -> None:
        """Send account values to subscribers now (IB: every 3 minutes or on a trade)."""
        for s in list(self.sessions):
            if s.acct_sub:
                self._send_account(s, s.acct_sub)
            for req, acct in list(s.acct_multi.items()):
                for tag, val, cur in self.account_rows(self.accounts[acct]):
                    s.send("accountUpdateMulti", 73, 1, req, acct, "", tag, val, cur)
            for req in list(s.pnl):
                self._send_pnl(s, req)
