"""Orders in: placing, checking, changing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.ib.gateway.domain import (
    ALGO_VALUES,
    ALGOS,
    ANY,
    ORDER_TYPES,
    Instrument,
    Order,
    Received,
)
from tests.ib.gateway.session import Session
from tests.ib.gateway.wire import MAX_SERVER_VERSION, Cursor, parse_place_order

READ_ONLY = (
    321,
    "Error validating request.-'bH' : cause - The API interface is currently in Read-Only mode.",
)


class OrderDesk:
    """Takes orders."""

    def _receive(self, client_id: int, o: dict[str, Any], outcome: str) -> Received:
        rec = Received(
            next(self._seq),
            self.now(),
            client_id,
            o["orderId"],
            o["orderRef"],
            o["contract"]["symbol"],
            o["action"],
            float(o["totalQuantity"] or 0),
            o["orderType"],
            o["lmtPrice"],
            outcome,
        )
        self.received.append(rec)
        return rec

    def _on_placeOrder(self, ses: Session, _c: Cursor, fields: list[str]) -> None:
        self._place_order(ses, ses.client_id or 0, fields)

    def _place_order(
        self, ses: Session | None, client_id: int, fields: list[str], from_queue: bool = False
    ) -> None:
        sv = ses.sv if ses else MAX_SERVER_VERSION
        o = parse_place_order(fields[1:], sv)
        if not self.upstream_up and not from_queue and o["whatIf"] != "1":
            if self.outage_orders == "lose":
                self._receive(client_id, o, "lost")
                return None
            if self.outage_orders == "silent":
                self._receive(client_id, o, "queued")
                self._outage_orders.append((client_id, fields))
                self._claim_id(client_id, o["orderId"])
                return None
        if from_queue:
            rec = next(
                r
                for r in self.received
                if r.outcome == "queued" and r.order_id == o["orderId"] and r.client_id == client_id
            )
        else:
            rec = self._receive(client_id, o, "new")

        oid = o["orderId"]
        existing = next(
            (x for x in reversed(self.orders) if x.client_id == client_id and x.order_id == oid),
            None,
        )
        if o["whatIf"] == "1":
            rec.outcome = "whatif"
            if self.read_only:
                self._error(ses, oid, *READ_ONLY)
            else:
                self._what_if(ses, o)
            return None
        if existing and existing.live:
            rec.outcome, rec.perm_id = "modify", existing.perm_id
            if self.upstream_up:
                self._modify(ses, existing, o, rec)
            else:
                self._outage_work.append(lambda: self._modify(ses, existing, o, rec))
            return None

        def refuse(code: int, text: str, advanced: str = "") -> None:
            rec.outcome = f"rejected {code}"
            self._error(ses, oid, code, text, advanced)

        if self.read_only:
            return refuse(*READ_ONLY)
        if existing:
            if existing.status == "Filled":
                return refuse(104, "Cannot modify a filled order.")
            return refuse(103, "Duplicate order id")
        if not from_queue and oid < self.next_order_id(client_id):
            return refuse(103, "Duplicate order id")
        if not self.upstream_up and self.outage_orders == "reject":
            return refuse(201, "Order rejected - reason:No connection to the server")
        found = self._find(o["contract"])
        if len(found) != 1:
            return refuse(200, "No security definition has been found for the request")
        inst = found[0]
        self._claim_id(client_id, oid)
        problem = self._validate(o, inst)
        if problem:
            return refuse(*problem)

        order = self._new_order(client_id, o, inst)
        rec.perm_id = order.perm_id
        reject = self._rejects.popleft() if self._rejects else self._margin_problem(order)
        if reject and not reject["after_ack"]:
            rec.outcome = f"rejected {reject['code']}"
            self.orders.append(order)
            self._reject(order, reject)
            return None
        self.orders.append(order)
        notice = self._notices.popleft() if self._notices else None
        if notice and not notice[2]:
            self._error(ses, oid, *notice[:2])
        if not self.upstream_up:  # outage_orders == "queue"
            order.status, was_active, order.active = "PendingSubmit", order.active, False

            def route() -> None:
                if order.live:
                    order.status, order.active = "PreSubmitted", was_active
                    self._ack(order)

            self._outage_work.append(route)
            if ses:
                self._send_open_order(ses, order)
                self._send_status(ses, order)
            return None
        if (
            order.inst.symbol in self.hard_to_borrow
            and order.action == "SELL"
            and (self.accounts[order.account].positions[inst.con_id].qty < order.qty)
        ):
            order.active, order.why_held = False, "locate"
            self._report_order(order)
            self._error(ses, oid, 404, "Order held while securities are located.")
            return None
        if reject:
            self._ack(order)
            self._later(0.02, self._reject, order, reject)
            rec.outcome = f"rejected {reject['code']}"
            return None
        if order.plan.ack_delay:
            self._later(order.plan.ack_delay, self._ack, order)
        else:
            self._ack(order)
        if notice and notice[2]:
            self._error(ses, oid, *notice[:2])
        if o["transmit"] == "1" and order.parent_id:
            self._transmit_family(order)
        return None

    def _claim_id(self, client_id: int, oid: int) -> None:
        self.next_id[client_id] = max(self.next_order_id(client_id), oid + 1)

    def _validate(self, o: dict[str, Any], inst: Instrument) -> tuple[int, str] | None:
        qty = float(o["totalQuantity"] or 0)
        if not o["contract"]["exchange"]:
            return 321, "Error validating request.-'bH' : cause - Missing order exchange"
        if o["action"] not in ("BUY", "SELL"):
            return 321, "Error validating request.-'bH' : cause - Invalid action"
        if o["orderType"] not in ORDER_TYPES:
            return 387, "Unsupported order type for this exchange and security type."
        if qty <= 0:
            return 434, "The order size cannot be zero."
        if qty != int(qty) and not self.allow_fractional:
            return 10243, (
                "Fractional-sized order cannot be placed via API. Please use desktop version "
                "to place this order."
            )
        for name in ("lmtPrice", "auxPrice"):
            if o[name] and o["orderType"] in ("LMT", "LOC", "STP", "STP LMT"):
                px = float(o[name])
                if px and abs(px / inst.min_tick - round(px / inst.min_tick)) > 1e-6:
                    return (
                        110,
                        "The price does not conform to the minimum price variation for this "
                        "contract.",
                    )
        if o["orderType"] in ("LMT", "LOC", "STP LMT") and not o["lmtPrice"]:
            return 321, "Error validating request.-'bH' : cause - Missing limit price"
        if o["orderType"] in ("MOC", "LOC") and o["tif"] not in ("", "DAY"):
            return 113, "The Tif option should be set to DAY for MOC and LOC orders."
        if o["account"] and o["account"] not in self.accounts:
            return (
                321,
                f"Error validating request.-'bH' : cause - Invalid account code '{o['account']}'.",
            )
        if not o["account"] and len(self.accounts) > 1:
            return 435, "You must specify an account."
        algo = o["algoStrategy"]
        if algo and algo not in ALGOS:
            return 439, f"The order processing failed. Algorithm definition not found for: {algo}"
        if algo:
            need = ALGOS[algo] - {t for t, _ in o["algoParams"]}
            if need:
                return 442, f"Missing required algo parameter: {min(need)}"
            for tag, value in o["algoParams"]:
                if not ALGO_VALUES.get(tag, ANY).fullmatch(value):
                    return 442, f"Invalid value in the algo parameter {tag}: {value}"
        return None

    def _new_order(self, client_id: int, o: dict[str, Any], inst: Instrument) -> Order:
        plan = self.plan
        for item in list(self._plans):
            p, sym, ref = item
            if (not sym or sym == inst.symbol) and (not ref or ref == o["orderRef"]):
                plan = p
                self._plans.remove(item)
                break

        def num(s: str) -> float | None:
            return float(s) if s else None

        parent = int(o["parentId"] or 0)
        order = Order(
            client_id,
            o["orderId"],
            next(self._perm),
            o["account"] or self.default_account,
            inst,
            o,
            o["action"],
            float(o["totalQuantity"]),
            o["orderType"],
            num(o["lmtPrice"]),
            num(o["auxPrice"]),
            o["tif"] or "DAY",
            o["orderRef"],
            plan,
            self.now(),
            parent_id=parent,
        )
        order.active = o["transmit"] == "1" and not parent
        order.parts_left = list(plan.parts)
        return order

    def _margin_problem(self, o: Order) -> dict[str, Any] | None:
        if not self.margin_check:
            return None
        a = self.accounts[o.account]
        rate = self.rate(o.inst.currency, a.base)
        px = o.lmt or o.inst.ask
        before, n = a.positions[o.inst.con_id].qty, self.numbers(a)
        after = before + (o.qty if o.action == "BUY" else -o.qty)
        growth = (abs(after) - abs(before)) * px * rate
        if growth <= 0:
            return None
        need = growth if self.cash_account else growth * self.margin_rate
        if need <= n["AvailableFunds"]:
            return None
        return {
            "code": 201,
            "after_ack": False,
            "status": "Inactive",
            "advanced": "",
            "reason": "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE "
            f"DESIRED POSITION YOUR EQUITY WITH LOAN VALUE [{n['EquityWithLoanValue']:.2f} "
            f"{a.base}] MUST EXCEED THE INITIAL MARGIN [{n['InitMarginReq'] + need:.2f} {a.base}]",
        }

    def _reject(self, o: Order, reject: dict[str, Any]) -> None:
        o.reject_reason = reject["reason"]
        o.status = reject["status"] or "Inactive"
        o.done_at = self.now()
        o.completed_status = "Rejected by System: " + reject["reason"]
        self._cancel_timer(o)

        def report(s: Session) -> None:
            self._error(s, o.order_id, reject["code"], reject["reason"], reject["advanced"])
            if reject["status"]:
                self._send_open_order(s, o)
                self._send_status(s, o)

        self._publish(o, report)

    def _ack(self, o: Order) -> None:
        """PreSubmitted, then Submitted when the order is really working."""
        if not o.live:
            return
        if self.chatty or not self._works(o):
            self._report_order(o)
        if not self.market_open and o.active and o.tif != "OPG":
            self._publish(
                o,
                lambda s: self._error(
                    s,
                    o.order_id,
                    399,
                    f"Order Message:\n{o.action} {o.qty:g} {o.inst.symbol} "
                    f"{o.inst.primary}\nWarning: your order will not be placed at the exchange "
                    "until "
                    f"{self._next_open()}",
                ),
            )
        if self._works(o):
            o.status = "Submitted"
            self._report_order(o)
            if o.tif == "IOC" and not self._marketable(o):
                self._finish(o, "Cancelled", "Cancelled by System", 202, "Order Canceled - reason:")
                return
        self._evaluate(o)

    def _next_open(self) -> str:
        d = self.now() + dt.timedelta(days=1)
        while d.weekday() > 4:
            d += dt.timedelta(days=1)
        return d.strftime("%Y-%m-%d 09:30:00 ") + self.tz_name

    def _works(self, o: Order) -> bool:
        return (
            o.active
            and self.market_open
            and o.type not in ("STP", "STP LMT", "MOC", "LOC")
            and o.tif != "OPG"
        )

    def _transmit_family(self, last: Order) -> None:
        for x in self.orders:
            if (
                x.client_id == last.client_id
                and x.order_id == last.parent_id
                and x.live
                and not x.active
            ):
                x.active = True
                self._ack(x)

    def _modify(self, ses: Session | None, order: Order, o: dict[str, Any], rec: Received) -> None:
        problem = self._validate(o, order.inst)
        if not order.live:
            problem = (104, "Cannot modify a filled order.")
        elif o["action"] != order.action or not order.inst.matches(o["contract"]):
            problem = (105, "Order being modified does not match original order")
        if problem is None and float(o["totalQuantity"]) < order.filled:
            problem = (201, "Order rejected - reason:Cannot reduce below the filled quantity")
        if self._rejects:
            r = self._rejects.popleft()
            problem = (r["code"], r["reason"])
        if problem:
            rec.outcome = f"modify rejected {problem[0]}"
            self._error(ses, order.order_id, *problem)  # the original stays live
            return
        if self._twin_next_modify:
            self._twin_next_modify = False
            twin = self._new_order(order.client_id, o, order.inst)
            twin.status = "Submitted" if self._works(twin) else "PreSubmitted"
            self.orders.append(twin)
            rec.outcome, rec.perm_id = "modify->twin", twin.perm_id
            self._report_order(twin)
            self._evaluate(twin)
            return
        order.raw = o
        order.qty = float(o["totalQuantity"])
        order.lmt = float(o["lmtPrice"]) if o["lmtPrice"] else order.lmt
        order.aux = float(o["auxPrice"]) if o["auxPrice"] else order.aux
        order.type, order.tif = o["orderType"], o["tif"] or "DAY"
        if o["transmit"] == "1":
            order.active = True
        if not order.parts_left:
            order.parts_left = [1.0]
        self._report_order(order)
        self._evaluate(order)
