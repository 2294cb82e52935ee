"""The broker as a daemon meets it: the shipped paper venue, far away, over a bad line.

The venue is a process of its own, with its own book on disk. Requests are lost, late (but never
later than `LATE`), doubled; reports come twice, in any order, or not at all while nobody listens.
"""

import asyncio
from datetime import timedelta

from daemon.brokers.paper import PaperBroker
from daemon.seams import BrokerUnavailable
from state.quote import Quote
from tests.simulation.loop import Process
from tests.simulation.others import Others

LATE = 2.0  # seconds that a byte written may take, at most
SETTLE = 3.0  # what the daemon takes that to be
GIVEN_UP = 4.0  # seconds until an answer that doesn't come is one


class Exchange:
    """The venue's process: it crashes, comes back, and sees each close of the market once."""

    def __init__(self, world):
        self.world, self.loop, self.chance = world, world.loop, world.chance
        self.venue = self.process = self.line = None
        self.number = 0
        self._last = None
        self._closes = []
        self._woken = asyncio.Event()
        self.up = asyncio.Event()
        self.others = Others(self.chance)

    async def run(self):
        """Be there, and be there again after every crash."""
        while True:
            self.number += 1
            self.process = Process(self.loop, "exchange", 1000 + self.number)
            opening = self.loop.create_task(self._trade(), context=self.process.context)
            await asyncio.wait([self.process.died, opening], return_when="FIRST_COMPLETED")
            self.up.clear()
            if not self.process.dead:
                opening.result()
            self.venue = None
            if self.line is not None:
                self.line.drop()
            await asyncio.sleep(self.chance.between(0.1, 1.5))

    async def _trade(self):
        world = self.world
        paper = await PaperBroker.open(
            world.folder / "venue.db",
            world.settings.paper,
            listener=self.report,
            clock=world.clock,
            instrument=world.settings.instrument,
            calendar=world.calendar,
        )
        self.venue = self.others.watched(paper)
        self.up.set()
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._closes:
                await self.venue.on_close(self._closes[0])
                world.traded()
                self._closes.pop(0)
            if not self.venue.connected:
                world.wrong("I5 the venue's book failed")

    def close(self, close):
        """Let the market close, when it has not yet."""
        if self._last is not None and close.at <= self._last.at:
            return
        self._last = close
        self._closes.append(close)
        self._woken.set()
        if self.chance.happens(0.4):
            self.loop.create_task(self._quote(close), context=self.loop.outside.copy())

    async def _quote(self, close):
        """Show the venue prices within the session after a close."""
        calendar = self.world.calendar
        session = calendar.next_session(close.session)
        for minute in range(self.chance.whole(1, 3)):
            await asyncio.sleep(self.chance.between(0.05, 0.6))
            if self._last is not close or not self.up.is_set() or self._closes:
                return
            bar = self.chance.pick(close.bars)
            at = calendar.open_of(session) + timedelta(minutes=1 + minute)
            size = self.chance.whole(1, 30)
            quote = Quote(
                bar.symbol, at, bid=bar.close, ask=bar.close, bid_size=size, ask_size=size
            )
            await self.loop.create_task(self.venue.on_quote(quote), context=self.process.context)
            self.world.traded()

    async def paid(self, ref, amount):
        """Let cash come that the daemon is not told of, until it is in the venue's book."""
        while True:
            if self.up.is_set():
                if self.moved(ref):
                    return
                self.loop.call_soon(self.venue.move_cash, ref, amount, context=self.process.context)
            await asyncio.sleep(0.3)

    def moved(self, ref):
        """Return whether cash is in the book of the venue, which is up."""
        moves = self.venue._file._connection.execute(
            "SELECT 1 FROM cash_moves WHERE ref = ?", (ref,)
        )
        return moves.fetchone() is not None

    def unasked(self, what):
        """Let something happen that nobody here asked for, once anything was ever traded."""
        others, close = self.others, self._last
        if not self.up.is_set() or close is None:
            return
        if what == "order by hand":
            session = self.world.calendar.next_session(close.session)
            happening = others.order(self.venue, close, session)
        else:
            happening = others.put_right(self.venue)
        self.world.befell(what)
        self.loop.create_task(happening, context=self.process.context).add_done_callback(
            self._happened
        )

    def _happened(self, task):
        if error := task.exception():
            self.world.wrong(f"the venue failed: {error!r}")

    def report(self, report):
        """The venue says something; the line carries it, more or less."""
        line = self.line
        if line is not None:
            line.report(report)

    def crash(self):
        """Kill the venue: what had arrived and was not in its book is gone."""
        if self.up.is_set():
            self.world.befell("broker crash")
            self.process.kill()


class RemoteBroker:
    """The daemon's end of the line: one connection after another."""

    kind = "paper"

    def __init__(self, world, process, listener):
        self.world, self.loop, self.chance = world, world.loop, world.chance
        self.exchange, self._process, self._tell = world.exchange, process, listener
        self.account = "SIM"
        self._up = False
        self.connection = 0
        self.compared = False  # since the line came up
        self.exchange.line = self
        self._connect()

    @property
    def connected(self):
        return self._up and not self._process.dead

    def drop(self):
        """The line goes dead; what was written may still arrive."""
        if self._up:
            self._up = self.compared = False
            self.loop.call_later(
                self.chance.between(0.2, 2.0), self._connect, context=self._process.context
            )

    def _connect(self):
        if self._process.dead or self.exchange.line is not self:
            return
        if self.exchange.up.is_set():
            self._up = True
            self.connection += 1
        else:
            self.loop.call_later(0.3, self._connect, context=self._process.context)

    def report(self, report):
        """Carry a report, late, twice or not at all."""
        if not self._up:
            return
        chance, world = self.chance, self.world
        if chance.fault(world.p.report_lost):
            world.befell("report lost")
            self.drop()
            return
        for _ in range(2 if chance.fault(world.p.report_twice) else 1):
            delay = chance.between(0.001, 0.02)
            if chance.fault(world.p.report_late):
                delay = chance.between(0.02, LATE)
                world.befell("report late")
            self.loop.call_later(delay, self._heard, report, context=self._process.context)

    def _heard(self, report):
        if self._up:
            self._tell(report)

    def _request(self, name, work):
        """Write a request to the line; that it was written proves nothing."""
        self._process.alive()
        if not self._up:
            return
        chance, world = self.chance, self.world
        times, delay = 1, chance.between(0.001, 0.02)
        if chance.fault(world.p.request_lost):
            world.befell(f"{name} lost")
            self.drop()
            times = 0 if chance.happens(0.5) else 1
        if chance.fault(world.p.request_late):
            world.befell(f"{name} late")
            delay = chance.between(0.02, LATE)
        if chance.fault(world.p.request_twice):
            world.befell(f"{name} twice")
            times *= 2
        for n in range(times):
            self.loop.call_later(
                delay * (n + 1) / times, self._arrive, work, context=self.loop.outside
            )

    def _arrive(self, work):
        exchange = self.exchange
        if exchange.up.is_set() and not exchange.process.dead:
            exchange.process.context.run(work, exchange.venue)

    def place(self, order):
        self.world.sent(order, self)
        if self.chance.fault(self.world.p.kill_before_send):
            self.world.kill_daemon("kill before send")
        self._request("place", lambda venue: self._placed(venue, order))
        if self.chance.fault(self.world.p.kill_after_send):
            self.world.kill_daemon("kill after send")
            self._process.alive()

    def _placed(self, venue, order):
        self.world.arrived(order)
        venue.place(order)

    def cancel(self, order):
        self.world.asked_back(order)
        self._request("cancel", lambda venue: venue.cancel(order))

    def move_cash(self, ref, signed):
        """Cash moves beside the line: it is not the broker's, but somebody's transfer."""
        self._process.alive()
        self.loop.call_later(
            self.chance.between(0.001, 0.02), self._transfer, ref, signed, context=self.loop.outside
        )

    def _transfer(self, ref, signed):
        """Move cash, and look again whether it came: the same reference twice is once."""
        exchange = self.exchange
        if exchange.up.is_set():
            if exchange.moved(ref):
                return
            self._arrive(lambda venue: venue.move_cash(ref, signed))
        self.loop.call_later(0.3, self._transfer, ref, signed, context=self.loop.outside)

    async def next_oid(self):
        return await self._answered(lambda venue: venue.next_oid())

    async def book(self, since):
        book = await self._answered(lambda venue: venue.book(since))
        self.compared = True
        return book

    async def _answered(self, question):
        """Ask, and wait for the answer as long as there is any point in it."""
        self._process.alive()
        chance, world, exchange = self.chance, self.world, self.exchange
        await asyncio.sleep(chance.between(0.001, 0.02))
        if not self._up or not exchange.up.is_set():
            raise BrokerUnavailable("the line is down")
        if chance.fault(world.p.answer_lost):
            world.befell("answer lost")
            if chance.happens(0.5):
                self.drop()
            await asyncio.sleep(GIVEN_UP)
            raise BrokerUnavailable("no answer came in time")
        asked = self.loop.create_task(question(exchange.venue), context=exchange.process.context)
        done, _ = await asyncio.wait([asked, exchange.process.died], return_when="FIRST_COMPLETED")
        if asked not in done:
            raise BrokerUnavailable("the connection was reset")
        await asyncio.sleep(chance.between(0.001, 0.02))
        if not self._up:
            raise BrokerUnavailable("the line went down")
        return asked.result()

    async def on_close(self, close):
        """The market closes whether we look or not."""
        self._process.alive()
        self.exchange.close(close)
        if self.chance.happens(0.5):
            await asyncio.sleep(self.chance.between(0.0, 0.05))

    async def settle(self):
        """Nobody can say when all that was written has arrived."""

    async def aclose(self):
        self._up = False
        if self.exchange.line is self:
            self.exchange.line = None


class EmbeddedBroker:
    """The shipped paper broker in the daemon's own process, watched."""

    def __init__(self, world, process, paper):
        self.world, self._process, self.paper = world, process, paper
        self.kind, self.account, self.connection = paper.kind, paper.account, paper.connection
        self.compared = False

    @property
    def connected(self):
        return self.paper.connected

    def place(self, order):
        world = self.world
        world.sent(order, self)
        if world.chance.fault(world.p.kill_before_send):
            world.kill_daemon("kill before send")
        self._process.alive()
        world.arrived(order)
        self.paper.place(order)
        if world.chance.fault(world.p.kill_after_send):
            world.kill_daemon("kill after send")
            self._process.alive()

    def cancel(self, order):
        self._process.alive()
        self.paper.cancel(order)

    def move_cash(self, ref, signed):
        self._process.alive()
        self.paper.move_cash(ref, signed)

    async def next_oid(self):
        return await self.paper.next_oid()

    async def book(self, since):
        book = await self.paper.book(since)
        self.compared = True
        return book

    async def on_close(self, close):
        await self.paper.on_close(close)
        self.world.traded()

    async def settle(self):
        await self.paper.settle()

    async def aclose(self):
        await self.paper.aclose()
