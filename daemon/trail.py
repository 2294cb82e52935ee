"""The trail of denials: each on record, and none a way to fill the disk."""

import asyncio
import logging
from collections import Counter
from typing import Final

from daemon.engine import Engine
from daemon.message import EngineEnded
from daemon.seams import Clock
from state.command import RecordDenial

MINUTE: Final = 60.0  # seconds
SINGLY: Final = 60  # denials of one principal a minute that have a record of their own
KINDS: Final = 256  # sums kept apart within a minute
PATIENCE: Final = 2.0  # seconds for a record to be durable before the denial is told

log = logging.getLogger(__name__)


class Trail:
    """Journals denials. Past `SINGLY` a minute they are counted, and the sum is journaled."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._minute = -1
        self._single: Counter[str] = Counter()
        self._sums: Counter[tuple[str, int | None, str, str]] = Counter()

    async def denied(self, denial: RecordDenial) -> None:
        """Put one denial on record; return when it is durable, or there is no more to hope for."""
        minute = int(self._clock.mono() // MINUTE)
        if minute != self._minute:
            self.sum_up()
            self._minute = minute
        self._single[denial.principal] += 1
        if self._single[denial.principal] > SINGLY or len(self._single) > KINDS:
            what = (denial.principal, denial.uid, denial.op, denial.rule)
            if len(self._sums) >= KINDS and what not in self._sums:
                what = ("others", None, "any", "too many to tell apart")
            self._sums[what] += 1
            return
        log.warning("denied", extra={"principal": denial.principal, "op": denial.op})
        if self._engine.disk_full:
            return  # the log has it
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._engine.tell(denial))
        except (TimeoutError, EngineEnded):
            log.warning("denial_not_journaled_yet", extra={"principal": denial.principal})

    def sum_up(self) -> None:
        """Put on record what was only counted."""
        for (principal, uid, op, rule), times in self._sums.items():
            log.warning("denied", extra={"principal": principal, "op": op, "times": times})
            if not self._engine.disk_full:
                self._engine.report(RecordDenial(principal, uid, op, "", rule, times))
        self._sums.clear()
        self._single.clear()

    async def run(self) -> None:
        """Sum up every minute, and at the end."""
        try:
            while True:
                await self._clock.sleep(MINUTE)
                self.sum_up()
        finally:
            self.sum_up()
