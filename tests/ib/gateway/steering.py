"""What a test may do to a gateway: faults of the line, of the exchange and of orders."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.ib.gateway.domain import FillPlan
from tests.ib.gateway.faults import Fault


class Steering:
    """Installs faults."""

    def fault(self, kind: str, action: str, **kw: Any) -> Fault:
        """Install a rule; see :class:`Fault`.  ``kind`` is a message name or '*'."""
        f = Fault(kind, action, **kw)
        self.faults.append(f)
        return f

    def clear_faults(self) -> None:
        self.faults.clear()

    # connection loss

    def drop(self, client_id: int | None = None, how: str = "rst") -> int:
        """Kill live connections now.  how: 'rst', 'fin' or 'blackhole' (no FIN, no data)."""
        victims = [s for s in self.sessions if client_id in (None, s.client_id)]
        for s in victims:
            s.kill(how)
        return len(victims)

    def drop_on(self, kind: str, when: str = "before", how: str = "rst", **kw: Any) -> Fault:
        """Kill the connection before / after / in the middle of an outbound message."""
        return self.fault(kind, f"drop_{when}", how=how, **kw)

    def drop_after_accept(self, how: str = "rst", kind: str = "placeOrder", **kw: Any) -> Fault:
        """Next order is accepted (and will fill) but the line dies before any ack."""
        return self.fault(kind, "drop_processed", direction="in", how=how, **kw)

    def drop_before_accept(self, how: str = "rst", kind: str = "placeOrder", **kw: Any) -> Fault:
        """Next order is written to the socket by the client but never seen by the broker."""
        return self.fault(kind, "drop_unprocessed", direction="in", how=how, **kw)

    def swallow(self, kind: str, **kw: Any) -> Fault:
        """Lose the next outbound message of this kind (or inbound, with direction='in')."""
        return self.fault(kind, "swallow", **kw)

    def delay(self, kind: str, seconds: float, **kw: Any) -> Fault:
        """Send the next message of this kind late; later messages overtake it."""
        return self.fault(kind, "delay", seconds=seconds, **kw)

    def stall(self, kind: str, seconds: float, **kw: Any) -> Fault:
        """The whole stream freezes for ``seconds`` before the next message of this kind."""
        return self.fault(kind, "stall", seconds=seconds, **kw)

    def duplicate(self, kind: str, copies: int = 1, times: int = 1, **kw: Any) -> Fault:
        return self.fault(kind, "duplicate", copies=copies, times=times, **kw)

    def reorder(self, kind: str, after: str, **kw: Any) -> Fault:
        """Hold the next ``kind`` and release it right after the next ``after`` message."""
        return self.fault(kind, "hold", until=after, **kw)

    def freeze(self, client_id: int | None = None) -> Callable[[], None]:
        """Gateway hangs: sockets stay open, nothing is read or written.  Call the result
        to thaw."""
        victims = [s for s in self.sessions if client_id in (None, s.client_id)]
        for s in victims:
            s.frozen.clear()

        def thaw() -> None:
            for s in victims:
                s.frozen.set()

        return thaw

    async def refuse_connections(self, seconds: float, drop: bool = True, how: str = "rst") -> None:
        """Close the listening socket (ECONNREFUSED) for a while."""
        await self._unlisten()
        if drop:
            self.drop(how=how)
        if self._reopening:
            self._reopening.cancel()
        self._reopening = self._spawn(self._reopen(seconds))

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self.server:
            await self._listen()
            self._note("sys", None, "listening again", [])

    async def restart(self, downtime: float = 0.5, how: str = "fin") -> None:
        """Nightly restart: every client is dropped and connections are refused for
        ``downtime``.  Broker state survives; working orders keep filling meanwhile."""
        await self.refuse_connections(downtime, drop=True, how=how)

    def hang_handshake(self) -> Callable[[], None]:
        """Accept TCP but answer nothing (e.g. gateway stuck at its 2FA dialog)."""
        self.handshake_gate.clear()
        return self.handshake_gate.set

    def hold_client_id(self, client_id: int, seconds: float = 1e9) -> None:
        """Refuse this client id with error 326 (a stale session still owns it)."""
        self._busy_ids[client_id] = time.monotonic() + seconds

    # IB server connectivity

    def connectivity_lost(self, orders: str = "queue") -> None:
        """Error 1100.  Exchange-side fills go on; their reports wait for the restore.

        ``orders`` says what happens to orders placed meanwhile: 'queue' (the gateway shows
        them as PendingSubmit and routes them on restore), 'silent' (the same, but nothing is
        reported until the restore), 'reject' (error 201) or 'lose' (gone without a word)."""
        self.upstream_up, self.outage_orders = False, orders
        self._broadcast_error(
            1100, "Connectivity between IBKR and Trader Workstation has been lost."
        )

    def connectivity_restored(self, data_lost: bool = False) -> None:
        """Error 1101 (data requests lost: resubscribe) or 1102 (data maintained)."""
        self.upstream_up = True
        if data_lost:
            for s in self.sessions:
                s.mkt.clear()
                s.hist_subs.clear()
            self._broadcast_error(
                1101,
                "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
            )
        else:
            self._broadcast_error(
                1102,
                "Connectivity between IBKR and Trader Workstation has been "
                "restored - data maintained. All data farms are connected: "
                "usfarm; ushmds; secdefil.",
            )
        pending, self._outage = self._outage, []
        for fn in pending:
            fn()
        work, self._outage_work = self._outage_work, []
        for fn in work:
            fn()
        queued, self._outage_orders = self._outage_orders, []
        for client_id, fields in queued:
            ses = next((s for s in self.sessions if s.client_id == client_id), None)
            self._place_order(ses, client_id, fields, from_queue=True)

    def farm(self, code: int, name: str = "usfarm") -> None:
        """Send a data-farm notice: 2103/2105/2157 broken, 2104/2106/2158 OK, 2107/2108 idle."""
        text = {
            2103: "Market data farm connection is broken",
            2104: "Market data farm connection is OK",
            2105: "HMDS data farm connection is broken",
            2106: "HMDS data farm connection is OK",
            2107: "HMDS data farm connection is inactive but should be available upon demand.",
            2108: "Market data farm connection is inactive but should be available upon demand.",
            2157: "Sec-def data farm connection is broken",
            2158: "Sec-def data farm connection is OK",
            2110: "Connectivity between Trader Workstation and server is broken. It will be "
            "restored automatically.",
        }.get(code, "farm notice")
        self._broadcast_error(code, text if code == 2110 else f"{text}:{name}")

    def _broadcast_error(self, code: int, text: str) -> None:
        for s in list(self.sessions):
            self._error(s, -1, code, text)

    # orders

    def reject_next_order(
        self,
        code: int = 201,
        reason: str = "Order rejected - reason:TEST",
        after_ack: bool = False,
        status: str | None = "Inactive",
        advanced: str = "",
    ) -> None:
        self._rejects.append(
            {
                "code": code,
                "reason": reason,
                "after_ack": after_ack,
                "status": status,
                "advanced": advanced,
            }
        )

    def notice_next_order(self, code: int, text: str, after_ack: bool = False) -> None:
        """Accept the next order but also send an 'error' that is only a notice
        (399, 10349, 2109 ...)."""
        self._notices.append((code, text, after_ack))

    def plan_next(self, plan: FillPlan, symbol: str = "", ref: str = "") -> None:
        """Use this fill plan for the next matching order only."""
        self._plans.append((plan, symbol, ref))

    def twin_on_next_modify(self) -> None:
        """The next modification creates a second live broker order (new permId, same
        orderId) while the original stays live: seen at IB when modifying during an
        outage (nautilus_trader#4564)."""
        self._twin_next_modify = True

    def fill_on_next_cancel(self) -> None:
        """The next cancel request loses the race: the order fills first (error 10148)."""
        self._fill_on_cancel = True

    def whatif_next(self, mode: str) -> None:
        """'hang' (no reply), 'unset_first' (a first reply without numbers), 'reject', 'range' (of
        the commission, and a warning)."""
        self._whatif_mode.append(mode)

    def hist_error_next(
        self,
        code: int = 162,
        text: str = "Historical Market Data Service error message:HMDS query returned no data",
    ) -> None:
        self._hist_errors.append((code, text))
