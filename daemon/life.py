"""One run of the daemon: what is made, in which order it starts, and in which it stops."""

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

from control.version import VERSION
from daemon.almanac import almanac
from daemon.blending import recipe_of
from daemon.calendar_file import keep
from daemon.charge import Charge
from daemon.clock import MarketClock
from daemon.effects import Effects
from daemon.engine import Engine
from daemon.entrance import Entrance
from daemon.evolving import Evolving
from daemon.feeds.bundle import benchmark
from daemon.feeds.opening import PriceFeed, begins, led, open_feed, source_of
from daemon.halt_file import HaltFile
from daemon.handlers import Handlers
from daemon.link import Link
from daemon.mind import Mind
from daemon.minding import asleep, check_engine, model_of
from daemon.mqtt_link import MqttLink
from daemon.permit import permit_of
from daemon.recovery import tell_again
from daemon.seams import Broker, Store
from daemon.sender import Sender
from daemon.telemetry.publisher import publisher_of
from daemon.telemetry.telling import Telling, address
from daemon.trading import Trading
from daemon.watch import Times, Watch, mode
from daemon.world import Machine, World
from state.command import RecordStart
from state.configuration import Effective, fingerprint, shown
from state.event import Start
from state.history import last_not_placed, unfinished
from strategies.plugin import Strategy

CALENDAR: Final = "calendar"
COMPILED: Final = "compiled"  # what jax made of the mind, for the next start
EVOLUTION: Final = "evolution"
JOURNAL: Final = "journal.db"
PAPER_BOOK: Final = "paper.db"
DRAIN: Final = 5.0  # seconds that what is under way may take to become durable at the end

log = logging.getLogger(__name__)


class Life:
    """One run, made from the configuration and the seams. `run` may be called once."""

    def __init__(
        self,
        effective: Effective,
        state: Path,
        socket: str,
        *,
        world: World | None = None,
    ) -> None:
        self.settings = effective.settings
        self._effective, self._state, self._socket = effective, state, socket
        self._world = world or Machine()
        self._clock = self._world.clock
        chosen = self.settings
        self.entrance = Entrance(chosen.control)
        self._model = model_of(chosen)
        self._recipe = recipe_of(chosen, self._world.strategy)
        self._strategy: Strategy | None = None
        asked: tuple[object, ...]
        if self._recipe is not None:
            self._model, asked = self._recipe.model, self._recipe.sources
        elif self._model is not None:
            asked = (self._model,)
        else:
            self._strategy = self._world.strategy(chosen.strategy.name, chosen.strategy.parameters)
            asked = (self._strategy,)
        if self._model is not None:
            check_engine(chosen.beliefs.engine)
        self._permit = permit_of(chosen, asked)
        self._limits = chosen.risk
        self._source = source_of(chosen, self._world.prices)
        self._begins = begins(chosen, self._clock)
        MqttLink(chosen.mqtt, chosen.account.id, self._clock).check()
        for name in ("webhook", "ping"):
            address(chosen.alerts, name)
        self._calendar, self._calendar_is_new = self._world.calendar(
            state / CALENDAR, chosen.universe.calendar
        )

    def described(self) -> str:
        """Return in a line what would run."""
        chosen = self.settings
        return (
            f"account {chosen.account.id}, {len(self._source.symbols)} symbols, "
            f"{chosen.strategy.name}, {chosen.feed.kind} feed, {chosen.broker.kind} broker"
        )

    def cautioned(self) -> str:
        """Return what somebody should think of before it runs, "" for nothing."""
        return self._permit.cautioned(self._calendar, self._clock.wall().date())

    async def run(self, stop: asyncio.Event) -> None:
        """Trade until `stop`. Any task that fails ends the run; the next start recovers."""
        async with AsyncExitStack() as owned:
            owned.enter_context(self._world.held(self._state))
            self._permit.check_directory(self._state)
            if caution := self.cautioned():
                log.warning("cautioned", extra={"detail": caution})
            if self._calendar_is_new:
                keep(self._state / CALENDAR, self._calendar)
            store, snapshot, head = await self._world.open_store(self._state / JOURNAL)
            owned.push_async_callback(store.aclose)
            self._permit.check_journal(snapshot.start)
            self._limits = self._permit.limits(self._state, self._clock.wall().date())
            market = MarketClock(self._clock, follows_feed=mode(self.settings) == "replay")
            feed = await open_feed(
                self._source, self.settings, self._calendar, self._clock, market, snapshot, store
            )
            times = Times(self._calendar, self._clock, feed, self.settings)
            open_commands = await store.read(unfinished)
            engine = Engine(
                snapshot,
                head,
                store,
                self._clock,
                times.moment,
                open_commands,
                self._world.snapshot_every,
            )
            broker = await self._broker(engine)
            owned.push_async_callback(broker.aclose)
            if (letting_go := led(feed, broker, self.settings, self._clock)) is not None:
                owned.push_async_callback(letting_go)
            mind = None
            if self._model is not None:
                pool = self._world.pool("mind")
                owned.push_async_callback(pool.aclose, DRAIN)
                cache = self._state / COMPILED
                mind = asleep(self.settings, self._model, pool, feed.symbols, cache)
            trading = Trading(
                self.settings,
                self._calendar,
                self._begins,
                self._limits,
                engine,
                feed,
                self._strategy,
                mind,
                self._recipe,
            )
            await self._live(stop, store, engine, broker, feed, mind, trading)

    async def _broker(self, engine: Engine) -> Broker:
        """Return who executes."""
        chosen = self.settings
        if (ib := self._permit.ib) is not None:  # as it was armed, whatever its file says by now
            listed = tuple(map(chosen.instrument, self._source.symbols))
            currency = chosen.account.base_currency
            return self._world.open_ib(ib, currency, listed, engine.report, self._calendar)
        return await self._world.open_broker(
            self._state / PAPER_BOOK, chosen, self._calendar, engine.report
        )

    async def _live(
        self,
        stop: asyncio.Event,
        store: Store,
        engine: Engine,
        broker: Broker,
        feed: PriceFeed,
        mind: Mind | None,
        trading: Trading,
    ) -> None:
        """Run the tasks, in the order in which they may begin and must end."""
        halt_file = HaltFile(self._state)
        sender = Sender(engine, broker, halt_file.exists)
        watch = Watch(
            engine,
            store,
            broker,
            feed,
            self._clock,
            self._calendar,
            halt_file,
            self._state / JOURNAL,
            self.settings,
            VERSION,
            mind,
        )
        trader = trading.trader(broker, sender)
        publisher = publisher_of(self.settings, engine, watch, self._clock)
        telling = Telling(
            self.settings,
            engine,
            broker,
            watch,
            self._calendar,
            self._clock,
            partial(self._world.free, self._state),
            self._world.pool,
            publisher,
        )
        watch.deliveries = telling.facts
        service = self._world.service
        engine.act = publisher.after(Effects(broker, sender, halt_file, stop))
        threads = self._world.pool("evolution")
        evolving = Evolving(
            engine,
            feed,
            self._calendar,
            self.settings,
            self._state / EVOLUTION,
            self._clock,
            threads,
        )
        handlers = Handlers(
            engine,
            store,
            broker,
            self._clock,
            watch,
            version=VERSION,
            zone=self._calendar.zone,
            configuration=shown(self._effective),
            benchmark=lambda: {day: float(close) for day, close in benchmark().items()},
            evolving=evolving,
            almanac=almanac(self._calendar, self.settings),
        )
        gate, trail, door = self.entrance.opened(engine, handlers.handle, self._clock)
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(engine.run(), name="engine")
            await engine.tell(RecordStart(self._start()))
            await tell_again(store, broker)
            async with (
                self._world.page(
                    self.settings.telemetry.http,
                    gate.handle,
                    engine,
                    store,
                    watch,
                    self._calendar.zone,
                ) as handle,
                self._world.serve(
                    self._socket,
                    handle,
                    version=VERSION,
                    control=self.settings.control,
                    door=door,
                ),
            ):
                denials = tasks.create_task(trail.run(), name="trail")
                sending = tasks.create_task(sender.run(), name="sender")
                await watch.heed_halt_file()
                rounds = tasks.create_task(watch.run(), name="watch")
                resume = partial(trader.resume, partial(store.read, last_not_placed))
                settle = max(self._world.settle, self._permit.settle)
                link = Link(engine, broker, sender, self._clock, settle, resume)
                linking = tasks.create_task(link.run(), name="link")
                publishing = tasks.create_task(publisher.run(), name="out")
                await link.tried.wait()
                alerts = tasks.create_task(telling.run(), name="alerts")
                watching = tasks.create_task(
                    service.watched(self._clock, telling.working), name="service"
                )
                breeding = tasks.create_task(evolving.run(), name="evolution")
                wake = partial(trading.wake, engine.snapshot, store, threads)
                exposures = self.settings.beliefs.exposures
                bred = self._model if self._recipe is None else None  # a member's is its own
                charge = Charge(engine, mind, bred, exposures, self._permit)
                closing = tasks.create_task(
                    trading.run(trader, stop, wake, charge, evolving.nudge), name="trader"
                )
                log.info("ready", extra={"socket": self._socket, "seq": engine.head.seq})
                service.say("READY=1")
                try:
                    await stop.wait()
                finally:
                    service.say("STOPPING=1")
                    handlers.end()
                await telling.aclose()
                await ended(
                    closing, linking, rounds, denials, publishing, breeding, alerts, watching
                )  # the rest is still answered
            try:
                async with asyncio.timeout(DRAIN):
                    await sender.flushed()
                    await ended(sending)
                    await engine.settled()
            except TimeoutError:  # a full disk: what is lost here, the broker says again
                log.critical("stopped_undrained", extra={"detail": f"not done in {DRAIN:g} s"})
            await ended(sending, writer)
        await telling.let_go()
        log.info("stopped", extra={"seq": engine.head.seq})

    def _start(self) -> Start:
        """Return what this run is started with, for the journal."""
        chosen = self.settings
        return Start(
            version=VERSION,
            config_hash=fingerprint(chosen),
            account=chosen.account.id,
            base_currency=chosen.account.base_currency,
            mode=mode(chosen),
            calendar=chosen.universe.calendar,
            strategy=chosen.strategy.name,
            instruments=tuple(map(chosen.instrument, self._source.symbols)),
            limits=self._limits,
            execution=chosen.execution,
            cost_bps=chosen.paper.commission_bps
            + chosen.paper.slippage_bps
            + chosen.paper.spread_bps / 2,
            restricted=chosen.risk.restricted,
            broker=self._permit.broker,
        )


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they are gone."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
