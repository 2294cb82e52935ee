"""One request in, one reply out: queries read the snapshot, commands go through the engine."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, Final, TypeVar, assert_never

from msgspec.structs import replace

from control import protocol
from control.protocol import (
    Audit,
    Await,
    Backup,
    Beliefs,
    DryRun,
    Events,
    Evolution,
    Exit,
    Explain,
    Fault,
    Fills,
    Genomes,
    Health,
    Orders,
    Ping,
    Portfolio,
    Question,
    Reconcile,
    ReconcileStatement,
    Reply,
    ResumeEvolution,
    ShowConfig,
    ShowLimits,
    StartEvolution,
    Status,
    Verify,
    decode_reply,
)
from control.request import Request
from daemon.backups import Backups
from daemon.comparing import Comparisons
from daemon.engine import Engine
from daemon.evolution_answers import genomes_told, run_told
from daemon.evolving import Evolving
from daemon.identity import cause_of
from daemon.keeping import replayed
from daemon.message import EngineEnded
from daemon.mind_questions import Unanswerable, believed, chain_of
from daemon.previews import Previews
from daemon.principal import Caller
from daemon.questions import orders_and_keys, report_from
from daemon.replies import builtin, fault, not_final, too_late
from daemon.seams import Broker, Clock, Store
from daemon.watch import Watch, judged
from state import answers, limits_in_force, plan_answers
from state.audit import audit
from state.authority import op_of
from state.belief_answers import told
from state.command import CancelEvolution, ClientCommand, MakePlan
from state.history import command_by_id, fills, recorded
from state.integrity import verify
from state.journal import CommitInDoubt
from state.order import Rid
from state.period import Period, UnknownPeriod
from state.planning import not_ready, rehearsed, unknown_symbols, why_nothing
from state.preview import fitted
from state.record import StoredCommand
from state.status import status
from state.weighing import Almanac

T = TypeVar("T")
Journaled = Reconcile | ReconcileStatement | Backup | StartEvolution | ResumeEvolution

LONGEST_WAIT: Final = 3600.0  # seconds a client may ask the daemon to wait


class Handlers:
    """Answers requests. Everything it needs of the world comes in here."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        broker: Broker,
        clock: Clock,
        watch: Watch,
        *,
        version: str,
        zone: str,
        configuration: Mapping[str, Any],
        benchmark: Callable[[], Mapping[date, float]],
        evolving: Evolving | None = None,
        almanac: Almanac | None = None,
    ) -> None:
        self._engine, self._store, self._broker, self._clock = engine, store, broker, clock
        self._watch, self._version, self._zone = watch, version, zone
        self._configuration, self._benchmark = configuration, benchmark
        self._ending, self._almanac = asyncio.Event(), almanac
        self._comparisons = Comparisons(engine, broker, store)
        self._backups, self._evolving = Backups(engine, store, clock), evolving
        self._previews = Previews(engine, store, broker, self._within)

    def end(self) -> None:
        """The daemon stops: answer now those who wait for something to happen."""
        self._ending.set()

    async def handle(self, request: Request, caller: Caller) -> Reply:
        """Answer `request` on behalf of `caller`, who may ask for it."""
        ask = request.ask
        try:
            if isinstance(ask, ClientCommand | Journaled):
                reply = await self._command(request, ask, caller)
            else:
                reply = await self._question(ask, request)
        except (EngineEnded, CommitInDoubt):  # the journal has to be read afresh
            error = Fault("STOPPING", "the daemon is stopping", "ask again with the same key")
            reply = Reply(op_of(ask), False, "pending", Exit.PENDING, error=error, key=request.key)
        except Unanswerable as e:
            reply = e.reply
        return replace(reply, zone=self._zone)

    async def _question(self, ask: Question, request: Request) -> Reply:
        now = self._engine.snapshot
        match ask:
            case Ping():
                return self._say("ping", {"version": self._version, "pid": os.getpid()})
            case Status():
                return self._say("status", builtin(status(now, self._watch.status_facts())))
            case Health():
                verdict = self._watch.health()
                return judged(self._say("health", builtin(verdict)), verdict)
            case Portfolio():
                return self._say("portfolio", builtin(answers.portfolio(now)))
            case Orders(open_only, since, limit):
                found = await self._store.read(orders_and_keys, open_only, since, limit)
                return self._say("orders", {"orders": builtin(found)})
            case Fills(since, limit):
                booked = await self._store.read(fills, since, limit)
                return self._say("fills", {"fills": builtin([answers.fill(f) for f in booked])})
            case Beliefs():
                return self._say("beliefs", builtin(await believed(ask, now, self._store)))
            case Explain(id_):
                chain = await chain_of(id_, self._store, self._almanac)
                return self._say("explain", builtin(chain))
            case DryRun():
                return await self._dry_run(ask)
            case Audit():
                facts = await self._watch.audit_facts()  # first: it books what the broker says
                return self._anchored("audit", builtin(audit(self._engine.snapshot, facts)))
            case protocol.Report():
                return await self._report(ask)
            case Events():
                return await self._events(ask)
            case Verify(head):
                checked = await self._store.read(verify, head)
                shown = builtin(checked) | {"hash": checked.hash.hex()}
                reply = self._say("verify", shown)
                if checked.ok:
                    return reply
                error = Fault("JOURNAL_DAMAGED", checked.message, "stop trading; restore a backup")
                return replace(reply, ok=False, status="damaged", exit=Exit.FINDINGS, error=error)
            case ShowConfig():
                return self._say("config show", dict(self._configuration))
            case ShowLimits():
                return self._say("limits", {"limits": builtin(tuple(limits_in_force.shown(now)))})
            case Await(id_):
                return await self._await(id_, request.wait)
            case Evolution():
                wait = min(request.wait, LONGEST_WAIT)
                told = await self._within(run_told(ask, self._engine, wait), wait + 1.0)
                stopping = Fault(
                    "STOPPING",
                    "the daemon is stopping; the run goes on when it starts",
                    "start it again, then `tm evolve wait`",
                )
                return told or Reply("evolve", False, "pending", Exit.PENDING, error=stopping)
            case Genomes():
                return genomes_told(ask, self._engine)
            case (
                Reconcile() | ReconcileStatement() | Backup() | StartEvolution() | ResumeEvolution()
            ):
                raise TypeError("what it finds is journaled: it is a command")
            case _:
                assert_never(ask)

    def _say(self, command: str, data: Any) -> Reply:
        """Return a plain answer from the snapshot as it is now."""
        now = self._engine.snapshot
        return Reply(
            command,
            True,
            "completed",
            Exit.DONE,
            now.closed_at or now.at,
            self._engine.head.seq,
            data,
        )

    def _anchored(self, command: str, data: Mapping[str, Any]) -> Reply:
        """Return a plain answer with the chain's head, for whoever keeps the answer elsewhere."""
        return self._say(command, {**data, "head": self._engine.head.noted()})

    async def _dry_run(self, ask: DryRun) -> Reply:
        """Return what a rebalance would do. Nothing is stored; a broker is asked what it thinks."""
        now = self._engine.snapshot
        if unavailable := unknown_symbols(now, ask.only) or not_ready(now):
            exit_ = Exit.INVALID if unavailable.kind == "invalid" else Exit.NOT_READY
            error = Fault(unavailable.code, unavailable.message, unavailable.hint)
            return Reply(
                "rebalance", False, unavailable.kind, exit_, now.closed_at, now.seq, error=error
            )
        plan, orders = rehearsed(now, self._engine.moment(), f"dry-run {now.seq}", ask.only)
        if told := await self._previews.of(orders):
            plan = replace(plan, previews=fitted(plan.lines, plan.denied, told))
        reply = self._say("rebalance", builtin(plan_answers.plan(plan)) | {"dry_run": True})
        if plan.lines:
            return replace(reply, status="planned")
        if plan.denied:
            error = fault(plan.denied[0])
            return replace(reply, ok=False, status="refused", exit=Exit.REFUSED, error=error)
        note = Fault(*why_nothing(plan.unmet))
        return replace(reply, status="skipped", exit=Exit.NOTHING, error=note)

    async def _report(self, ask: protocol.Report) -> Reply:
        """Return the report over a period, computed beside the writer."""
        end = self._engine.snapshot.session
        if end is None:
            error = Fault(
                "NO_PRICES",
                "no bar has closed yet, so there is nothing to report",
                "ask again after the first close; `tm status` shows the feed",
            )
            return Reply("report", False, "not_ready", Exit.NOT_READY, error=error)
        try:
            within = Period.named(ask.period, ask.start, ask.end, end)
        except UnknownPeriod as e:
            error = Fault("PERIOD", str(e), "see `tm report --help`")
            return Reply("report", False, "invalid", Exit.INVALID, error=error)
        made = await self._store.read(report_from, within, self._benchmark())
        return replace(self._anchored("report", builtin(made)), warnings=made.warnings)

    async def _events(self, ask: Events) -> Reply:
        """Return journal records after a sequence number, waiting a while for the first."""
        if ask.wait > 0 and self._engine.head.seq <= ask.since:
            await self._within(self._engine.beyond(ask.since), ask.wait)
        records = await self._store.read(recorded, ask.since, min(ask.limit, 1000))
        found = [{"seq": r.seq, "wall": builtin(r.wall), **builtin(told(r.event))} for r in records]
        return self._anchored("events", {"events": found})

    async def _await(self, id_: str, wait: float) -> Reply:
        """Return the reply to a command, by key or id, once it is over."""
        stored = await self._store.read(command_by_id, id_)
        if stored is None:
            error = Fault(
                "COMMAND_NOT_FOUND",
                f"no command has the key or the id {id_!r}",
                "it never reached the daemon: send it again with the same key",
            )
            return Reply("wait", False, "not_found", Exit.NOT_FOUND, error=error)
        first = replace(decode_reply(stored.reply), replayed=True)
        return await self._until_final(first, wait)

    async def _stored(self, rid: Rid) -> StoredCommand | None:
        return (await self._store.commands([rid])).get(rid)

    async def _command(
        self, request: Request, ask: ClientCommand | Journaled, caller: Caller
    ) -> Reply:
        """Take a command: once per key, whoever asks and however often."""
        if request.key is None:
            error = Fault("NO_KEY", "a command needs an idempotency key", "say --key KEY")
            return Reply(op_of(ask), False, "invalid", Exit.INVALID, error=error)
        cause = cause_of(ask, request.key, caller)
        if (late := too_late(request, self._clock.wall())) is not None:
            known = await self._stored(cause.rid)
            return replayed(known, cause) if known else late
        if isinstance(ask, Reconcile | ReconcileStatement):
            return await self._comparisons.answer(ask, cause)
        if isinstance(ask, Backup):
            return await self._backups.answer(ask, cause)
        if isinstance(ask, StartEvolution | ResumeEvolution):
            if self._evolving is None:
                raise RuntimeError("this daemon was made without evolution")
            known = await self._stored(cause.rid)
            return replayed(known, cause) if known else await self._evolving.answer(ask, cause)
        asked = await self._previews.asked(ask, cause) if isinstance(ask, MakePlan) else ask
        reply = await self._engine.ask(asked, cause)
        if isinstance(ask, CancelEvolution) and self._evolving is not None:
            self._evolving.nudge()
        return await self._until_final(reply, request.wait)

    async def _until_final(self, reply: Reply, wait: float) -> Reply:
        """Return the final reply when it comes within `wait` seconds, else what is known so far."""
        rid = reply.command_id
        if reply.status != "accepted" or wait <= 0 or rid is None:
            return reply
        if not self._engine.in_flight(rid):
            stored = await self._stored(rid)
            return replace(decode_reply(stored.reply), replayed=reply.replayed) if stored else reply
        final = await self._within(self._engine.finished(rid), min(wait, LONGEST_WAIT))
        if final is not None:
            return replace(final, replayed=reply.replayed)
        error = not_final(rid, wait, ending=self._ending.is_set())
        return replace(reply, ok=False, status="pending", exit=Exit.PENDING, error=error)

    async def _within(self, happening: Awaitable[T], seconds: float) -> "T | None":
        """Return what happens in time, else None; when the daemon ends no time is left."""
        waiting = asyncio.ensure_future(happening)
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait(
                {waiting, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            ending.cancel()
