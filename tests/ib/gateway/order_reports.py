"""Orders out: what a client is told of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.ib.gateway.domain import Execution, Order
from tests.ib.gateway.session import Session
from tests.ib.gateway.wire import (
    DELTA_NEUTRAL_NONE,
    OO_1,
    OO_2,
    OO_ADJUSTED,
    OO_TAIL_170,
    PO_6,
    UNSET,
)


def echoed(raw: dict[str, Any], names: str) -> list[str]:
    """What the client said of these fields, empty where it said nothing."""
    return [raw.get(name, "") for name in names.split()]


def algo(o: Order) -> list[Any]:
    """The algorithm of an order, with its parameters."""
    if not o.algo:
        return [o.algo]
    parameters = o.raw["algoParams"]
    return [o.algo, len(parameters), *(part for pair in parameters for part in pair)]


class Reporting:
    """Reports orders."""

    def _publish(self, o: Order, report: Callable[[Session], Any]) -> None:
        """Deliver an order event to the owner (and the master client); nobody is queued for."""

        def go() -> None:
            for s in list(self.sessions):
                if s.started and s.client_id in (o.client_id, self.master_client_id):
                    report(s)

        if self.upstream_up:
            go()
        else:
            self._outage.append(go)

    def _report_order(self, o: Order) -> None:
        # the state is captured now: reports that wait out an outage tell what was
        status, filled, avg, last = o.status, o.filled, o.avg, o.last_price

        def report(s: Session) -> None:
            self._send_open_order(s, o, status=status)
            self._send_status(s, o, status, filled, avg, last)

        self._publish(o, report)

    def _send_status(
        self,
        s: Session,
        o: Order,
        status: str | None = None,
        filled: float | None = None,
        avg: float | None = None,
        last: float | None = None,
    ) -> None:
        filled = o.filled if filled is None else filled
        st = status or o.status
        s.send(
            "orderStatus",
            3,
            o.order_id,
            st,
            filled,
            max(0.0, o.qty - filled),
            o.avg if avg is None else avg,
            0 if self.numbers_late else o.perm_id,
            o.parent_id,
            o.last_price if last is None else last,
            o.client_id,
            o.why_held,
            0.0,
            order=o,
            status=st,
        )

    def _send_open_order(
        self, s: Session, o: Order, status: str | None = None, state: list[Any] | None = None
    ) -> None:
        r, sv = o.raw, s.sv

        echo = partial(echoed, r)
        st = state or [
            status or o.status,
            *[UNSET] * 9,
            o.commission_charged or UNSET,
            UNSET,
            UNSET,
            o.inst.currency if o.commission_charged else "",
            "",
        ]
        f: list[Any] = [
            5,
            o.order_id,
            o.inst.con_id,
            *o.inst.contract(r["contract"]["exchange"] or "SMART", "?"),
            o.action,
            o.qty,
            o.type,
            0.0 if o.lmt is None else o.lmt,
            0.0 if o.aux is None else o.aux,
            o.tif,
            r["ocaGroup"],
            o.account,
            r["openClose"],
            r["origin"],
            o.ref,
            o.client_id,
            0 if self.numbers_late else o.perm_id,
            *echo("outsideRth hidden discretionaryAmt goodAfterTime"),
            "",
            *echo("faGroup faMethod faPercentage"),
        ]
        if sv < 177:
            f.append("")
        f += [
            *echo(OO_1),
            *echo("auctionStrategy"),
            *echo(OO_2),
            *echo(
                "blockOrder sweepToFill allOrNone minQty ocaType eTradeOnly firmQuoteOnly "
                "nbboPriceCap"
            ),
            o.parent_id,
            *echo("triggerMethod volatility"),
            0,
            *DELTA_NEUTRAL_NONE,
            *echo("continuousUpdate referencePriceType trailStopPrice trailingPercent"),
            "",
            "",
            "",
            0,
            0,
            0,
            "",
            "",
            "",
            "",
            *echo(PO_6),
            0,
            *algo(o),
            *echo("solicited whatIf"),
            *st,
            *echo("randomizeSize randomizePrice"),
            0,
            *echo(OO_ADJUSTED),
            *echo("softDollarName softDollarVal"),
            "",
            *echo(
                "cashQty dontUseAutoPriceForHedge isOmsContainer discretionaryUpToLimitPrice "
                "usePriceMgmtAlgo"
            ),
        ]
        for since, name in ((159, "duration"), (160, "postToAts"), (162, "autoCancelParent")):
            if sv >= since:
                f.append(r.get(name, ""))
        if sv >= 170:
            f += echo(OO_TAIL_170)
        s.send("openOrder", *f, order=o, status=st[0])

    def _send_completed(self, s: Session, o: Order) -> None:
        r, sv = o.raw, s.sv

        echo = partial(echoed, r)
        f: list[Any] = [
            101,
            o.inst.con_id,
            *o.inst.contract(r["contract"]["exchange"] or "SMART", "?"),
            o.action,
            o.qty,
            o.type,
            0.0 if o.lmt is None else o.lmt,
            0.0 if o.aux is None else o.aux,
            o.tif,
            r["ocaGroup"],
            o.account,
            r["openClose"],
            r["origin"],
            o.ref,
            o.perm_id,
            *echo("outsideRth hidden discretionaryAmt goodAfterTime faGroup faMethod faPercentage"),
        ]
        if sv < 177:
            f.append("")
        f += [
            *echo(OO_1),
            *echo(OO_2),
            *echo("sweepToFill allOrNone minQty ocaType triggerMethod volatility"),
            0,
            "None",
            "",
            0,
            0,
            0,
            "",
            *echo("continuousUpdate referencePriceType trailStopPrice trailingPercent"),
            "",
            0,
            0,
            0,
            "",
            "",
            "",
            "",
            *echo("clearingAccount clearingIntent notHeld"),
            0,
            *algo(o),
            r.get("solicited", ""),
            o.status,
            *echo("randomizeSize randomizePrice"),
            0,
            *echo("trailStopPrice lmtPriceOffset cashQty dontUseAutoPriceForHedge isOmsContainer"),
            "",
            o.filled,
            "",
            r.get("autoCancelParent", ""),
            "Not an insider or substantial shareholder",
            0,
            0,
            0,
            self._stamp(o.done_at),
            o.completed_status,
        ]
        if sv >= 170:
            f += echo(OO_TAIL_170)
        s.send("completedOrder", *f, order=o)

    def _send_exec(self, s: Session, req: int, e: Execution) -> None:
        o = e.order
        tail = [False] if s.sv >= 178 else []
        s.send(
            "execDetails",
            11,
            req,
            o.order_id,
            o.inst.con_id,
            *o.inst.contract(e.exchange),
            e.exec_id,
            self._stamp(e.time),
            o.account,
            e.exchange,
            "BOT" if o.action == "BUY" else "SLD",
            e.qty,
            e.price,
            o.perm_id,
            o.client_id,
            0,
            e.cum_qty,
            e.avg_price,
            o.ref,
            "",
            "",
            "",
            2,
            *tail,
            order=o,
            execution=e,
        )

    def _send_commission(self, s: Session, e: Execution) -> None:
        s.send(
            "commissionReport",
            59,
            1,
            e.exec_id,
            e.commission,
            e.order.inst.currency,
            UNSET if e.realized is None else e.realized,
            UNSET,
            "",
            order=e.order,
            execution=e,
        )
