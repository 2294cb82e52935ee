"""The exchange: what fills, at which price, and what that does to the account."""

from __future__ import annotations

from tests.ib.gateway.domain import Account, Execution, Order


class Matching:
    """Fills orders."""

    def _marketable(self, o: Order) -> bool:
        i = o.inst
        if not (o.active and self.market_open) or i.halted or o.tif == "OPG":
            return False
        if o.type in ("MOC", "LOC"):
            return False
        if o.type in ("STP", "STP LMT") and not o.triggered:
            hit = i.last >= (o.aux or 0) if o.action == "BUY" else i.last <= (o.aux or 0)
            if not hit:
                return False
            o.triggered = True
            o.status = "Submitted"
            self._report_order(o)
        if o.type in ("LMT", "STP LMT") and o.lmt is not None:
            return i.ask <= o.lmt + 1e-9 if o.action == "BUY" else i.bid >= o.lmt - 1e-9
        return True

    def _evaluate(self, o: Order) -> None:
        if (
            self.auto_fill
            and o.live
            and o.status != "PendingCancel"
            and o.remaining > 0
            and o.handle is None
            and o.parts_left
            and self._marketable(o)
        ):
            o.handle = self._later(o.plan.delay, self._slice, o)

    def _slice(self, o: Order) -> None:
        o.handle = None
        if not o.live or not o.parts_left or not self._marketable(o):
            return
        n = len(o.plan.parts) - len(o.parts_left)
        part = o.parts_left.pop(0)
        whole = not o.parts_left and abs(sum(o.plan.parts) - 1) < 1e-9
        want = o.qty * part if self.allow_fractional else max(1.0, round(o.qty * part))
        qty = o.remaining if whole else min(o.remaining, want)
        if o.status == "PreSubmitted":
            o.status = "Submitted"
        self._execute(o, qty, self._fill_price(o, n))
        if o.live and o.tif == "IOC" and not o.parts_left:
            self._finish(o, "Cancelled", "Cancelled by System", 202, "Order Canceled - reason:")
        self._evaluate(o)

    def _fill_price(self, o: Order, n: int) -> float:
        i = o.inst
        px = i.ask if o.action == "BUY" else i.bid
        offs = o.plan.price_offsets
        if offs:
            px = i.round(px + offs[min(n, len(offs) - 1)])
        if o.lmt and o.type in ("LMT", "STP LMT", "LOC"):
            px = min(px, o.lmt) if o.action == "BUY" else max(px, o.lmt)
        return px

    def _auction(self, o: Order) -> None:
        i = o.inst
        limited = o.type in ("LOC", "LMT") and o.lmt is not None
        if limited and ((i.last > o.lmt) if o.action == "BUY" else (i.last < o.lmt)):
            self._finish(o, "Cancelled", "Cancelled by System", 202, "Order Canceled - reason:")
            return
        o.status = "Submitted"
        self._execute(o, o.remaining, i.last)

    def _commission(self, o: Order, cum_qty: float) -> float:
        """IB 'fixed' US stock pricing: USD 0.005/share, at least 1.00 per order."""
        return round(max(1.0, 0.005 * cum_qty), 4)

    def _execute(self, o: Order, qty: float, price: float, keep_status: bool = False) -> Execution:
        o.filled = round(o.filled + qty, 8)
        o.value += qty * price
        o.last_price = price
        commission = round(self._commission(o, o.filled) - o.commission_charged, 4)
        o.commission_charged += commission
        realized = self._book(self.accounts[o.account], o, qty, price, commission)
        n = next(self._exec_seq)
        e = Execution(
            f"{self._exec_base:08x}.{0x64000000 + n:08x}.01.01",
            o,
            qty,
            price,
            self.now(),
            o.filled,
            o.avg,
            commission,
            realized,
            self.rng.choice(["ARCA", "NASDAQ", "IBKRATS", "BATS"]),
        )
        self.executions.append(e)
        if not keep_status:
            if o.remaining <= 0:
                o.status, o.done_at = "Filled", self.now()
                o.completed_status = f"Filled Size: {o.filled:g}"
                self._cancel_timer(o)
            elif o.status == "PreSubmitted":
                o.status = "Submitted"
        self._publish(o, lambda s: self._send_exec(s, -1, e))
        self._report_order(o)
        if self.chatty and o.status == "Filled":
            self._report_order(o)  # IB repeats order status messages
        self._push_after_trade(o)
        if o.plan.commission_delay:
            self._later(
                o.plan.commission_delay, self._publish, o, lambda s: self._send_commission(s, e)
            )
        else:
            self._publish(o, lambda s: self._send_commission(s, e))
        if o.status == "Filled":
            self._family_filled(o)
        return e

    def _family_filled(self, o: Order) -> None:
        for x in self.orders:
            if not x.live or x.client_id != o.client_id or x is o:
                continue
            if x.parent_id == o.order_id and not x.active:
                x.active = True
                self._ack(x)
            elif o.parent_id and x.parent_id == o.parent_id:
                self._finish(x, "Cancelled", "Cancelled by System", 202, "Order Canceled - reason:")

    def _push_after_trade(self, o: Order) -> None:
        a = self.accounts[o.account]

        def push() -> None:
            for s in list(self.sessions):
                if s.positions:
                    self._send_position(s, a, o.inst.con_id)
                if s.acct_sub == a.name:
                    self._send_portfolio(s, a, o.inst.con_id)
                    for tag, val, cur in self.account_rows(a):
                        if tag in (
                            "NetLiquidation",
                            "TotalCashValue",
                            "AvailableFunds",
                            "BuyingPower",
                            "CashBalance",
                            "TotalCashBalance",
                            "InitMarginReq",
                            "MaintMarginReq",
                            "ExcessLiquidity",
                            "GrossPositionValue",
                            "RealizedPnL",
                        ):
                            s.send("updateAccountValue", 6, 2, tag, val, cur, a.name)

        if self.upstream_up:
            push()
        else:
            self._outage.append(push)

    def _book(
        self, a: Account, o: Order, qty: float, price: float, commission: float
    ) -> float | None:
        """Post one execution.  Returns realized P&L (net of commission) if it closed something."""
        i, p = o.inst, a.positions[o.inst.con_id]
        signed = qty if o.action == "BUY" else -qty
        a.cash[i.currency] = a.cash.get(i.currency, 0.0) - signed * price - commission
        a.commissions[i.currency] += commission
        realized: float | None = None
        if p.qty == 0 or (p.qty > 0) == (signed > 0):  # opening
            cost = p.avg_cost * p.qty + signed * price + commission * (1 if signed > 0 else -1)
            p.qty = round(p.qty + signed, 8)
            p.avg_cost = cost / p.qty if p.qty else 0.0
        else:
            closed = min(abs(signed), abs(p.qty)) * (1 if p.qty > 0 else -1)
            realized = closed * (price - p.avg_cost) - commission
            p.realized += realized
            p.qty = round(p.qty + signed, 8)
            if p.qty and (p.qty > 0) == (signed > 0):  # went through zero
                p.avg_cost = price
            elif not p.qty:
                p.avg_cost = 0.0
        return realized

    def _cancel_timer(self, o: Order) -> None:
        if o.handle:
            o.handle.cancel()
            o.handle = None
