"""Candidates in shadow: on each live session beside who trades, and with nobody's money.

The history is that of the account, the arithmetic that of the kernel; what came of it is journaled,
and nobody is put in charge before `evolution.shadow` sessions of it.
"""

import logging
import shutil
from pathlib import Path

import numpy as np

from daemon.breeding_plan import Planner, Unbreedable
from daemon.engine import Engine
from daemon.judging import grown, kept
from daemon.seams import Pool
from daemon.workers import ExecutorUnusable, Workers, WorkersFailed
from state.command import RecordEvolution
from state.event import ShadowWatched
from state.evolved import Run, Shadow
from state.settings import Evolution
from strategies.genome import parsed

log = logging.getLogger(__name__)


class Shadowing:
    """Watches every candidate that passed the gate and may not trade yet."""

    def __init__(
        self,
        engine: Engine,
        planner: Planner,
        workers: Workers,
        settings: Evolution,
        folder: Path,
        threads: Pool,
    ) -> None:
        self._engine, self._planner, self._workers = engine, planner, workers
        self._settings, self._folder, self._threads = settings, folder, threads

    def due(self) -> list[Run]:
        """Return the runs whose candidate has not been watched on the last session.

        None while the mind learns: it would be compared with one that doesn't.
        """
        if self._planner.learns:
            return []
        now = self._engine.snapshot
        return [
            run
            for run in now.evolution.runs.values()
            if run.in_shadow
            and now.session is not None
            and now.session > (run.shadow.last or run.course.last)
        ]

    async def watch(self) -> None:
        """Watch them all up to the last session that closed; what fails is tried at the next."""
        for run in self.due():
            try:
                await self._watch(run)
            except (WorkersFailed, ExecutorUnusable, Unbreedable, OSError):
                log.exception("shadow_not_watched", extra={"run": run.run_id})
            finally:
                await self._workers.end()

    async def _watch(self, run: Run) -> None:
        market, sessions, terms = await self._threads.run(self._planner.so_far)
        first = sum(session <= run.course.last for session in sessions)
        folder = self._folder / "shadow"
        history = await self._workers.begin(await self._threads.run(kept, market, folder))
        genes = np.stack([parsed(run.candidate).array, self._planner.in_charge()])
        (growth,) = await self._workers.each(grown, [(history, genes, terms, first)])
        await self._threads.run(shutil.rmtree, folder, True)
        shadow = Shadow(len(sessions) - first, sessions[-1], *map(float, growth))
        automatic = self._settings.promotion == "automatic"
        watched = ShadowWatched(run.run_id, shadow, self._engine.moment().at)
        await self._engine.tell(RecordEvolution(watched, "automatic" if automatic else ""))
