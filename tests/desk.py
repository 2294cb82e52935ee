"""A whole trading desk on fake time: real engine, journal, gate, sender, trader, handlers, broker.

Only the clock and the prices are the test's. `close` plays one session's bars.
"""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal as D
from pathlib import Path

import numpy as np

from control.protocol import Reply
from control.request import Request
from daemon.almanac import almanac
from daemon.brokers.paper import PaperBroker
from daemon.brokers.recording import RecordingBroker
from daemon.calendar import open_calendar
from daemon.clock import FakeClock
from daemon.effects import Effects
from daemon.engine import Engine
from daemon.halt_file import HaltFile
from daemon.handlers import Handlers
from daemon.principal import Caller
from daemon.recovery import recover, tell_again
from daemon.sender import Sender
from daemon.store import open_inline
from daemon.trader import Closes, Trader
from daemon.watch import Times, Watch
from state.command import RecordStart
from state.configuration import decode, shown
from state.history import unfinished
from state.quote import Bar, Close
from tests.given import start

XNYS = open_calendar("XNYS")
ANN = Caller("ann", 1000, "test")
CONFIG = """
[account]
id = "TEST"
[universe]
symbols = ["KO", "PG"]
[replay]
start = 2025-03-03
[paper]
initial_cash = "100000"
commission_bps = 0.0
slippage_bps = 0.0
[risk]
max_position_weight = 0.6
max_order_notional = "1000000"
max_day_turnover = 2.0
[execution]
cash_reserve = 0.0
"""


class StillFeed:
    """A feed whose closes the test plays itself."""

    kind = "replay"

    def __init__(self):
        self.connected, self.ended, self.refused = True, False, {}

    async def run(self, deliver):
        """Deliver nothing: the test does."""


class Desk:
    """What a test can do and see."""

    def __init__(self, parts):
        self.__dict__.update(parts)
        self.day = self.engine.snapshot.session

    @property
    def now(self):
        """Return the engine's snapshot."""
        return self.engine.snapshot

    async def close(self, ko, pg, *, only=("KO", "PG")):
        """Play the next session's close, and let everything it caused become durable."""
        self.day = XNYS.next_session(self.day or date(2025, 3, 2))
        prices = {"KO": D(str(ko)), "PG": D(str(pg))}
        bars = tuple(Bar(symbol, prices[symbol]) for symbol in only)
        await self.trader.on_close(Close(XNYS.close_of(self.day), self.day, bars))
        await self.trader.caught_up()
        await self.quiet()

    async def quiet(self):
        """Return once everything sent is sent, carried out, and reported."""
        await self.engine.settled()
        await self.sender.flushed()
        await self.broker.settle()
        await self.engine.settled()

    async def placed(self, count):
        """Return once `count` orders were sent to the broker."""
        while len(self.broker.placed) < count:
            seq = self.engine.head.seq
            await self.quiet()
            if len(self.broker.placed) < count and self.engine.head.seq == seq:
                await self.engine.beyond(seq)

    async def say(self, ask, key=None, **words) -> Reply:
        """Return the handlers' reply to a question or command."""
        return await self.handlers.handle(Request(ask, key=key, **words), ANN)

    def events(self, kind=None) -> Sequence[str]:
        """Return the kinds of all events so far, or the events of one kind."""
        if kind is None:
            return [type(event).__name__ for event in self.acted]
        return [event for event in self.acted if isinstance(event, kind)]


@asynccontextmanager
async def desk(
    state: Path,
    *,
    config=CONFIG,
    due=None,
    propose=None,
    weights=(0.5, 0.25),
    opened=True,
    mind=None,
    between=lambda paper: paper,
    **run,
):
    """Run a desk on the state directory; opened again it goes on where it was.

    `between` may put a broker before the paper broker; `run` are fields of the start.
    """
    clock = FakeClock(runs=False)
    settings = decode(config, "test", {}).settings
    store, snapshot, head = open_inline(state / "journal.db")
    feed, acted = StillFeed(), []
    times = Times(XNYS, clock, feed, settings)
    open_commands = await store.read(unfinished)
    engine = Engine(snapshot, head, store, clock, times.moment, open_commands)
    paper = await PaperBroker.open(
        state / "paper.db",
        settings.paper,
        listener=engine.report,
        clock=clock,
        instrument=settings.instrument,
        calendar=XNYS,
    )
    behind = between(paper)
    broker = RecordingBroker(behind)
    halt_file = HaltFile(state)
    sender = Sender(engine, broker, halt_file.exists)
    watch = Watch(
        engine,
        store,
        broker,
        feed,
        clock,
        XNYS,
        halt_file,
        state / "journal.db",
        settings,
        "test",
    )
    closes = Closes(("KO", "PG"), 10)
    wanted = propose or (lambda prices, held: dict(zip(("KO", "PG"), weights, strict=True)))
    trader = Trader(
        engine,
        broker,
        sender,
        closes,
        wanted,
        strategy="test",
        account="TEST",
        due=due,
        mind=mind,
    )
    stop = asyncio.Event()
    effects = Effects(broker, sender, halt_file, stop)

    def act(events, now):
        acted.extend(events)
        effects(events, now)

    engine.act = act
    handlers = Handlers(
        engine,
        store,
        broker,
        clock,
        watch,
        version="test",
        zone=XNYS.zone,
        configuration=shown(decode(config, "test", {})),
        benchmark=dict,
        almanac=almanac(XNYS, settings),
    )
    tasks = [asyncio.create_task(engine.run()), asyncio.create_task(sender.run())]
    try:
        await engine.tell(RecordStart(start(settings.risk, settings.execution, **run)))
        await tell_again(store, broker)
        if opened:
            sender.open(await recover(engine, broker, clock, 0.0))
        yield Desk(locals())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await broker.aclose()
        await store.aclose()


def rising(closes, held):
    """Propose everything in KO while it rises."""
    up = len(closes) > 1 and closes[-1, 0] > closes[-2, 0]
    return {"KO": 0.5 if up else 0.0, "PG": 0.0}


def nothing(closes, held):
    """Propose nothing, as a strategy that has seen too little."""
    assert np.isfinite(held).all()
    return {"KO": 0.0, "PG": 0.0}
