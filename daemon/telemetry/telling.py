"""All that tells people something is wrong, put together from the settings."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from daemon.calendar import Calendar
from daemon.engine import Engine
from daemon.seams import Alarming, Broker, Clock, Pool
from daemon.space import MIB
from daemon.telemetry.alerting import Alerting, excused, feed_ill, world_of
from daemon.telemetry.delivery import Delivery, command, delivering
from daemon.telemetry.lifesign import pinging, settles
from daemon.telemetry.publisher import Publisher, Silence
from daemon.telemetry.web import web
from daemon.watch import Watch
from state.alert import AlertKind
from state.alerts import Pace, World
from state.bounds import web as complaint
from state.duration import duration, seconds
from state.given import ConfigurationInvalid, Problem
from state.settings import Alerts, Settings
from state.status import DeliveryFacts

FAREWELL: Final = 2.0  # seconds that alerts on their way are waited for at the end

log = logging.getLogger(__name__)


def address(alerts: Alerts, name: str) -> str:
    """Return the address of `webhook` or `ping`, from its file where there is one.

    Raises ConfigurationInvalid, which does not repeat what the file holds.
    """
    file = getattr(alerts, f"{name}_file")
    if not file:
        return str(getattr(alerts, name))
    key = f"alerts.{name}_file"
    try:
        found = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        problem = Problem(file, key, f"{key} can't be read: {e}", "name a file with the address")
        raise ConfigurationInvalid([problem]) from e
    if wrong := complaint(found) or ("" if found else "is empty"):
        problem = Problem(file, key, f"what {key} names {wrong}", "write one address, nothing else")
        raise ConfigurationInvalid([problem])
    return found


class Telling:
    """The alerts, the ways they go out, and the dead man's ping."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        broker: Broker,
        watch: Watch,
        calendar: Calendar,
        clock: Clock,
        free: Callable[[], int],
        pool: Callable[[str], Pool],
        publisher: Publisher | Silence,
    ) -> None:
        chosen = settings.alerts
        self._engine, self._clock = engine, clock
        self._every = seconds(chosen.ping_every)
        self._pings: Counter[str] = Counter()
        hook, ping = address(chosen, "webhook"), address(chosen, "ping")
        self._pools = [pool(name) for name, wanted in (("webhook", hook), ("ping", ping)) if wanted]
        self._deliveries = []
        if hook:
            self._deliveries.append(Delivery("webhook", web(hook, self._pools[0]), clock))
        if chosen.command:
            self._deliveries.append(Delivery("command", command(chosen.command), clock))
        self._ping = web(ping, self._pools[-1]) if ping else None
        grace, enough = duration(settings.feed.grace), chosen.disk_free * MIB

        def world() -> World:
            facts, feed = watch.broker_facts(), watch.feed_facts()
            return world_of(
                feed_ill(feed, facts, engine.moment(), grace, calendar.last_open),
                facts,
                broker.alarm if isinstance(broker, Alarming) else "",
                free(),
                enough,
                full=engine.disk_full,
                excused=excused(feed, facts),
            )

        pace = Pace(duration(chosen.patience), duration(chosen.escalate_after))
        self.alerting = Alerting(engine, clock, world, pace, self._deliveries, publisher.alert)

    def facts(self) -> tuple[DeliveryFacts, ...]:
        """Return how telling people went since the start."""
        pinged = (DeliveryFacts("ping", **self._pings),) if self._ping else ()
        return (*(delivery.facts() for delivery in self._deliveries), *pinged)

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.alerting.run(), name="alerting")
            tasks.create_task(delivering(*self._deliveries), name="alerts")
            if self._ping is not None:
                ping = pinging(self._clock, self._every, self._ping, self.well, self._note)
                tasks.create_task(ping, name="ping")

    async def working(self) -> bool:
        """Return whether the engine decides; with a full disk no restart would help."""
        return self._engine.disk_full or await settles(self._engine.settled)

    async def well(self) -> bool:
        """Return whether somebody far away need not worry.

        The engine decides, the journal can be written, prices come when they are due, and whatever
        else goes wrong would be told.
        """
        return (
            self.alerting.looked
            and not self._engine.disk_full
            and not self.alerting.told(AlertKind.FEED_STALE)
            and await settles(self._engine.settled)
        )

    async def aclose(self) -> None:
        """Wait a moment for what is on its way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                for delivery in self._deliveries:
                    await delivery.flushed()

    async def let_go(self) -> None:
        """Wait for no server."""
        for pool in self._pools:
            await pool.aclose(0.0)

    def _note(self, outcome: str) -> None:
        self._pings[outcome] += 1
