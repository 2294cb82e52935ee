"""The single writer: one task owns the snapshot; everyone else sends it commands."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, Final

from msgspec.structs import replace

from control.protocol import Reply, decode_reply
from daemon.keeping import finalised, replayed, row, touched, unjournaled, without_disk
from daemon.message import SUBMITTING, URGENT, Act, Answer, EngineEnded, Message
from daemon.recollection import Recollection
from daemon.replies import busy, disk_full_reply, first_reply, unavailable_reply
from daemon.seams import Clock, Store
from state.chain import SNAPSHOT_EVERY
from state.command import (
    Cause,
    ClientCommand,
    Command,
    Halt,
    HaltForDisk,
    MakePreviewedPlan,
    RecordReconciliation,
    Report,
)
from state.decider import decide
from state.event import CommandFinished, Event
from state.journal import JournalFull
from state.moment import Moment
from state.order import Rid
from state.record import Batch, Head, StoredCommand
from state.snapshot import Snapshot
from state.unfolding import Unavailable

INBOX: Final = 1024  # client commands waiting; one more is told BUSY
BATCH: Final = 256  # commands decided and committed together
NOTHING: Final = RecordReconciliation(looked=True)
PATIENCE: Final = 1.0  # seconds that a halt which submits orders waits for a close, at most

log = logging.getLogger(__name__)


class Engine:
    """Holds the live snapshot. Messages are decided in order and committed in groups.

    Nobody is answered, and nothing believed or done, before the commit; `act` is told its events.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        head: Head,
        store: Store,
        clock: Clock,
        moment: Callable[[Snapshot], Moment],
        unfinished: Sequence[StoredCommand] = (),
        snapshot_every: int = SNAPSHOT_EVERY,
    ) -> None:
        self.snapshot, self.head = snapshot, head
        self.disk_full = without_disk(snapshot)
        self.busy = self._ended = False
        self.act: Act = lambda events, now: None
        self._store, self._clock, self._moment = store, clock, moment
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._clients = 0
        self._backlog: list[Message] = []
        self._unfinished: dict[Rid, StoredCommand] = {c.rid: c for c in unfinished}
        self._waiting: dict[Rid, list[asyncio.Future[Reply]]] = {}
        self._committed = asyncio.Condition()
        self._between_closes = asyncio.Event()
        self._between_closes.set()
        self._saved, self._every = snapshot.seq, snapshot_every

    async def ask(self, command: ClientCommand | MakePreviewedPlan, cause: Cause) -> Reply:
        """Return the durable reply to a client's command; the same key gets the same reply.

        Raises EngineEnded: nobody knows, ask again.
        """
        if isinstance(command, SUBMITTING):
            await self._between_closes.wait()
        elif isinstance(command, Halt) and command.flatten:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._between_closes.wait(), PATIENCE)
        if self._clients >= INBOX:
            return busy(cause, f"{self._clients} commands are waiting")
        self._clients += 1
        try:
            answer = await self.tell(command, cause)
        finally:
            self._clients -= 1
        if answer.reply is None:
            raise RuntimeError(f"the engine gave no reply to {cause.op}")
        return answer.reply

    @property
    def asked(self) -> bool:
        """Return whether a client's command waits to be decided."""
        return self._clients > 0

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Hold commands that submit orders back while a close is on its way.

        An order decided on the close before, when its session's bar has traded already, could only
        expire. What cuts risk is never held, but a halt that flattens a little: its orders could
        expire too. While the disk is full a close may take for ever, and orders are turned away.
        """
        if not self.disk_full:
            self._between_closes.clear()
        try:
            yield
        finally:
            self._between_closes.set()

    async def tell(self, command: Report | ClientCommand, cause: Cause | None = None) -> Answer:
        """Return what the daemon's own `command` caused, once it is durable; or EngineEnded."""
        if self._ended:
            raise EngineEnded
        return await self.send(command, cause)

    def report(self, command: Report) -> None:
        """Send a report whose outcome nobody waits for. It is never turned away."""
        self._inbox.put_nowait((command, None, None))

    def send(
        self, command: Report | ClientCommand, cause: Cause | None = None
    ) -> "asyncio.Future[Answer]":
        """Send a command now; the future is done when what it caused is durable."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait((command, cause, future))
        return future

    def finished(self, rid: Rid) -> "asyncio.Future[Reply]":
        """Return the final reply to come of a command `in_flight`; who awaits it may be late."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(rid, [])
        waiting.append(future)
        future.add_done_callback(waiting.remove)
        return future

    def moment(self) -> Moment:
        """Return the time by which a command would be decided now."""
        return self._moment(self.snapshot)

    def in_flight(self, rid: Rid) -> bool:
        """Return whether a command still has orders that are not final."""
        return rid in self._unfinished

    async def settled(self) -> None:
        """Return once everything sent so far is durable."""
        if self._inbox.empty() and not self.busy:
            return
        await self.tell(NOTHING)

    async def beyond(self, seq: int) -> None:
        """Return once the journal has grown past `seq`."""
        async with self._committed:
            await self._committed.wait_for(lambda: self.head.seq > seq)

    async def run(self) -> None:
        """Serve the inbox until cancelled; a failed commit ends it, and with it the daemon."""
        messages: list[Message] = []
        try:
            while True:
                messages = self._backlog or [await self._inbox.get()]
                self._backlog = []
                while len(messages) < BATCH and not self._inbox.empty():
                    messages.append(self._inbox.get_nowait())
                self.busy = True
                await self._commit(messages)
                self.busy = False
        finally:
            self._let_go(messages)

    def _let_go(self, messages: Sequence[Message]) -> None:
        """Keep nobody waiting for what the engine will not say any more."""
        self._ended = True
        messages = [*messages, *self._backlog]
        while not self._inbox.empty():
            messages.append(self._inbox.get_nowait())
        asked = (future for _, _, future in messages if future is not None)
        for future in chain[asyncio.Future[Any]](asked, *self._waiting.values()):
            if not future.done():
                future.set_exception(EngineEnded())
                future.exception()  # seen: whoever sent a report may not wait for it

    async def _commit(self, messages: Sequence[Message]) -> None:
        """Decide `messages` in order, make what they cause durable, then answer and act."""
        now, events = self.snapshot, list[Event]()
        rows: dict[Rid, StoredCommand] = {}
        answers: list[tuple[asyncio.Future[Answer], Answer]] = []
        wall = self._clock.wall()
        recollection = await Recollection.of(self._store, now, messages)
        for told, cause, future in messages:
            command = recollection.reminded(told)
            known = cause and (rows.get(cause.rid) or recollection.command(cause.rid))
            if cause is not None and known:
                answer = Answer(reply=replayed(known, cause))
            elif cause is not None and self.disk_full and not isinstance(command, URGENT):
                answer = Answer(reply=disk_full_reply(cause, now))
            else:
                try:
                    decided = decide(now, command, self._moment(now), cause)
                except Exception as e:
                    if cause is None or future is None:
                        raise
                    if not future.done():  # a client's command that can't be decided is its own
                        future.set_exception(e)
                    continue
                if isinstance(decided, Unavailable):
                    reply = unavailable_reply(decided, cause, now) if cause else None
                    answer = Answer(reply=reply, undecided=decided)
                else:
                    now = decided.now
                    events += decided.events
                    recollection.note(decided.events)
                    answer = Answer(tuple(decided.events))
                    if cause is not None:
                        reply = first_reply(now, cause, decided.events)
                        rows[cause.rid] = row(
                            cause, reply, wall, final=cause.rid not in now.commands
                        )
                        answer = Answer(tuple(decided.events), reply)
                    for event in decided.events:
                        if isinstance(event, CommandFinished) and (
                            mine := rows.get(event.rid) or self._unfinished.get(event.rid)
                        ):
                            rows[event.rid] = finalised(mine, event)
            if future is not None:
                answers.append((future, answer))
        if events:
            batch = Batch(
                events,
                wall,
                orders=touched(now, events),
                commands=tuple(rows.values()),
                snapshot=now if now.seq - self._saved >= self._every else None,
            )
            try:
                self.head = await self._store.append(batch)
            except JournalFull as e:
                await self._disk_is_full(messages, e)
                return
            if batch.snapshot is not None:
                self._saved = now.seq
        self._believe(now, events, rows)
        for future, answer in answers:
            if not future.done():
                future.set_result(answer)
        if events:
            async with self._committed:
                self._committed.notify_all()

    def _believe(
        self, now: Snapshot, events: Sequence[Event], rows: Mapping[Rid, StoredCommand]
    ) -> None:
        """Take what is durable for true, tell those who wait for it, and carry it out."""
        self.snapshot = now
        for rid, stored in rows.items():
            if not stored.final:
                self._unfinished[rid] = stored
                continue
            self._unfinished.pop(rid, None)
            for future in self._waiting.pop(rid, ()):
                if not future.done():
                    future.set_result(decode_reply(stored.reply))
        self.act(events, now)

    async def _disk_is_full(self, messages: Sequence[Message], why: JournalFull) -> None:
        """Nothing was written: keep the reports, turn commands away, and record the halt.

        The ballast makes room for the halt and for what the broker still says. When that is used
        up too, reports wait in memory: the broker keeps them as well.
        """
        log.critical("journal_full", extra={"detail": str(why)})
        self._backlog = [m for m in messages if m[1] is None or isinstance(m[0], Halt)]
        self._between_closes.set()
        if not self.disk_full:
            self.disk_full = True
            detail = f"the journal's disk is full: {why}"
            self._backlog.insert(0, (HaltForDisk(full=True, detail=detail), None, None))
        for command, cause, future in messages:
            if cause is not None and future is not None and not future.done():
                future.set_result(Answer(reply=self._unjournaled(command, cause)))
        if not self._store.release_ballast():
            await self._clock.sleep(1.0)

    def _unjournaled(self, command: Command, cause: Cause) -> Reply:
        """Answer a command while nothing can be written: what cuts risk is done all the same."""
        reply, done = unjournaled(self.snapshot, command, cause, self._moment(self.snapshot))
        log.critical("disk_full", extra={"op": cause.op, "done": len(done)})
        self.act(done, replace(self.snapshot, seq=0))  # the journal has none of it
        return reply
