"""Keeping an eye on things: what the shell knows of the world, and the rounds it makes."""

import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from control.protocol import Exit, Fault, Reply
from daemon.calendar import Calendar
from daemon.engine import Engine
from daemon.halt_file import HaltFile
from daemon.mind import Mind
from daemon.recovery import TRIES, compare, look
from daemon.retention import shorten_replies
from daemon.seams import Broker, BrokerUnavailable, Clock, Feed, Store, Streaming, why_paused
from daemon.space import MIB
from state.command import Cause, Halt, HaltForDisk
from state.evidence import AuditFacts, JournalChecked
from state.halting import lasting
from state.integrity import verify
from state.moment import Moment
from state.order import OrderId, Status, request_id
from state.settings import Settings
from state.snapshot import Snapshot
from state.status import BrokerFacts, DeliveryFacts, FeedFacts, JournalFacts, StatusFacts

ROUND: Final = 1.0  # seconds between rounds
HOUR: Final = 3600  # rounds


class Verdict(msgspec.Struct, frozen=True):
    """How the daemon is, and why."""

    verdict: Literal["healthy", "not ready", "unhealthy"]
    reasons: tuple[str, ...] = ()


def judged(reply: Reply, verdict: Verdict) -> Reply:
    """Return a reply that ends as a verdict says: ready, not yet, or something needs a human."""
    if verdict.verdict == "healthy":
        return reply
    exit_ = Exit.NOT_READY if verdict.verdict == "not ready" else Exit.FINDINGS
    code = "NOT_READY" if exit_ is Exit.NOT_READY else "UNHEALTHY"
    error = Fault(code, "; ".join(verdict.reasons), "`tm status` shows the whole")
    return replace(reply, ok=False, status=verdict.verdict, exit=exit_, error=error)


class Watch:
    """Answers what a snapshot can't know, and goes the rounds."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        broker: Broker,
        feed: Feed,
        clock: Clock,
        calendar: Calendar,
        halt_file: HaltFile,
        journal: Path,
        settings: Settings,
        version: str,
        mind: Mind | None = None,
    ) -> None:
        self._engine, self._store, self._broker, self._feed = engine, store, broker, feed
        self._clock, self._calendar = clock, calendar
        self._halt_file, self._journal = halt_file, journal
        self._settings, self._version = settings, version
        self._mind = mind
        self.deliveries: Callable[[], tuple[DeliveryFacts, ...]] = tuple

    def ready(self) -> bool:
        """Return whether a command to trade would be decided now, and its orders sent."""
        now, broker = self._engine.snapshot, self.broker_facts()
        return now.reconciled and now.bars > 0 and broker.connected and not broker.paused

    def status_facts(self) -> StatusFacts:
        """Return what the shell knows, for the status."""
        return StatusFacts(
            mode=mode(self._settings),
            ready=self.ready(),
            clock=self._engine.moment().at,
            feed=self.feed_facts(),
            broker=self.broker_facts(),
            journal=JournalFacts(self._engine.head.seq, self.journal_bytes()),
            version=self._version,
            pid=os.getpid(),
            beliefs=self._mind.facts() if self._mind else None,
            deliveries=self.deliveries(),
        )

    async def audit_facts(self) -> AuditFacts:
        """Find out what the shell can for an audit; what can't be found out is None.

        The broker is asked last: the snapshot it is to be compared with is the one on return.
        """
        written = self._engine.head.seq
        checked = await self._store.read(verify)
        differences = orders = None
        unavailable = ""
        try:
            differences = await compare(self._engine, self._broker)
            orders = await self._open_at_broker()
        except BrokerUnavailable as e:
            unavailable = str(e)
        moment = self._engine.moment()
        return AuditFacts(
            at=moment.at,
            due=self._calendar.last_open(moment.at),
            broker=self._broker.kind,
            differences=differences,
            broker_orders=orders,
            unavailable=unavailable,
            feed=self.feed_facts(),
            journal=JournalChecked(checked.ok, checked.seq, written, checked.message),
            disk_low=self._settings.alerts.disk_free * MIB,
            disk_free=shutil.disk_usage(self._journal.parent).free,
            wal_bytes=size(self._journal.with_name(self._journal.name + "-wal")),
            beliefs=self._mind.facts() if self._mind else None,
            open_time=moment.open_time,
            bar=moment.bar,
        )

    async def _open_at_broker(self) -> tuple[str, ...]:
        """Return the ids of the orders open there, asking until none came or went meanwhile.

        Raises BrokerUnavailable.
        """
        for _ in range(TRIES):
            before = standing(self._engine.snapshot)
            book = await look(self._engine, self._broker)
            if standing(self._engine.snapshot) == before:
                break
        return tuple(order.order_id for order in book.orders if order.status == "open")

    def broker_facts(self) -> BrokerFacts:
        """Return what the shell knows of the broker."""
        broker = self._broker
        return BrokerFacts(broker.kind, broker.connected, broker.account, why_paused(broker))

    def feed_facts(self) -> FeedFacts:
        """Return what the shell knows of the feed."""
        return FeedFacts(
            self._feed.kind,
            self._feed.connected,
            self._engine.snapshot.closed_at,
            self._feed.ended,
            {str(reason): count for reason, count in self._feed.refused.items()},
            self._feed.stream if isinstance(self._feed, Streaming) else None,
        )

    def journal_bytes(self) -> int:
        """Return the size of the journal and its write-ahead log on disk."""
        return size(self._journal) + size(self._journal.with_name(self._journal.name + "-wal"))

    def health(self) -> Verdict:
        """Return how the daemon is. A halt is a decision, not an illness."""
        now, broker, feed = self._engine.snapshot, self.broker_facts(), self.feed_facts()
        unknown = sum(order.status is Status.UNKNOWN for order in now.orders.values())
        ills = [
            (self._engine.disk_full, "the journal's disk is full"),
            (missing(broker), f"the {broker.kind} broker is not connected"),
            (missing_feed(feed, broker), f"the {feed.kind} feed is not connected"),
            (bool(unknown), f"{unknown} orders are in an unknown state"),
            (bool(now.differences), "the books differ from the broker's"),
        ]
        if reasons := tuple(reason for is_so, reason in ills if is_so):
            return Verdict("unhealthy", reasons)
        if not self.ready():
            why = "no bar has closed yet" if now.reconciled else "the books are being compared"
            why = broker.paused or why
            return Verdict("not ready", (why,))
        return Verdict("healthy")

    async def run(self) -> None:
        """Go the rounds until cancelled: the halt file, the disk, and what grows old."""
        for rounds in count():
            if rounds % HOUR == 0:
                keep = self._settings.journal.keep_replies
                await shorten_replies(self._store, keep, self._clock.wall())
            await self._clock.sleep(ROUND)
            await self.heed_halt_file()
            await self.look_for_room()

    async def heed_halt_file(self) -> None:
        """Journal a halt that was written to the file while nobody could be asked.

        The file of one symbol's halt stops all orders, so it goes when the journal has the halt.
        """
        if not self._halt_file.exists():
            return
        note, now = self._halt_file.read(), self._engine.snapshot
        if not lasting(now, note.scope):
            if 0 < note.seq <= now.seq:  # resumed since, and killed before the file was gone
                self._halt_file.remove()
                return
            key = f"halt-file|{self._engine.head.seq}"
            cause = Cause(request_id(key), key, "halt", note.actor, "halt-file")
            await self._engine.tell(Halt(note.reason, note.scope), cause)
        known = note.scope in self._engine.snapshot.halts
        if known and note.scope != "account" and self._halt_file.read() == note:
            self._halt_file.remove()

    async def look_for_room(self) -> None:
        """Trade again once a full disk has room, by taking the ballast's space back first."""
        if self._engine.disk_full and await self._store.restore_ballast():
            self._engine.disk_full = False
            self._engine.report(HaltForDisk(full=False, detail="the disk has room again"))


def missing(broker: BrokerFacts) -> bool:
    """Return whether the broker is away, and nobody said that it would be."""
    return not broker.connected and not broker.paused


def missing_feed(feed: FeedFacts, broker: BrokerFacts) -> bool:
    """Return whether the feed is away; one of the broker's own kind may be away with it."""
    together = feed.kind == broker.kind and broker.paused
    return not feed.connected and not feed.ended and not together


def standing(now: Snapshot) -> dict[OrderId, Status]:
    """Return where each open order is."""
    return {order.order_id: order.status for order in now.open_orders}


def size(file: Path) -> int:
    """Return a file's size in bytes, 0 when there is none."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def mode(settings: Settings) -> Literal["replay", "paper", "live"]:
    """Return what kind of world this is: a recording, paper money, or real money."""
    if settings.feed.kind == "replay" or settings.feed.clock == "feed":
        return "replay"
    return "paper" if settings.broker.kind == "paper" else "live"


class Times:
    """Makes the moment a command is decided by.

    In replay the market's clock is the last close the engine has decided, so a command can never
    be decided by a bar that is still on its way.
    """

    def __init__(self, calendar: Calendar, clock: Clock, feed: Feed, settings: Settings) -> None:
        self._calendar, self._clock, self._feed = calendar, clock, feed
        self._follows = settings.feed.kind == "replay" or settings.feed.clock == "feed"
        self._policy = settings.execution.session
        first = calendar.next_session(settings.replay.start) or calendar.first
        self._begin = calendar.open_of(calendar.previous_session(first) or first)

    def moment(self, now: Snapshot) -> Moment:
        """Return the moment, after everything in `now`."""
        wall = self._clock.wall()
        at = (now.closed_at or self._begin) if self._follows else wall
        ended = self._feed.ended
        return self._calendar.moment(at, wall, session_policy=self._policy, feed_ended=ended)
