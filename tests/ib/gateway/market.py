"""What a test may do to the market and to the account."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from tests.ib.gateway.domain import Execution, FillPlan, Instrument, Order


class Market:
    """Moves prices, fills, corrects, and pays."""

    def inst(self, symbol: str, currency: str = "USD") -> Instrument:
        for i in self.instruments:
            if i.symbol == symbol and i.currency == currency:
                return i
        raise KeyError(symbol)

    def set_price(
        self,
        symbol: str,
        last: float,
        bid: float | None = None,
        ask: float | None = None,
        size: float = 100,
    ) -> None:
        """New market; streams ticks and lets resting orders trade."""
        inst = self.inst(symbol)
        inst.quote(last, bid, ask)
        inst.volume += size
        if self.upstream_up:
            for s in list(self.sessions):
                for req, sub in list(s.mkt.items()):
                    if sub["inst"] is inst:
                        self._ticks(s, req, sub, size)
                for req, sub in list(s.hist_subs.items()):
                    if sub["inst"] is inst:
                        b = self.daily_bars(inst)[-1]
                        s.send(
                            "historicalDataUpdate",
                            90,
                            req,
                            100,
                            self._bar_date(b[0]),
                            b[1],
                            last,
                            b[2],
                            b[3],
                            last,
                            b[5],
                        )
        for o in list(self.orders):
            if o.inst is inst and o.live:
                self._evaluate(o)

    async def walk(self, interval: float = 0.2, sigma: float = 0.0005) -> None:
        """Random-walk every instrument until cancelled (run it as a task)."""
        while True:
            await asyncio.sleep(interval)
            for i in self.instruments:
                if i.currency == "USD":
                    self.set_price(i.symbol, i.round(i.last * (1 + self.rng.gauss(0, sigma))))

    def open_market(self) -> None:
        self.market_open = True
        for o in [o for o in self.orders if o.live]:
            if o.tif == "OPG" and o.type in ("MKT", "LMT"):
                self._auction(o)
            else:
                self._evaluate(o)

    def close_auction(self) -> None:
        """Run the closing cross: MOC and LOC orders fill at the last price."""
        for o in [o for o in self.orders if o.live and o.type in ("MOC", "LOC")]:
            self._auction(o)

    def end_of_day(self) -> None:
        """Close the market and expire DAY orders."""
        self.market_open = False
        for o in [o for o in self.orders if o.live and o.tif in ("", "DAY", "OPG", "IOC")]:
            self._finish(o, "Cancelled", "Cancelled by System", 202, "Order Canceled - reason:")

    def fill(
        self, order: Order | str, qty: float | None = None, price: float | None = None
    ) -> Execution:
        """Execute by hand (order object or orderRef)."""
        o = self.order(ref=order) if isinstance(order, str) else order
        if o.status == "Submitted" or o.live:
            o.status = "Submitted"
        return self._execute(
            o, o.remaining if qty is None else qty, price or self._fill_price(o, 0)
        )

    def correct(
        self, exec_id: str, qty: float | None = None, price: float | None = None
    ) -> Execution:
        """Execution correction: same execId but for the digits after the last dot."""
        old = next(e for e in self.executions if e.exec_id == exec_id)
        head, tail = exec_id.rsplit(".", 1)
        acct = self.accounts[old.order.account]
        o = old.order
        self._book(acct, o, -old.qty, old.price, -old.commission)
        o.filled -= old.qty
        o.value -= old.qty * old.price
        old.superseded = True
        new_qty, new_px = old.qty if qty is None else qty, price or old.price
        o.filled += new_qty
        o.value += new_qty * new_px
        realized = self._book(acct, o, new_qty, new_px, old.commission)
        new = Execution(
            f"{head}.{int(tail) + 1:02d}",
            o,
            new_qty,
            new_px,
            self.now(),
            o.filled,
            o.avg,
            old.commission,
            realized,
            old.exchange,
        )
        self.executions.append(new)
        self._publish(o, lambda s: (self._send_exec(s, -1, new), self._send_commission(s, new)))
        return new

    def late_fill(self, order: Order | str, qty: float, price: float | None = None) -> Execution:
        """An execution that arrives after the order was reported Cancelled."""
        o = self.order(ref=order) if isinstance(order, str) else order
        return self._execute(o, qty, price or self._fill_price(o, 0), keep_status=True)

    def cancel_by_broker(
        self, order: Order | str, code: int = 202, text: str = "Order Canceled - reason:"
    ) -> None:
        o = self.order(ref=order) if isinstance(order, str) else order
        self._finish(o, "Cancelled", "Cancelled by System", code, text)

    def manual_trade(
        self, symbol: str, action: str, qty: float, price: float | None = None
    ) -> Execution:
        """A human trades the same account in TWS: client 0, no orderRef, no orderId."""
        inst = self.inst(symbol)
        raw = defaultdict(
            str,
            orderId=0,
            contract=defaultdict(str, symbol=symbol, exchange="SMART"),
            orderType="MKT",
            algoStrategy="",
            algoParams=[],
            whatIf="0",
            transmit="1",
        )
        o = Order(
            0,
            0,
            next(self._perm),
            self.default_account,
            inst,
            raw,
            action,
            qty,
            "MKT",
            None,
            None,
            "DAY",
            "",
            FillPlan(),
            self.now(),
        )
        self.orders.append(o)
        return self._execute(o, qty, price or (inst.ask if action == "BUY" else inst.bid))

    def adjust_cash(self, amount: float, currency: str = "USD", account: str | None = None) -> None:
        """Deposit, withdrawal, dividend, interest or fee."""
        a = self.accounts[account or self.default_account]
        a.cash[currency] = a.cash.get(currency, 0.0) + amount
        a.cash_adjust[currency] += amount
        self.push_account()

    def split(self, symbol: str, ratio: float) -> None:
        """Stock split: positions times ratio, prices divided by it."""
        inst = self.inst(symbol)
        for a in self.accounts.values():
            p = a.positions[inst.con_id]
            a.position_adjust[inst.con_id] += p.qty * (ratio - 1)
            p.qty, p.avg_cost = p.qty * ratio, p.avg_cost / ratio
            for s in list(self.sessions):
                if s.positions:
                    self._send_position(s, a, inst.con_id)
        inst.prev_close, inst.daily = inst.round(inst.prev_close / ratio), None
        inst.high, inst.low = inst.high / ratio, inst.low / ratio
        self.set_price(symbol, inst.round(inst.last / ratio))
