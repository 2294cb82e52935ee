"""What decides on closes: the strategy, mind or blend of a run, its trader, and every close."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from daemon.almanac import due_by
from daemon.blending import Blend, Recipe, resumed
from daemon.calendar import Calendar
from daemon.charge import Charge
from daemon.engine import Engine
from daemon.feeds.opening import PriceFeed, Warming, run_feed
from daemon.mind import Mind
from daemon.minding import awaken
from daemon.seams import Broker, Pool, Store
from daemon.sender import Sender
from daemon.trader import Closes, Trader
from state.instrument import Symbol
from state.quote import Close
from state.settings import Limits, Settings
from state.snapshot import Snapshot
from strategies.plugin import Strategy
from strategies.sizing import targets

Floats = NDArray[np.float64]

log = logging.getLogger(__name__)


class Trading:
    """Makes the trader of a run, warm, and carries every close of the feed to it.

    Of `strategy`, `mind` and `recipe` (of a blend, which may have a mind in it) one decides.
    """

    def __init__(
        self,
        settings: Settings,
        calendar: Calendar,
        begins: date,
        limits: Limits,
        engine: Engine,
        feed: PriceFeed,
        strategy: Strategy | None,
        mind: Mind | None,
        recipe: Recipe | None,
    ) -> None:
        self._settings, self._calendar, self._begins = settings, calendar, begins
        self._limits, self._engine, self._feed = limits, engine, feed
        self._strategy, self._mind = strategy, mind
        self._blend = Blend(recipe, feed.symbols, mind, self._sized) if recipe else None
        self._warm_before = begins  # the session before which closes warm the strategy

    def trader(self, broker: Broker, sender: Sender) -> Trader:
        """Return the trader, its strategy warm with the closes before the next one."""
        chosen, feed, engine = self._settings, self._feed, self._engine
        window = chosen.strategy.window
        if self._blend is not None:
            window = max(window, self._blend.window)
        elif self._strategy is not None:
            window = max(window, self._strategy.window)
        closes = Closes(feed.symbols, window)
        session = engine.snapshot.session
        before = self._calendar.next_session(session) if session else self._begins
        if before is not None:
            self._warm_before = before
            closes.extend(feed.history(before, window)[2])
        return Trader(
            engine,
            broker,
            sender,
            closes,
            self._propose,
            strategy=chosen.strategy.name,
            account=chosen.account.id,
            due=due_by(self._calendar, chosen),
            mind=self._mind if self._blend is None else None,
            blend=self._blend,
        )

    async def wake(self, now: Snapshot, store: Store, threads: Pool) -> None:
        """Let what remembers go on from where the journal says it was."""
        await awaken(self._mind, now, store, self._feed, self._begins)
        if self._blend is not None:
            await resumed(self._blend, now, store, self._feed, threads)

    async def run(
        self,
        trader: Trader,
        stop: asyncio.Event,
        wake: Callable[[], Awaitable[None]],
        charge: Charge,
        closed: Callable[[], None],
    ) -> None:
        """Carry every close to the trader; at the end hold, or stop the daemon."""
        feed = self._feed
        if isinstance(feed, Warming):
            await feed.warmed()
            trader.warm(lambda bars: feed.history(self._warm_before, bars)[2])
        await wake()
        await charge.heed()

        async def on_close(close: Close) -> None:
            await charge.heed()
            await trader.on_close(close)
            closed()

        await run_feed(feed, on_close, trader.on_quotes)
        await trader.caught_up()
        log.info("feed_ended", extra={"at_end": self._settings.replay.at_end})
        if self._settings.replay.at_end == "stop":
            stop.set()

    def _propose(self, closes: Floats, held: Floats) -> Mapping[Symbol, float]:
        """Return the targets of the strategy, within the account's caps."""
        if self._strategy is None:
            raise RuntimeError("who decides here is a mind or a blend, and no strategy")
        return self._sized(self._strategy.weights(closes, held))

    def _sized(self, weights: Floats) -> dict[Symbol, float]:
        """Return weights as targets, within the account's caps."""
        limits = start.limits if (start := self._engine.snapshot.start) else self._limits
        most, gross = limits.max_position_weight, limits.max_gross
        return targets(weights, self._feed.symbols, max_weight=most, max_gross=gross)
