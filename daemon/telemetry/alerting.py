"""Telling people: a look each second at what is wrong, and what of it is news."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from daemon.engine import Engine
from daemon.seams import Clock
from daemon.space import MIB
from daemon.telemetry.delivery import Delivery
from daemon.watch import missing, missing_feed
from state.alert import Alert, AlertKind, Subject
from state.alerts import Pace, Standing, World, ills, remembered, step
from state.command import RecordAlert
from state.moment import Moment
from state.status import BrokerFacts, FeedFacts

EVERY: Final = 1.0  # seconds between looks

log = logging.getLogger(__name__)


class Alerting:
    """Looks, tells and journals. A matter that was being told when power went is told again."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        world: Callable[[], World],
        pace: Pace,
        deliveries: Sequence[Delivery],
        publish: Callable[[Alert], None],
    ) -> None:
        self._engine, self._clock, self._world, self._pace = engine, clock, world, pace
        self._deliveries, self._publish = deliveries, publish
        self._standing: Mapping[Subject, Standing] = remembered(engine.snapshot.alerts)
        self.looked = True  # whether the last look could be taken

    async def run(self) -> None:
        """Look until cancelled. A look that fails is in the log, and `looked` is no longer so."""
        while True:
            try:
                self.look()
            except Exception:
                if self.looked:
                    log.exception("alerts_not_looked")
                self.looked = False
            else:
                self.looked = True
            await self._clock.sleep(EVERY)

    def look(self) -> None:
        """Tell what is news."""
        world = self._world()
        found = ills(self._engine.snapshot, world, self._engine.moment().at)
        wall = self._clock.wall()
        self._standing, alerts = step(self._standing, found, wall, self._pace, world.excused)
        for alert in alerts:
            log.warning(
                "alert",
                extra={
                    **{name: getattr(alert, name) for name in ("turn", "level", "kind", "subject")},
                    "detail": alert.message,
                },
            )
            self._publish(alert)
            for delivery in self._deliveries:
                delivery.put(alert)
            self._engine.report(RecordAlert(alert))

    def told(self, kind: AlertKind) -> bool:
        """Return whether people know that something of a kind is wrong now."""
        return any(
            one.told and one.ill.kind is kind and one.fine is None
            for one in self._standing.values()
        )


def feed_ill(
    feed: FeedFacts,
    broker: BrokerFacts,
    moment: Moment,
    grace: timedelta,
    last_open: Callable[[datetime], datetime],
) -> str:
    """Return what is wrong with the feed in words, "" when nothing is.

    A close is due when as much open-market time as lies between two bars went by since the last
    one; `grace` is how long it may take to come.
    """
    if feed.ended:
        return ""
    if missing_feed(feed, broker):
        return f"the {feed.kind} feed is not connected"
    due = last_open(moment.at - grace)
    last = feed.last_at
    if last and due > last and moment.bar and moment.open_time(last, due) >= moment.bar:
        return f"no close since {last:%Y-%m-%d %H:%M} UTC"
    stream = feed.stream
    if stream and stream.missed_at and feed.last_at and stream.missed_at >= feed.last_at.date():
        return f"bars of {stream.missed_at} never came"
    return ""


def excused(feed: FeedFacts, broker: BrokerFacts) -> frozenset[AlertKind]:
    """Return of what nobody can say that it is well, for it is away as it was announced."""
    away = {
        AlertKind.BROKER_DOWN: not broker.connected and not missing(broker),
        AlertKind.FEED_STALE: not feed.connected
        and not feed.ended
        and not missing_feed(feed, broker),
    }
    return frozenset(kind for kind, is_so in away.items() if is_so)


def world_of(
    feed: str,
    broker: BrokerFacts,
    gateway: str,
    free: int,
    enough: int,
    *,
    full: bool,
    excused: frozenset[AlertKind] = frozenset(),
) -> World:
    """Return what the shell knows, in words; `free` and `enough` are bytes of its disk."""
    disk = "the journal's disk is full" if full else ""
    if not disk and free < enough:
        disk = f"{free // MIB} MiB are free on the journal's disk, less than {enough // MIB}"
    return World(
        feed=feed,
        broker=f"the {broker.kind} broker is not connected" if missing(broker) else "",
        gateway=gateway,
        disk=disk,
        disk_full=full,
        excused=excused,
    )
