"""Keeping an eye on things: what the shell knows of the world, and the rounds it makes."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from daemon.calendar import Calendar
from daemon.engine import Engine
from daemon.feeds.bar_check import Refusal
from daemon.halt_file import HaltFile
from daemon.recovery import compare
from daemon.seams import Broker, BrokerUnavailable, Clock, Feed, Store
from state.command import Cause, Halt, HaltForDisk
from state.moment import Moment
from state.order import Status, request_id
from state.settings import Settings
from state.snapshot import Snapshot
from state.status import BrokerFacts, FeedFacts, JournalFacts, StatusFacts

ROUND: Final = 1.0  # seconds between rounds
COMPARE: Final = 60  # rounds between comparisons with the broker

log = logging.getLogger(__name__)


class Verdict(msgspec.Struct, frozen=True):
    """How the daemon is, and why."""

    verdict: Literal["healthy", "not ready", "unhealthy"]
    reasons: tuple[str, ...] = ()


class CheckedFeed(Feed, Protocol):
    """A feed that also counts the bars it did not believe."""

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Return how many bars were refused, by reason."""


class Watch:
    """Answers what a snapshot can't know, and goes the rounds."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        broker: Broker,
        feed: CheckedFeed,
        clock: Clock,
        halt_file: HaltFile,
        journal: Path,
        settings: Settings,
        version: str,
    ) -> None:
        self._engine, self._store, self._broker, self._feed = engine, store, broker, feed
        self._clock, self._halt_file, self._journal = clock, halt_file, journal
        self._settings, self._version = settings, version

    def ready(self) -> bool:
        """Return whether a command to trade would be decided now."""
        now = self._engine.snapshot
        return now.reconciled and now.bars > 0 and self._broker.connected

    def status_facts(self) -> StatusFacts:
        """Return what the shell knows, for the status."""
        now = self._engine.snapshot
        return StatusFacts(
            mode=mode(self._settings),
            ready=self.ready(),
            clock=self._engine.moment().at,
            feed=FeedFacts(
                self._feed.kind,
                self._feed.connected,
                now.closed_at,
                self._feed.ended,
                {str(reason): count for reason, count in self._feed.refused.items()},
            ),
            broker=BrokerFacts(self._broker.kind, self._broker.connected, self._broker.account),
            journal=JournalFacts(self._engine.head.seq, self.journal_bytes()),
            version=self._version,
            pid=os.getpid(),
        )

    def journal_bytes(self) -> int:
        """Return the size of the journal and its write-ahead log on disk."""
        files = (self._journal, self._journal.with_name(self._journal.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def health(self) -> Verdict:
        """Return how the daemon is. A halt is a decision, not an illness."""
        now = self._engine.snapshot
        unknown = sum(order.status is Status.UNKNOWN for order in now.orders.values())
        deaf = not self._feed.connected and not self._feed.ended
        ills = [
            (self._engine.disk_full, "the journal's disk is full"),
            (not self._broker.connected, f"the {self._broker.kind} broker is not connected"),
            (deaf, f"the {self._feed.kind} feed is not connected"),
            (bool(unknown), f"{unknown} orders are in an unknown state"),
            (bool(now.differences), "the books differ from the broker's"),
        ]
        if reasons := tuple(reason for is_so, reason in ills if is_so):
            return Verdict("unhealthy", reasons)
        if not self.ready():
            why = "no bar has closed yet" if now.reconciled else "the books are being compared"
            return Verdict("not ready", (why,))
        return Verdict("healthy")

    async def run(self) -> None:
        """Go the rounds until cancelled: halt file, disk, and once a minute the broker's books."""
        rounds = 0
        while True:
            await self._clock.sleep(ROUND)
            rounds += 1
            await self.heed_halt_file()
            await self.look_for_room()
            if rounds % COMPARE == 0:
                await self.compare_books()

    async def heed_halt_file(self) -> None:
        """Journal a halt that was written to the file while nobody could be asked."""
        if not self._halt_file.exists() or self._engine.snapshot.halting() is not None:
            return
        note = self._halt_file.read()
        key = f"halt-file|{self._engine.head.seq}"
        cause = Cause(request_id(key), key, "halt", note.actor, "halt-file")
        await self._engine.tell(Halt(note.reason, note.scope), cause)

    async def look_for_room(self) -> None:
        """Trade again once a full disk has room, by taking the ballast's space back first."""
        if self._engine.disk_full and await self._store.restore_ballast():
            self._engine.disk_full = False
            self._engine.report(HaltForDisk(full=False, detail="the disk has room again"))

    async def compare_books(self) -> None:
        """Compare with the broker; a difference halts, and no answer is not "flat"."""
        try:
            await compare(self._engine, self._broker)
        except BrokerUnavailable as e:
            log.warning("reconcile_failed", extra={"detail": str(e)})


def mode(settings: Settings) -> Literal["replay", "paper", "live"]:
    """Return what kind of world this is: a recording, paper money, or real money."""
    if settings.feed.kind == "replay":
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
