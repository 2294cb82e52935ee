"""Prices of the past."""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from typing import Any
from zoneinfo import ZoneInfo

from tests.ib.gateway.domain import Instrument
from tests.ib.gateway.session import Session
from tests.ib.gateway.wire import CONTRACT, Cursor

log = logging.getLogger("fake_ib_gateway")


class HistoryDesk:
    """Answers about the past."""

    def daily_bars(
        self, inst: Instrument, n: int = 1500, end: dt.date | None = None
    ) -> list[tuple]:
        """Deterministic business-day bars (date, o, h, l, c, v) ending at the current price."""
        if inst.daily is None:
            rng = random.Random(inst.con_id)
            day, close, out = self.now().date(), inst.last, []
            while len(out) < n:
                if day.weekday() < 5:
                    r = rng.gauss(0.0003, inst.vol / 16)
                    prev = close / (1 + r)
                    o = prev * (1 + rng.gauss(0, inst.vol / 60))
                    hi = max(o, close) * (1 + abs(rng.gauss(0, inst.vol / 50)))
                    lo = min(o, close) * (1 - abs(rng.gauss(0, inst.vol / 50)))
                    out.append(
                        (
                            day,
                            *(inst.round(x) for x in (o, hi, lo, close)),
                            float(rng.randrange(10_000, 900_000)),
                        )
                    )
                    close = prev
                day -= dt.timedelta(days=1)
            inst.daily = out[::-1]
        bars = inst.daily
        return [b for b in bars if end is None or b[0] <= end]

    @staticmethod
    def _bar_date(d: dt.date) -> str:
        return d.strftime("%Y%m%d")

    def _on_reqHistoricalData(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        req, con = c.int(), c.take(CONTRACT)
        c.bool()
        end_s, bar, dur, _rth, what, fmt = c.str(), c.str(), c.str(), c.bool(), c.str(), c.int(1)
        keep = c.bool()
        found = self._find(con)
        key = (con["conId"], con["symbol"], end_s, bar, dur, what)
        t = time.monotonic()
        while self._hist_log and t - self._hist_log[0][0] > 600:
            self._hist_log.popleft()
        again = any(k == key and t - ts < 15 for ts, k in self._hist_log)
        self._hist_log.append((t, key))
        if self._hist_errors:
            self._error(ses, req, *self._hist_errors.popleft())
            return
        if self.hist_pacing and (again or len(self._hist_log) > 60):
            self._error(
                ses,
                req,
                162,
                "Historical Market Data Service error message:Historical data "
                "request pacing violation",
            )
            return
        if len(found) != 1:
            self._error(ses, req, 200, "No security definition has been found for the request")
            return
        if what == "ADJUSTED_LAST" and end_s:
            self._error(
                ses,
                req,
                321,
                "Error validating request.-'bR' : cause - End date not "
                "supported with adjusted last",
            )
            return
        if not self.upstream_up:
            return  # no answer during an outage
        inst = found[0]
        end = self._parse_end(end_s)
        num, unit = dur.split()
        days = int(float(num) * {"S": 1 / 86400, "D": 1, "W": 5, "M": 21, "Y": 252}[unit] + 0.999)
        bars = self.daily_bars(inst, end=end.date())[-max(1, days) :]
        lo, hi = self._stamp(end - dt.timedelta(days=days)), self._stamp(end)
        if what == "SCHEDULE":
            out: list[Any] = []
            for b in bars:
                d = self._bar_date(b[0])
                out += [f"{d}-09:30:00", f"{d}-16:00:00", d]
            ses.send("historicalSchedule", 106, req, lo, hi, self.tz_name, len(bars), *out)
            return
        rows: list[tuple] = []
        if bar in ("1 day", "1D", "1 week", "1W"):
            step = 5 if "W" in bar.upper() else 1
            rows += [
                (self._bar_date(b[0]), *b[1:6], (b[2] + b[3] + b[4]) / 3, 1000)
                for b in bars[::step]
            ]
        else:
            rows = self._intraday(inst, bars, bar, fmt)
        if not rows:
            self._error(
                ses,
                req,
                162,
                "Historical Market Data Service error message:HMDS query returned no data",
            )
            return
        flat = [x for r in rows for x in r]
        ses.send("historicalData", 17, req, lo, hi, len(rows), *flat)
        if keep:
            ses.hist_subs[req] = {"inst": inst}

    def _intraday(self, inst: Instrument, bars: list[tuple], bar: str, fmt: int) -> list[tuple]:
        num, unit = bar.split()
        secs = (
            int(num)
            * {"sec": 1, "secs": 1, "min": 60, "mins": 60, "hour": 3600, "hours": 3600}[unit]
        )
        rows: list[tuple] = []
        for day, o, _h, _l, cl, v in bars[-10:]:
            start = dt.datetime.combine(day, dt.time(9, 30), self.tz)
            n = max(1, 23_400 // secs)
            for k in range(n):
                p0, p1 = o + (cl - o) * k / n, o + (cl - o) * (k + 1) / n
                t = start + dt.timedelta(seconds=k * secs)
                rows.append(
                    (
                        int(t.timestamp()) if fmt == 2 else self._stamp(t),
                        inst.round(p0),
                        inst.round(max(p0, p1)),
                        inst.round(min(p0, p1)),
                        inst.round(p1),
                        round(v / n),
                        (p0 + p1) / 2,
                        10,
                    )
                )
        return rows[-2000:]

    def _parse_end(self, s: str) -> dt.datetime:
        if not s:
            return self.now()
        s = s.replace("-", " ")
        parts = s.split()
        t = dt.datetime.strptime(  # noqa: DTZ007 its zone follows
            parts[0] + " " + (parts[1] if len(parts) > 1 else "23:59:59"), "%Y%m%d %H:%M:%S"
        )
        zone = ZoneInfo(parts[2]) if len(parts) > 2 else self.tz
        return t.replace(tzinfo=zone).astimezone(self.tz)

    def _on_cancelHistoricalData(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        c.int()
        req = c.int()
        if ses.hist_subs.pop(req, None) is None:
            self._error(ses, req, 366, f"No historical data query found for ticker id:{req}")
        else:
            self._error(
                ses,
                req,
                162,
                "Historical Market Data Service error message:API historical "
                f"data query cancelled: {req}",
            )

    def _on_reqHeadTimeStamp(self, ses: Session, c: Cursor, _f: list[str]) -> None:
        req, con = c.int(), c.take(CONTRACT)
        found = self._find(con)
        if len(found) != 1:
            self._error(ses, req, 200, "No security definition has been found for the request")
            return
        d = self.daily_bars(found[0])[0][0]
        ses.send("headTimestamp", 88, req, d.strftime("%Y%m%d-09:30:00"))
