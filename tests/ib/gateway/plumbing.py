"""Messages in and out, with the faults that befall them, and the requests of a session."""

from __future__ import annotations

import logging
import time

from tests.ib.gateway.faults import Msg
from tests.ib.gateway.session import Session
from tests.ib.gateway.wire import IN_NAMES, Cursor, Unsupported, parse_place_order

log = logging.getLogger("fake_ib_gateway")


class Plumbing:
    """Passes messages."""

    def _outbound(self, ses: Session, msg: Msg) -> None:
        for f in self.faults:
            if f.direction != "out" or not f.match(ses.client_id, msg.kind, msg):
                continue
            self._note("flt", ses.client_id, f"{f.action}:{msg.kind}", [])
            if f.action == "drop_before":
                ses.kill(f.how)
            elif f.action == "drop_after":
                ses.put(msg)
                ses.kill(f.how)
            elif f.action == "drop_mid":
                ses.put_partial(msg)
                ses.kill(f.how)
            elif f.action == "swallow":
                pass
            elif f.action == "duplicate":
                for _ in range(1 + f.copies):
                    ses.put(msg)
            elif f.action == "delay":
                self._later(f.seconds, ses.put, msg)
            elif f.action == "stall":
                ses.pause(f.seconds)
                ses.put(msg)
            elif f.action == "hold":
                ses.held.append((f.until, msg))
            elif f.action == "call":
                assert f.fn
                f.fn(ses, msg)
            else:
                raise ValueError(f.action)
            return
        ses.put(msg)

    def _inbound(self, ses: Session, fields: list[str]) -> None:
        msg_id = int(fields[0])
        name = IN_NAMES.get(msg_id, f"request{msg_id}")
        ses.received += 1
        self._note("in", ses.client_id, name, fields)
        if not self._pace(ses):
            return
        for f in self.faults:
            if f.direction != "in" or not f.match(ses.client_id, name, fields):
                continue
            self._note("flt", ses.client_id, f"{f.action}:{name}", [])
            if f.action == "drop_unprocessed":
                self._record_lost(ses, name, fields, "lost")
                ses.kill(f.how)
            elif f.action == "drop_processed":
                ses.muted = True
                self._dispatch(ses, name, fields)
                ses.kill(f.how)
            elif f.action == "swallow":
                self._record_lost(ses, name, fields, "swallowed")
            elif f.action == "delay":
                self._later(f.seconds, self._dispatch, ses, name, fields)
            elif f.action == "call":
                assert f.fn
                f.fn(ses, fields)
            else:
                raise ValueError(f.action)
            return
        self._dispatch(ses, name, fields)

    def _record_lost(self, ses: Session, name: str, fields: list[str], outcome: str) -> None:
        if name == "placeOrder":
            self._receive(ses.client_id or 0, parse_place_order(fields[1:], ses.sv), outcome)

    def _dispatch(self, ses: Session, name: str, fields: list[str]) -> None:
        handler = getattr(self, "_on_" + name, None)
        try:
            if handler is None:
                raise Unsupported(name)  # noqa: TRY301
            handler(ses, Cursor(fields[1:]), fields)
        except Unsupported as e:
            log.warning("unsupported request: %s", e)
            self._note("sys", ses.client_id, f"unsupported:{e}", fields)
            self._error(
                ses, -1, 321, f"Error validating request.-'fake' : cause - {e} not modelled"
            )
        except Exception:
            log.exception("handling %s %s", name, fields)
            self._error(ses, -1, 320, f"Error reading request. {name}")

    def _pace(self, ses: Session) -> bool:
        limit = self.max_msgs_per_second
        if not limit:
            return True
        t = time.monotonic()
        ses.times.append(t)
        while ses.times and t - ses.times[0] > 0.9:
            ses.times.popleft()
        if len(ses.times) <= limit:
            return True
        ses.rate_strikes += 1
        self._error(
            ses,
            -1,
            100,
            "Max rate of messages per second has been exceeded:"
            f"max={limit} rec={len(ses.times)} ({ses.rate_strikes})",
        )
        ses.times.clear()
        if ses.rate_strikes >= 3:
            ses.kill("fin")
            return False
        return True

    def _error(
        self, ses: Session | None, req_id: int, code: int, text: str, advanced: str = ""
    ) -> None:
        if ses is None:
            return
        tail = [advanced] if ses.sv >= 166 else []
        ses.send("error", 4, 2, req_id, code, text, *tail, code=code, req_id=req_id)

    def _on_startApi(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        cid = c.int()
        busy = any(s.client_id == cid for s in self.sessions)
        held = self._busy_ids.get(cid, 0) > time.monotonic()
        if busy or held:
            self._error(
                ses,
                -1,
                326,
                "Unable to connect as the client id is already in use. "
                "Retry with a unique client id.",
            )
            ses.kill("fin")
            return
        ses.client_id = cid
        self.sessions.append(ses)
        ses.send("managedAccounts", 15, 1, ",".join(self.accounts) + ",")
        ses.send("nextValidId", 9, 1, self.next_order_id(cid))
        ses.started = True
        for code, text in (
            (2104, "Market data farm connection is OK:usfarm"),
            (2106, "HMDS data farm connection is OK:ushmds"),
            (2158, "Sec-def data farm connection is OK:secdefil"),
        ):
            self._error(ses, -1, code, text)
        if not self.upstream_up:
            self._error(
                ses, -1, 1100, "Connectivity between IBKR and Trader Workstation has been lost."
            )
        if self.download_open_orders:  # TWS setting "Download open orders on connection"
            for o in self.orders:
                if o.live and o.client_id == cid:
                    self._send_open_order(ses, o)
                    self._send_status(ses, o)

    def next_order_id(self, client_id: int) -> int:
        return self.next_id.get(client_id, self.first_order_id)

    def _on_reqIds(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.send("nextValidId", 9, 1, self.next_order_id(ses.client_id or 0))

    def _on_reqManagedAccts(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.send("managedAccounts", 15, 1, ",".join(self.accounts) + ",")

    def _on_reqCurrentTime(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.send("currentTime", 49, 1, int(self.now().timestamp()))

    def _on_reqUserInfo(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.send("userInfo", 107, c.int(), "")

    def _on_reqFamilyCodes(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        ses.send("familyCodes", 78, 1, "*", "")

    def _ignore(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        pass

    _on_reqAutoOpenOrders = _on_setServerLogLevel = _on_cancelHeadTimeStamp = _ignore
