"""A gateway of Interactive Brokers that misbehaves on demand, over a real TCP socket.

The server speaks the text wire of TWS, versions 157 to 178, to whatever client connects, and keeps
the broker's truth: a client that crashes or comes back finds what a real broker would show it.

Modelled: handshake and version negotiation (157..178), startApi/326, managedAccounts,
nextValidId per client id (high-water mark of order ids SEEN), farm notices, account
updates/multi/summary (limit of two, error 322), positions, PnL, contract details (200,
ambiguity), market rule, symbol samples, streaming and snapshot ticks (live, delayed,
354, 10167, 10197, 101), daily and intraday history, schedule, head timestamp (162, 321,
366), orders MKT LMT STP STP-LMT MOC LOC MIDPRICE REL MTL and algos, brackets, partial
fills, commission reports, corrections, modify, cancel (202, 10147, 10148), what-if,
rejects (103 104 110 113 200 201 321 387 434 435 439 442 10243), open / all-open /
completed orders, executions of today, pacing (100), 1100/1101/1102.

Not modelled: combos, options, conditions, trailing stops, depth, scanners, news,
tick-by-tick, real-time bars, FA allocation, short-sale locates, SSL, server versions
above 178 (protobuf).  Margin is a flat rate; prices and most conIds are invented.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from tests.ib.gateway.account import AccountDesk
from tests.ib.gateway.domain import (
    Account,
    Execution,
    FillPlan,
    Instrument,
    Order,
    Position,
    Received,
    default_instruments,
)
from tests.ib.gateway.faults import Fault
from tests.ib.gateway.history import HistoryDesk
from tests.ib.gateway.instruments import DataDesk
from tests.ib.gateway.market import Market
from tests.ib.gateway.matching import Matching
from tests.ib.gateway.order_reports import Reporting
from tests.ib.gateway.order_requests import OrderRequests
from tests.ib.gateway.orders import OrderDesk
from tests.ib.gateway.plumbing import Plumbing
from tests.ib.gateway.session import Session
from tests.ib.gateway.steering import Steering
from tests.ib.gateway.truth import Telling
from tests.ib.gateway.wire import MAX_SERVER_VERSION

log = logging.getLogger("fake_ib_gateway")


class FakeIBGateway(
    Steering,
    Market,
    Telling,
    Plumbing,
    AccountDesk,
    DataDesk,
    HistoryDesk,
    OrderDesk,
    OrderRequests,
    Reporting,
    Matching,
):
    """The server, the broker behind it, and the fault controls."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        server_version: int = MAX_SERVER_VERSION,
        accounts: Sequence[str] = ("DU1234567",),
        base_currency: str = "USD",
        cash: dict[str, float] | None = None,
        positions: dict[str, tuple[float, float]] | None = None,
        fx: dict[str, float] | None = None,
        instruments: Iterable[Instrument] | None = None,
        fill_plan: FillPlan | None = None,
        auto_fill: bool = True,
        market_open: bool = True,
        margin_check: bool = True,
        margin_rate: float = 0.5,
        cash_account: bool = False,
        read_only: bool = False,
        allow_fractional: bool = False,
        master_client_id: int | None = None,
        download_open_orders: bool = True,
        market_data: str = "live",
        max_tickers: int = 100,
        max_msgs_per_second: int = 50,
        hist_pacing: bool = False,
        chatty: bool = True,
        account_update_interval: float = 180.0,
        first_order_id: int = 1,
        clock: Callable[[], float] = time.time,
        tz: str = "US/Eastern",
        seed: int = 7,
    ):
        self.host, self.port = host, port
        self.server_version = server_version
        self.tz, self._clock, self._clock_shift = ZoneInfo(tz), clock, 0.0
        self.tz_name = tz
        self.base = base_currency
        self.fx = {
            "USD": 1.0,
            "EUR": 1.10,
            "GBP": 1.30,
            "CHF": 1.15,
            "MXN": 0.055,
            **(fx or {}),
        }  # value of one unit in USD
        self.rng = random.Random(seed)
        self.instruments = list(instruments or default_instruments())
        self.by_id = {i.con_id: i for i in self.instruments}
        self.plan = fill_plan or FillPlan()
        self.auto_fill, self.market_open = auto_fill, market_open
        self.margin_check, self.margin_rate = margin_check, margin_rate
        self.cash_account, self.read_only = cash_account, read_only
        self.allow_fractional = allow_fractional
        self.master_client_id = master_client_id
        self.download_open_orders = download_open_orders
        self.market_data, self.max_tickers = market_data, max_tickers
        self.max_msgs_per_second = max_msgs_per_second
        self.hist_pacing = hist_pacing
        self.chatty = chatty
        self.account_update_interval = account_update_interval
        self.first_order_id = first_order_id
        self.tcp_chunk = 0  # >0: write in pieces of this many bytes

        self.accounts: dict[str, Account] = {}
        for i, name in enumerate(accounts):
            acct = Account(name, base_currency, dict(cash or {base_currency: 1_000_000.0}))
            if i == 0:
                for sym, (qty, px) in (positions or {}).items():
                    inst = self.inst(sym)
                    acct.positions[inst.con_id] = Position(qty, px)
            acct.start_cash = dict(acct.cash)
            acct.start_positions = {k: (p.qty, p.avg_cost) for k, p in acct.positions.items()}
            self.accounts[name] = acct
        self.default_account = next(iter(self.accounts))

        self.orders: list[Order] = []
        self.executions: list[Execution] = []
        self.received: list[Received] = []
        self.cancels: list[tuple[int, int, str]] = []  # client, orderId, outcome
        self.next_id: dict[int, int] = {}
        self._perm = itertools.count(1_700_000_001)
        self._exec_seq = itertools.count(1)
        self._seq = itertools.count(1)
        self._exec_base = self.rng.randrange(1, 0xFFFF)

        self.sessions: list[Session] = []
        self.blackholes: dict[Session, asyncio.Event] = {}
        self.tasks: set[asyncio.Task] = set()
        self.journal: deque[tuple[float, str, int | None, str, list[str]]] = deque(maxlen=50_000)
        self.handshake_gate = asyncio.Event()
        self.handshake_gate.set()
        self.server: asyncio.Server | None = None
        self._reopening: asyncio.Task | None = None
        self.connections = 0

        # fault state
        self.faults: list[Fault] = []
        self.upstream_up = True
        self.outage_orders = "queue"  # queue | silent | reject | lose
        self._outage: list[Callable[[], None]] = []
        self._outage_orders: list[tuple[int, list[str]]] = []
        self._outage_work: list[Callable[[], None]] = []
        self._rejects: deque[dict[str, Any]] = deque()
        self._notices: deque[tuple[int, str, bool]] = deque()
        self._plans: deque[tuple[FillPlan, str, str]] = deque()
        self._busy_ids: dict[int, float] = {}
        self._twin_next_modify = False
        self._fill_on_cancel = False
        self.hard_to_borrow: set[str] = set()
        self.numbers_late = False  # orders have no permanent id yet in what is told of them
        self._whatif_mode: deque[str] = deque()
        self._hist_errors: deque[tuple[int, str]] = deque()
        self._hist_log: deque[tuple[float, tuple]] = deque()

    async def start(self) -> FakeIBGateway:
        await self._listen()
        self._spawn(self._account_heartbeat())
        return self

    async def stop(self) -> None:
        await self._unlisten()
        for ses in list(self.sessions):
            ses.kill("fin")
        for ev in list(self.blackholes.values()):
            ev.set()
        for o in self.orders:
            if o.handle:
                o.handle.cancel()
        await asyncio.sleep(0)
        for t in list(self.tasks):
            t.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def __aenter__(self) -> FakeIBGateway:
        return await self.start()

    async def __aexit__(self, *_: Any) -> None:
        await self.stop()

    async def _listen(self) -> None:
        self.server = await asyncio.start_server(
            self._accept, self.host, self.port, reuse_address=True
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def _unlisten(self) -> None:
        if self.server:
            self.server.close()
            self.server = None
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        ses = Session(self, reader, writer)
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self._note("sys", None, "accepted", [])
        await ses.run()

    def _spawn(self, coro: Any) -> asyncio.Task:
        task = asyncio.ensure_future(coro)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _later(self, delay: float, fn: Callable[..., None], *args: Any) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay, fn, *args)

    def _forget(self, ses: Session, blackhole: bool = False) -> None:
        if ses in self.sessions:
            self.sessions.remove(ses)
        if blackhole:
            self.blackholes[ses] = asyncio.Event()

    def _note(self, direction: str, client: int | None, kind: str, fields: list[str]) -> None:
        self.journal.append((time.monotonic(), direction, client, kind, fields))
        log.debug("%s c=%s %s %s", direction, client, kind, "|".join(fields)[:200])

    def messages(self, kind: str, direction: str = "out") -> list[list[str]]:
        """Fields of all journalled messages of a kind."""
        return [f for _, d, _, k, f in self.journal if d == direction and k == kind]

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock() + self._clock_shift, self.tz)

    def advance(self, **kw: float) -> None:
        """Move the gateway's clock forward (``days=1``): yesterday's executions vanish
        from reqExecutions and completed orders, as they do at IB after midnight."""
        self._clock_shift += dt.timedelta(**kw).total_seconds()

    def _stamp(self, t: dt.datetime | None = None) -> str:
        return (t or self.now()).strftime("%Y%m%d %H:%M:%S ") + self.tz_name

    def _today(self, t: dt.datetime | None) -> bool:
        return t is not None and t.date() == self.now().date()
