"""One seed: a world around the shipped daemon, its faults, and what must hold in it.

`Host` is the `daemon.world.World` of one incarnation; `Simulation` is everything else.
"""

import asyncio
import gc
import logging
import os
import shutil
import tempfile
from collections import Counter
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

import msgspec
import numpy as np

from control.halt_file import write as write_halt_file
from control.protocol import Orders, Portfolio, Reconcile, Verify
from daemon.brokers.paper import PaperBroker
from daemon.life import Life
from daemon.message import EngineEnded
from daemon.pool import InlinePool
from daemon.seams import BrokerUnavailable
from daemon.server import Service
from daemon.telemetry import lifesign
from state.command import CancelOrders, ExpectDifference, MakePlan, Resume
from state.journal import CommitInDoubt, JournalFull
from state.order import OPEN, Status
from strategies.plugin import Strategy
from tests.simulation import broker, story
from tests.simulation.client import Client
from tests.simulation.disk import Disk
from tests.simulation.invariants import Witness
from tests.simulation.loop import Killed, Process, SimLoop, Stuck
from tests.simulation.others import by_hand
from tests.simulation.wire import ANN, Network

BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
QUIET = 150.0  # seconds that everything has to come to rest in, once nothing fails any more
STOPS = 60.0  # seconds that a clean stop may take
WISHES = np.array(
    [[0.4, 0.3], [0.0, 0.4], [0.1, 0.1], [0.4, 0.0], [0.25, 0.35], [0.05, 0.3], [0.0, 0.0]]
)
SHARED = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())

logging.getLogger("daemon").addHandler(logging.NullHandler())


class WallClock:
    """The clock of everybody: virtual, and the wall's hand may be moved."""

    def __init__(self, loop):
        self._loop, self.jumped = loop, 0.0

    def wall(self):
        return BEGAN + timedelta(seconds=self._loop.now + self.jumped)

    def mono(self):
        return self._loop.now

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


class Host:
    """The machine as one incarnation of the daemon finds it."""

    def __init__(self, world, process):
        self.world, self.process = world, process
        self.clock = world.clock
        self.service = lifesign.Service({}, 0)
        self.settle = 0.0 if world.embedded else broker.SETTLE
        self.snapshot_every = world.snapshot_every

    def strategy(self, name, parameters):
        return Strategy("wishes", 4, {}, self.world.wished)

    def prices(self, settings):
        return self.world.prices

    def calendar(self, file, name):
        return self.world.calendar, False

    def free(self, state):
        return 1 << 40

    def held(self, state):
        return nullcontext()

    async def open_store(self, journal):
        opened = await self.world.disk.open(self.process)
        self.world.reopened(opened[1])
        return opened

    async def open_broker(self, book, settings, calendar, listener):
        world = self.world
        world.engine = listener.__self__
        if not world.embedded:
            return broker.RemoteBroker(world, self.process, listener)
        paper = await PaperBroker.open(
            book,
            settings.paper,
            listener=listener,
            clock=self.clock,
            instrument=settings.instrument,
            calendar=calendar,
        )
        world.venue = paper
        return broker.EmbeddedBroker(world, self.process, paper)

    def pool(self, name):
        return InlinePool()

    def page(self, address, handle, *_):
        return nullcontext(handle)

    @asynccontextmanager
    async def serve(self, path, handle, *, version, control, door=None):
        service = Service(
            handle, version, control.max_connections, control.frame_timeout, 600.0, lambda _: ANN
        )
        service.watch()
        self.world.network.listen(service.accept, self.process)
        try:
            yield
        finally:
            self.process.alive()
            self.world.network.unlisten(self.process)
            await service.close(5.0)


class Lived(msgspec.Struct):
    """What came of a seed."""

    wrong: list[str]
    trace: int
    steps: int
    seconds: float
    restarts: int
    orders: int
    faults: Counter
    pairs: Counter
    ends: Counter
    statuses: Counter


class Simulation(Witness):
    """A world, its story and its judgement."""

    def __init__(self, loop, chance, folder, *, real=None, clients=None):
        super().__init__()
        self.loop, self.chance, self.folder = loop, chance, folder
        self.clock = WallClock(loop)
        self.p = story.probabilities(chance)
        self.effective = story.configuration(chance)
        self.settings = self.effective.settings
        self.path = chance.whole(0, 3)
        self.prices, self.calendar = story.prices(self.path), story.calendar()
        self.embedded = chance.happens(0.3)
        self.clients = clients or chance.whole(2, 3)
        self.disk = Disk(self, folder, real=chance.happens(0.02) if real is None else real)
        self.network = Network(loop, chance)
        self.exchange = None if self.embedded else broker.Exchange(self)
        self.venue = self.engine = self.process = None
        self.plans, self.wishes, self.restarts, self.counted = [], 0, 0, 0
        self.stop = self.ending = None
        self.ends = Counter()
        self.kill_at_commit = self.p.kill_at_commit
        self.snapshot_every = chance.pick([5, 40, 10_000])
        # by the seed alone: what others live through doesn't change with what is drawn here
        self.payments = 2 if chance.seed % 5 == 2 and not self.embedded else 0

    def wished(self, closes, held, parameters):
        """What the strategy wants: something else at every close."""
        self.wishes += 1
        return WISHES[(self.wishes + self.path) % len(WISHES)]

    # The daemon: started again for as long as the seed lasts

    async def supervise(self):
        """Run incarnation after incarnation."""
        loop, chance = self.loop, self.chance
        while True:
            steps = None
            if self.p.kill and chance.faults and chance.happens(0.7):
                steps = int(10 ** chance.between(1.5, 3.9))
            self.process = Process(loop, "daemon", self.restarts + 1, steps=steps)
            self.restarts += 1
            life = Life(self.effective, self.folder, "sim", world=Host(self, self.process))
            self.stop = asyncio.Event()
            task = loop.create_task(life.run(self.stop), context=self.process.context)
            await asyncio.wait([task, self.process.died], return_when=asyncio.FIRST_COMPLETED)
            if self.process.dead:
                self.ends["killed"] += 1
                if self.process.steps == steps:
                    self.befell("kill")
            else:
                self.ended(task)
                self.process.kill()
            self.network.unlisten(self.process)
            self.engine = None
            await asyncio.sleep(chance.between(0.05, 1.5))

    def ended(self, task):
        """The daemon ended by itself: for a reason that it may have?"""
        error = task.exception()
        if error is None:
            self.ends["stopped"] += 1
            if not self.stop.is_set():
                self.wrong("the daemon ended without being told to")
            return
        for leaf in leaves(error):
            if isinstance(leaf, EngineEnded):
                continue
            if not isinstance(leaf, CommitInDoubt | JournalFull | BrokerUnavailable | Killed) and (
                not getattr(leaf, "injected", False)
            ):
                self.wrong(f"the daemon failed: {leaf!r} at {where(leaf)}")
            self.ends[type(leaf).__name__] += 1

    def kill_daemon(self, how):
        """Kill it at a place worth it."""
        self.befell(how)
        self.process.kill()

    # What happens to it

    async def weather(self):
        """Let things go wrong by the second."""
        chance, p = self.chance, self.p
        self.disk.faults.commit, self.disk.faults.statement = p.commit, p.statement
        self.network.breaks = p.line
        while True:
            await asyncio.sleep(chance.between(0.2, 0.8))
            if chance.fault(p.exchange / 2) and self.exchange is not None:
                self.exchange.crash()
            if chance.fault(p.drop / 2) and self.exchange is not None:
                line = self.exchange.line
                if line is not None and line.connected:
                    self.befell("line dropped")
                    line.drop()
            if chance.fault(p.full / 2):
                self.befell("disk full")
                self.disk.faults.full, self.disk.faults.room = True, chance.whole(0, 6)
                self.loop.call_later(chance.between(0.5, 4.0), self.room)
            if chance.fault(p.jump / 2):
                self.befell("clock jump")
                self.clock.jumped += chance.pick([-3600.0, 3600.0, -86400.0, 86400.0])
            if chance.fault(p.stop / 2) and not self.process.dead:
                self.befell("clean stop")
                self.loop.create_task(self.stopped(self.process, self.stop))
            if chance.fault(p.by_hand / 2) and self.exchange is not None:
                self.exchange.unasked("order by hand")
            if chance.fault(p.put_right / 2) and self.exchange is not None:
                self.exchange.unasked("trade put right")
            if chance.fault(p.file / 2):
                self.befell("halt file")
                scope = chance.pick(["symbol:KO", "account"])
                write_halt_file(str(self.folder), scope, "by file", self.clock.wall())

    def room(self):
        """Somebody cleared the disk."""
        self.disk.faults.full = False

    async def stopped(self, process, stop):
        """Stop a daemon as its service manager would, and see that it does."""
        stop.set()
        await asyncio.sleep(STOPS)
        if not process.dead and process is self.process:
            self.wrong(f"a clean stop took more than {STOPS:g} s")

    async def client(self, number):
        """Do what one client does: a few things, now and then, and some of them again."""
        chance, client = self.chance, Client(self)
        done = []
        for leg in range(chance.whole(2, 5)):
            await asyncio.sleep(chance.between(0.0, 2.0))
            ask = story.asked(chance, self)
            key = None if story.harmless(ask) else f"client {number} {leg}"
            done.append((ask, key))
            if isinstance(ask, CancelOrders):
                self.named.add(ask.order_id)
            twin = None
            if key is not None and chance.happens(0.15):  # a zombie of the same task
                twin = self.loop.create_task(Client(self).ask(ask, key))
            reply = await client.ask(ask, key)
            if isinstance(ask, MakePlan) and reply is not None and reply.ok:
                for n, follows in enumerate(story.ruling(chance, reply.data["plan_id"])):
                    await client.ask(follows, f"{key} {n}")
            if twin is not None:
                await twin
            if chance.happens(0.2):
                ask, key = chance.pick(done)
                await client.ask(ask, key)

    async def payer(self):
        """Announce money twice, let it come once, and let several compare the books at once."""
        chance, client = self.chance, Client(self)
        for n in range(self.payments):
            await asyncio.sleep(chance.between(0.0, 4.0))
            amount = D(chance.whole(1, 3000)) + D("0.07")  # like no other movement of cash
            for time in ("once", "again"):
                announced = ExpectDifference("deposit", time, amount)
                reply = await client.ask(announced, f"payer {n} {time}")
                if reply is None or not reply.ok:
                    return
            self.moves[f"payment {n}"] = amount
            await self.exchange.paid(f"payment {n}", amount)
            looks = (Client(self).ask(Reconcile(), f"payer {n} looks {k}") for k in range(3))
            await asyncio.gather(*looks)

    def befell(self, fault):
        """Something went wrong: remember what, and in which states orders were."""
        self.faults[fault] += 1
        for status in {order.status for order in self.disk.orders.values()}:
            self.pairs[status.value, fault] += 1

    # The end

    async def story(self):
        """Live through it all; return when everything has come to rest, or should have."""
        loop = self.loop
        if self.exchange is not None:
            loop.create_task(self.exchange.run())
            await self.exchange.up.wait()
        loop.create_task(self.supervise())
        weather = loop.create_task(self.weather())
        clients = [loop.create_task(self.client(number)) for number in range(self.clients)]
        if self.payments:
            clients.append(loop.create_task(self.payer()))
        deadline = loop.now + 90.0
        await asyncio.wait(clients, timeout=9.0)
        weather.cancel()
        self.calm()
        await asyncio.wait(clients, timeout=deadline - loop.now)
        for task in clients:
            if task.done():
                task.result()
            else:
                self.wrong("liveness: a client was never answered")
        await self.rest()
        self.judge()

    def calm(self):
        """Nothing fails from here on."""
        self.chance.faults = False
        self.kill_at_commit = 0.0
        self.network.breaks = 0.0
        self.disk.faults.full = False
        if not self.process.dead:
            self.process.last_step = None

    async def rest(self):
        """Wait until everything is known and the gate is open; then ask as anybody would."""
        deadline = self.loop.now + QUIET
        if not await self.at_rest(deadline, 1.0, f"{QUIET:g} s after the last fault"):
            return
        client = Client(self)
        verified = await client.ask(Verify())
        if verified is None or not verified.ok:
            self.wrong(f"the journal does not verify: {verified}")
        shown = await client.ask(Portfolio())
        if shown is None or not shown.ok:
            self.wrong("the portfolio is not shown")
        if await client.ask(Orders()) is None:
            self.wrong("the orders are not shown")
        # a clean stop that was asked for before may have come just now
        if not await self.at_rest(deadline + 60, 0.5, "after the last question"):
            return
        if "account" in self.engine.snapshot.halts:
            await client.ask(Resume("the end", "ann"), "the end")
        await self.at_rest(deadline + 60, 0.5, "after the end")

    async def at_rest(self, deadline, pause, when):
        """Return whether the world comes to rest in time, looking every `pause` seconds."""
        while why := self.restless():
            if self.loop.now > deadline:
                self.wrong(f"liveness: {why} {when}")
                return False
            await asyncio.sleep(pause)
        return True

    def restless(self):
        """Return what has still to happen; empty when the world is at rest."""
        engine = self.engine
        if engine is None or self.process.dead:
            return "the daemon is down"
        now = engine.snapshot
        if now.differences:
            return f"a false halt: {now.differences}"
        if not now.reconciled:
            return "the gate is closed"
        if engine.disk_full:
            return "the disk is still full"
        venue = self.account()
        if venue is None:
            return "the venue is down"
        at_work = self.venue if self.embedded else self.exchange.venue
        if at_work._file.busy or at_work._waiting:
            return "the venue is busy"
        if venue.cash != now.ledger.cash:
            return f"cash is {now.ledger.cash}, and {venue.cash} at the venue"
        for order in now.orders.values():
            if order.status in OPEN and order.status is not Status.LIVE:
                return f"an order is {order.status}"
            if order.status is Status.LIVE and order.order_ref not in venue.open:
                return "a live order is not open at the venue"
            if not order.open and order.working:
                return "an order still owes executions"
        if strange := [o for o in venue.open if by_hand(o) and o not in now.orders]:
            return f"{strange} are open at the venue, and not adopted"
        if engine.busy or not engine._inbox.empty():
            return "the engine is busy"
        return ""

    def account(self):
        """Return the venue's own account."""
        venue = self.venue if self.embedded else self.exchange.venue
        return None if venue is None else venue._book


def outcome(simulation):
    """Return what came of a seed."""
    loop = simulation.loop
    return Lived(
        simulation.wrongs,
        loop.trace,
        loop.steps,
        loop.now,
        simulation.restarts,
        simulation.counted,
        simulation.faults,
        simulation.pairs,
        simulation.ends,
        Counter(order.status.value for order in simulation.disk.orders.values()),
    )


def leaves(error):
    """Yield the single exceptions of a group."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error


def where(error):
    """Return where an exception was raised."""
    trace = error.__traceback__
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(places[-4:])


def run(chance, **how):
    """Live one seed through and return what came of it."""
    folder = Path(tempfile.mkdtemp(prefix="tm-sim-", dir=SHARED))
    loop = SimLoop(chance)
    collecting = gc.isenabled()
    gc.disable()
    simulation = None
    try:
        simulation = Simulation(loop, chance, folder, **how)
        try:
            loop.run_until_complete(loop.create_task(simulation.story()))
        except Stuck as stuck:
            simulation.wrong(f"liveness: {stuck}")
        for failure in loop.failures:
            simulation.wrong(f"a callback failed: {failure}")
        return outcome(simulation)
    finally:
        trace_done(loop, simulation)
        if collecting:
            gc.enable()
        shutil.rmtree(folder, ignore_errors=True)


def trace_done(loop, simulation):
    """Let go of everything; no process does anything in its last moments."""
    if simulation is not None:
        for process in (simulation.process, getattr(simulation.exchange, "process", None)):
            if process is not None:
                process.dead = True
        simulation.disk.close()
        for venue in (simulation.venue, getattr(simulation.exchange, "venue", None)):
            if venue is not None:
                venue._file._connection.close()
    loop.close()
