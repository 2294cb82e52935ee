"""Runs of evolution: started by a command, bred in the pool, journaled at each generation."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from control.protocol import Exit, Fault, Reply, ResumeEvolution, StartEvolution
from daemon import checkpoint
from daemon.breeding_plan import Planner, Unbreedable
from daemon.calendar import Calendar
from daemon.engine import Engine
from daemon.feeds.opening import PriceFeed
from daemon.judging import History, candidate_of, influences, judge, kept, verdict_of
from daemon.seams import Clock, Pool
from daemon.shadowing import Shadowing
from daemon.workers import ExecutorUnusable, Workers, WorkersFailed
from state.command import Cause, RecordEvolution
from state.event import EvolutionEnded, EvolutionStarted, GenerationBred, HoldoutTouched
from state.evolved import Member, Run
from state.settings import Settings
from strategies import evolution
from strategies.candidate import Stakes, finalists
from strategies.evolution import Stage, Standing
from strategies.fitness import Market
from strategies.genome import genome_id, genome_of, genome_text, parsed

Array = NDArray[np.float64]

COARSE: Final = 32  # genomes of the smallest piece of work: a block of the kernel

log = logging.getLogger(__name__)


class Evolving:
    """Breeds, one run at a time. What it finds goes through the engine like everybody's news."""

    def __init__(
        self,
        engine: Engine,
        feed: PriceFeed,
        calendar: Calendar,
        settings: Settings,
        folder: Path,
        clock: Clock,
        threads: Pool,
    ) -> None:
        self._engine, self._calendar, self._settings = engine, calendar, settings
        self._folder, self._clock, self._threads = folder, clock, threads
        self._planner = Planner(engine, feed, calendar, settings)
        self.workers = Workers(settings.evolution, threads)
        self._shadowing = Shadowing(
            engine, self._planner, self.workers, settings.evolution, folder, threads
        )
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Breed whenever a run is under way, one that another daemon left included."""
        try:
            while True:
                running = self._engine.snapshot.evolution.running
                if running is None:
                    self._wanted.clear()
                    await self._shadowing.watch()
                    await self._wanted.wait()
                    continue
                await self._guarded(running)
        finally:
            await self.workers.end()

    def nudge(self) -> None:
        """Look at once whether a run began or was cancelled, or a session closed."""
        self._wanted.set()
        self._changed.set()

    async def answer(self, ask: StartEvolution | ResumeEvolution, cause: Cause) -> Reply:
        """Start or resume a run under a client's key."""
        known = self._engine.snapshot.evolution
        try:
            self._planner.check()
            if isinstance(ask, StartEvolution):
                run_id = cause.rid.lower()[:12]
                course, _, _ = await self._threads.run(self._planner.course, ask)
            else:
                run = known.runs.get(ask.run_id)
                if run is None:
                    error = Fault(
                        "RUN_NOT_FOUND", f"no run {ask.run_id!r} lately", "tm evolve list"
                    )
                    return Reply("evolve_resume", False, "not_found", Exit.NOT_FOUND, error=error)
                run_id, course = run.run_id, run.course
        except Unbreedable as no:
            error = Fault(
                "UNBREEDABLE", str(no), "see `[evolution]` in `tm config show`, and its options"
            )
            return Reply("evolve_start", False, "invalid", Exit.INVALID, error=error, key=cause.key)
        at = self._engine.moment().at
        started = EvolutionStarted(run_id, course, cause.principal, at)
        answer = await self._engine.tell(RecordEvolution(started), cause)
        self.nudge()
        if answer.reply is None:
            raise RuntimeError("the engine gave no reply to a run of evolution")
        return answer.reply

    async def _guarded(self, run: Run) -> None:
        """Breed one run to its end, whatever that is; nothing of it reaches the daemon."""
        self._changed.clear()
        breeding = asyncio.ensure_future(self._breed(run))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            while not breeding.done():
                await asyncio.wait({breeding, changed}, return_when=asyncio.FIRST_COMPLETED)
                running = self._engine.snapshot.evolution.running
                if running is None or running.run_id != run.run_id:
                    breeding.cancel()
                    await asyncio.wait({breeding})
                elif changed.done():
                    self._changed.clear()
                    changed = asyncio.ensure_future(self._changed.wait())
            if not breeding.cancelled():
                breeding.result()
        except (WorkersFailed, ExecutorUnusable, Unbreedable, OSError) as why:
            log.warning("evolution_failed", extra={"run": run.run_id, "detail": str(why)})
            await self._fail(run, str(why))
        except Exception as why:
            log.exception("evolution_failed", extra={"run": run.run_id})
            await self._fail(run, f"{type(why).__name__}: {why}")
        finally:
            changed.cancel()
            breeding.cancel()
            await self._let_go()

    async def _let_go(self) -> None:
        """Close the pool; one that can't be closed is no reason to stop trading."""
        try:
            await self.workers.end()
        except Exception:
            log.exception("workers_not_closed")

    async def _fail(self, run: Run, why: str) -> None:
        """Journal that a run failed."""
        known = self._engine.snapshot.evolution.runs[run.run_id]
        await self._note(
            EvolutionEnded(
                run.run_id,
                "failed",
                why,
                known.evaluations,
                known.seconds,
                (),
                "",
                "",
                None,
                self._engine.moment().at,
            )
        )

    async def _note(
        self, happened: EvolutionStarted | GenerationBred | HoldoutTouched | EvolutionEnded
    ) -> None:
        automatic = self._settings.evolution.promotion == "automatic"
        await self._engine.tell(RecordEvolution(happened, "automatic" if automatic else ""))

    async def _breed(self, run: Run) -> None:
        """Breed a run from where its checkpoint stands, and journal what it found."""
        market, course = await self._threads.run(self._planner.again, run.course)
        folder = self._folder / run.run_id
        history: History = await self._threads.run(kept, market, folder)
        history = await self.workers.begin(history)
        began = self._clock.mono() - run.seconds
        now = await self._threads.run(checkpoint.found, folder, run.course.digest)
        if now is None:
            stage, genes = evolution.first(course, self._planner.ancestors(run))
            now = evolution.begun(
                course, stage, genes, await self._judged(history, course, stage, genes), 0
            )
            await self._bred(run, folder, now, began)
        while now.stage != "done":
            stage, genes = await self._threads.run(evolution.offspring, course, now)
            objectives = await self._judged(history, course, stage, genes)
            now = await self._threads.run(evolution.advanced, course, now, stage, genes, objectives)
            await self._bred(run, folder, now, began)
        await self._judge_run(run, course, market, history, now, began)
        await self._threads.run(shutil.rmtree, folder, True)

    async def _judged(
        self, history: History, course: evolution.Course, stage: Stage, genes: Array
    ) -> Array:
        """Return the objectives of genomes, judged in as many pieces as there are workers."""
        blocks = -(-len(genes) // COARSE)
        pieces = min(self.workers.count, blocks)
        share = -(-blocks // pieces) * COARSE
        parts = [genes[at : at + share] for at in range(0, len(genes), share)]
        found = await self.workers.each(judge, [(history, course, stage, part) for part in parts])
        return np.concatenate(found)

    async def _bred(self, run: Run, folder: Path, now: Standing, began: float) -> None:
        """Keep a checkpoint, then journal the generation."""
        await self._threads.run(checkpoint.keep, folder, run.course.digest, now)
        names = evolution.objective_names("perception" if now.stage == "perception" else "money")
        best = now.herd.objectives.max(axis=0).tolist()
        await self._note(
            GenerationBred(
                run.run_id,
                now.stage,
                now.generation,
                now.evaluations,
                round(self._clock.mono() - began, 3),
                dict(zip(names, best, strict=True)),
                self.workers.retries,
                self._engine.moment().at,
            )
        )

    async def _judge_run(
        self,
        run: Run,
        course: evolution.Course,
        market: Market,
        history: History,
        now: Standing,
        began: float,
    ) -> None:
        """Choose a candidate, journal the touch of the holdout, judge it, and end the run."""
        (candidate,) = await self.workers.each(candidate_of, [(history, course, now)])
        genome = genome_of(candidate)
        sessions, known = run.course, self._engine.snapshot.evolution
        touches = sum(
            touch.run_id != run.run_id and touch.first <= sessions.last
            for touch in known.touches
            if touch.last > sessions.validate_to
        )
        after = self._calendar.next_session(sessions.validate_to) or sessions.last
        await self._note(
            HoldoutTouched(
                run.run_id, genome_id(genome), after, sessions.last, self._engine.moment().at
            )
        )
        champion = known.champion
        limits = self._engine.snapshot.start.limits if self._engine.snapshot.start else None
        stakes = Stakes(
            trials=max(0, known.trials - known.runs[run.run_id].evaluations),
            touches=touches,
            equity=float(self._engine.snapshot.closing) or course.terms.initial,
            max_order=float((limits or self._settings.risk).max_order_notional),
        )
        rival = None if champion is None else parsed(champion.genome).array
        (verdict,) = await self.workers.each(
            verdict_of, [(history, course, now, candidate, rival, stakes)]
        )
        names = evolution.objective_names("money")
        front = now.herd.front
        members = finalists(now)
        places = {row.tobytes(): n for n, row in enumerate(now.herd.genes[front])}
        worth = now.herd.objectives[front]
        await self._note(
            EvolutionEnded(
                run.run_id,
                "finished",
                "",
                now.evaluations,
                round(self._clock.mono() - began, 3),
                tuple(
                    Member(
                        genome_id(genome_of(row)),
                        dict(zip(names, worth[places[row.tobytes()]].tolist(), strict=True)),
                    )
                    for row in members
                ),
                genome_id(genome),
                genome_text(genome),
                verdict,
                self._engine.moment().at,
                influences(now),
            )
        )
