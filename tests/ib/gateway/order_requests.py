"""What else is asked of orders: what if, cancels, lists of them, executions."""

from __future__ import annotations

from typing import Any

from tests.ib.gateway.domain import Order
from tests.ib.gateway.session import Session
from tests.ib.gateway.wire import UNSET, Cursor


class OrderRequests:
    """Answers about orders."""

    def _what_if(self, ses: Session | None, o: dict[str, Any]) -> None:
        mode = self._whatif_mode.popleft() if self._whatif_mode else ""
        found = self._find(o["contract"])
        if mode == "hang" or ses is None:
            return
        problem = (
            self._validate(o, found[0])
            if len(found) == 1
            else (200, "No security definition has been found for the request")
        )
        if mode == "reject":
            problem = (201, "Order rejected - reason:TEST whatIf")
        if problem:
            self._error(ses, o["orderId"], *problem)
            return
        order = self._new_order(ses.client_id or 0, o, found[0])
        if mode == "unset_first":
            self._send_open_order(
                ses,
                order,
                state=[
                    "PreSubmitted",
                    *[UNSET] * 9,
                    UNSET,
                    UNSET,
                    UNSET,
                    "",
                    "Your order is being checked",
                ],
            )
        a = self.accounts[order.account]
        n = self.numbers(a)
        px = (order.lmt or order.inst.ask) * self.rate(order.inst.currency, a.base)
        before = a.positions[order.inst.con_id].qty
        after = before + (order.qty if order.action == "BUY" else -order.qty)
        d_init = (abs(after) - abs(before)) * px * (0 if self.cash_account else self.margin_rate)
        comm = self._commission(order, order.qty)
        elv = n["EquityWithLoanValue"]
        state = [
            "PreSubmitted",
            n["InitMarginReq"],
            n["MaintMarginReq"],
            elv,
            d_init,
            d_init / 2,
            -comm,
            n["InitMarginReq"] + d_init,
            n["MaintMarginReq"] + d_init / 2,
            elv - comm,
            UNSET if mode == "range" else comm,
            comm if mode == "range" else UNSET,
            2 * comm if mode == "range" else UNSET,
            order.inst.currency,
            "TEST about half of it" if mode == "range" else "",
        ]
        self._send_open_order(ses, order, state=state)

    def _on_cancelOrder(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        oid = c.int()
        if self.upstream_up:
            self._cancel(ses, oid)
        else:
            self._outage_work.append(lambda: self._cancel(ses, oid))

    def _cancel(self, ses: Session, oid: int) -> None:
        mine = [x for x in self.orders if x.client_id == ses.client_id and x.order_id == oid]
        live = [x for x in mine if x.live]
        if not mine:
            self.cancels.append((ses.client_id or 0, oid, "10147"))
            self._error(ses, oid, 10147, f"OrderId {oid} that needs to be cancelled is not found.")
            return
        o = live[-1] if live else mine[-1]
        if self._fill_on_cancel and o.live:
            self._fill_on_cancel = False
            self._execute(o, o.remaining, self._fill_price(o, 0))
        if not o.live:
            self.cancels.append((ses.client_id or 0, oid, "10148"))
            self._error(
                ses,
                oid,
                10148,
                f"OrderId {oid} that needs to be cancelled can not be cancelled, "
                f"state: {o.status}.",
            )
            return
        self.cancels.append((ses.client_id or 0, oid, "cancelled"))
        self._finish(o, "Cancelled", "Cancelled by Trader", 202, "Order Canceled - reason:")

    def _on_reqGlobalCancel(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        for o in [x for x in self.orders if x.live]:
            self._finish(o, "Cancelled", "Cancelled by Trader", 202, "Order Canceled - reason:")

    def _finish(self, o: Order, status: str, why: str, code: int = 0, text: str = "") -> None:
        if not o.live:
            return
        o.status, o.done_at, o.completed_status = status, self.now(), why
        self._cancel_timer(o)

        def report(s: Session) -> None:
            self._send_status(s, o)
            if code:
                self._error(s, o.order_id, code, text)

        self._publish(o, report)
        for x in self.orders:  # a cancelled parent takes its children along
            if (
                x.live
                and x.parent_id
                and (x.client_id, x.parent_id) == (o.client_id, o.order_id)
                and not o.filled
            ):
                self._finish(x, status, why, code, text)

    def _on_reqOpenOrders(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        for o in self.orders:
            if o.live and o.client_id == ses.client_id:
                self._send_open_order(ses, o)
                self._send_status(ses, o)
        ses.send("openOrderEnd", 53, 1)

    def _on_reqAllOpenOrders(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        for o in self.orders:
            if o.live:
                self._send_open_order(ses, o)
                self._send_status(ses, o)
        ses.send("openOrderEnd", 53, 1)

    def _on_reqCompletedOrders(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        for o in self.orders:
            if not o.live and self._today(o.done_at):
                self._send_completed(ses, o)
        ses.send("completedOrdersEnd", 102)

    def _on_reqExecutions(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        req, client, acct, since, symbol, sec, exch, side = (
            c.int(),
            c.int(),
            c.str(),
            c.str(),
            c.str(),
            c.str(),
            c.str(),
            c.str(),
        )
        t0 = self._parse_end(since) if since else None
        for e in self.executions:
            o = e.order
            if (
                not self._today(e.time)
                or (client and o.client_id != client)
                or (acct and o.account != acct)
                or (symbol and o.inst.symbol != symbol)
                or (sec and o.inst.sec_type != sec)
                or (exch and e.exchange != exch)
                or (side and o.action != side)
                or (t0 and e.time < t0)
            ):
                continue
            if e.superseded:
                continue
            self._send_exec(ses, req, e)
            if o.client_id == ses.client_id or ses.client_id == self.master_client_id:
                self._send_commission(ses, e)  # IB: other clients' commissions only to the master
        ses.send("execDetailsEnd", 55, 1, req)
