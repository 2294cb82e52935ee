"""What the broker knows: instruments, orders, executions, accounts, and the truth of them."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LIVE = {"PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel"}
ORDER_TYPES = {"MKT", "LMT", "STP", "STP LMT", "MOC", "LOC", "MIDPRICE", "REL", "MTL"}
ALGOS = {
    "Adaptive": {"adaptivePriority"},
    "Twap": {"strategyType", "startTime", "endTime"},
    "Vwap": {"maxPctVol", "startTime", "endTime"},
    "ArrivalPx": {"maxPctVol"},
    "PctVol": {"pctVol"},
    "DarkIce": {"displaySize"},
    "ClosePx": {"maxPctVol"},
}
ANY = re.compile(".*")
WHEN = re.compile(r"\d{8}-\d\d:\d\d:\d\d UTC")
ALGO_VALUES = {
    "adaptivePriority": re.compile("Urgent|Normal|Patient"),
    "strategyType": re.compile("Marketable|Matching (Midpoint|Same Side|Last)"),
    "startTime": WHEN,
    "endTime": WHEN,
    "allowPastEndTime": re.compile("[01]"),
    "noTakeLiq": re.compile("[01]"),
    "maxPctVol": re.compile(r"0\.\d+"),
}


@dataclass
class Instrument:
    """A tradable contract and its current market."""

    con_id: int
    symbol: str
    last: float
    primary: str = "ARCA"
    currency: str = "USD"
    sec_type: str = "STK"
    name: str = ""
    stock_type: str = "ETF"
    min_tick: float = 0.01
    size_increment: float = 1.0
    spread: float = 0.02
    vol: float = 0.18
    exchanges: str = "SMART,ARCA,NASDAQ,NYSE,BATS,IEX,OVERNIGHT"
    trading_class: str = ""
    # market state
    bid: float = 0.0
    ask: float = 0.0
    prev_close: float = 0.0
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    volume: float = 1_000_000
    halted: bool = False
    daily: list[tuple] | None = None  # user-supplied (date, o, h, l, c, v)

    def __post_init__(self) -> None:
        self.trading_class = self.trading_class or self.symbol
        self.name = self.name or f"{self.symbol} FAKE"
        self.prev_close = self.prev_close or self.round(self.last * 0.998)
        self.open = self.high = self.low = self.last
        self.quote(self.last)

    def round(self, px: float) -> float:
        return round(round(px / self.min_tick) * self.min_tick, 8)

    def quote(self, last: float, bid: float | None = None, ask: float | None = None) -> None:
        self.last = last
        self.bid = self.round(last - self.spread / 2) if bid is None else bid
        self.ask = self.round(last + self.spread / 2) if ask is None else ask
        self.high, self.low = max(self.high, last), min(self.low, last)

    def matches(self, c: dict[str, str]) -> bool:
        """Would TWS return this instrument for the (partial) contract ``c``?"""
        if int(float(c["conId"] or 0)):
            return int(float(c["conId"])) == self.con_id
        want = {"symbol": self.symbol, "secType": self.sec_type, "currency": self.currency}
        if any(c[k] and c[k].upper() != v for k, v in want.items()):
            return False
        if not c["symbol"] and not c["localSymbol"]:
            return False
        if c["localSymbol"] and c["localSymbol"] != self.symbol:
            return False
        if c["primaryExchange"] and c["primaryExchange"] != self.primary:
            return False
        return not c["exchange"] or c["exchange"] in self.exchanges.split(",")

    def contract(self, exchange: str = "SMART", right: str = "") -> list[Any]:
        """The contract fields most messages share, after conId.  (IB really does send
        right='?' with order messages and right='0' with the portfolio.)"""
        return [
            self.symbol,
            self.sec_type,
            "",
            0.0,
            right,
            "",
            exchange,
            self.currency,
            self.symbol,
            self.trading_class,
        ]


def default_instruments() -> list[Instrument]:
    """A few US stocks and ETFs (prices invented), plus SPY's Mexican listing (ambiguity)."""
    etf = [
        (756733, "SPY", 600.0, "ARCA"),
        (320227571, "QQQ", 520.0, "NASDAQ"),
        (9579970, "IWM", 220.0, "ARCA"),
        (15547841, "TLT", 90.0, "NASDAQ"),
        (51529211, "GLD", 300.0, "ARCA"),
        (28768001, "EFA", 85.0, "ARCA"),
        (28768002, "EEM", 45.0, "ARCA"),
        (28768003, "AGG", 98.0, "ARCA"),
        (28768004, "VTI", 295.0, "ARCA"),
        (28768005, "SHY", 82.0, "NASDAQ"),
    ]
    stk = [
        (265598, "AAPL", 210.0),
        (272093, "MSFT", 490.0),
        (4815747, "NVDA", 150.0),
        (3691937, "AMZN", 220.0),
        (76792991, "TSLA", 320.0),
    ]
    out = [Instrument(i, s, p, x) for i, s, p, x in etf]
    out += [
        Instrument(i, s, p, "NASDAQ", stock_type="COMMON", vol=0.3, trading_class="NMS")
        for i, s, p in stk
    ]
    out.append(Instrument(8314, "IBM", 280.0, "NYSE", stock_type="COMMON"))
    out.append(
        Instrument(38709999, "SPY", 11_000.0, "MEXI", "MXN", spread=2.0, exchanges="SMART,MEXI")
    )
    return out


@dataclass
class FillPlan:
    """How a marketable order fills.

    parts: fractions of the quantity, one execution each.  If they sum to less than 1 the
    rest stays open until :meth:`FakeIBGateway.fill`.  delay: seconds before each part.
    ack_delay: before PreSubmitted/Submitted are reported.  commission_delay: after the
    execution report.
    """

    parts: Sequence[float] = (1.0,)
    delay: float = 0.01
    ack_delay: float = 0.0
    commission_delay: float = 0.0
    price_offsets: Sequence[float] | None = None


@dataclass
class Execution:
    exec_id: str
    order: Order
    qty: float
    price: float
    time: dt.datetime
    cum_qty: float
    avg_price: float
    commission: float
    realized: float | None  # None: opening trade
    exchange: str
    superseded: bool = False

    @property
    def signed(self) -> float:
        return self.qty if self.order.action == "BUY" else -self.qty


@dataclass
class Order:
    client_id: int
    order_id: int
    perm_id: int
    account: str
    inst: Instrument
    raw: dict[str, Any]
    action: str
    qty: float
    type: str
    lmt: float | None
    aux: float | None
    tif: str
    ref: str
    plan: FillPlan
    created: dt.datetime
    status: str = "PreSubmitted"
    filled: float = 0.0
    value: float = 0.0  # sum(qty*price)
    last_price: float = 0.0
    commission_charged: float = 0.0
    done_at: dt.datetime | None = None
    completed_status: str = ""
    reject_reason: str = ""
    parent_id: int = 0
    why_held: str = ""
    active: bool = True  # transmitted and (for a child) parent filled
    triggered: bool = False  # stop elected
    parts_left: list[float] = field(default_factory=list)
    handle: asyncio.TimerHandle | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE

    @property
    def remaining(self) -> float:
        return max(0.0, round(self.qty - self.filled, 8))

    @property
    def avg(self) -> float:
        return self.value / self.filled if self.filled else 0.0

    @property
    def algo(self) -> str:
        return self.raw.get("algoStrategy", "")


@dataclass
class Received:
    """One placeOrder message as it reached the gateway (or did not: ``outcome='lost'``)."""

    seq: int
    time: dt.datetime
    client_id: int
    order_id: int
    ref: str
    symbol: str
    action: str
    qty: float
    type: str
    lmt: str
    outcome: str  # new | modify | whatif | rejected <code> | lost | queued | swallowed
    perm_id: int = 0


@dataclass
class Position:
    qty: float = 0.0
    avg_cost: float = 0.0
    realized: float = 0.0


@dataclass
class Account:
    name: str
    base: str
    cash: dict[str, float]
    positions: dict[int, Position] = field(default_factory=lambda: defaultdict(Position))
    start_cash: dict[str, float] = field(default_factory=dict)
    start_positions: dict[int, tuple[float, float]] = field(default_factory=dict)
    commissions: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cash_adjust: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    position_adjust: dict[int, float] = field(default_factory=lambda: defaultdict(float))


@dataclass
class Truth:
    """What the broker really holds; the yardstick for the adapter's own books."""

    positions: dict[str, float]
    cash: dict[str, float]
    commissions: dict[str, float]
    executions: list[Execution]
    orders: list[Order]
    received: list[Received]

    def net(self, symbol: str) -> float:
        return self.positions.get(symbol, 0.0)

    def duplicates(self) -> dict[str, int]:
        """orderRef -> number of DIFFERENT broker orders accepted under it (if > 1)."""
        n = Counter(o.ref for o in self.orders if o.ref and o.status != "Rejected")
        return {ref: k for ref, k in n.items() if k > 1}

    def __str__(self) -> str:
        cash = {k: round(v, 2) for k, v in self.cash.items()}
        comm = {k: round(v, 2) for k, v in self.commissions.items()}
        return (
            f"positions={self.positions} cash={cash} commissions={comm} "
            f"orders={len(self.orders)} executions={len(self.executions)} "
            f"placeOrder msgs={len(self.received)} duplicates={self.duplicates()}"
        )
