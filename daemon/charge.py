"""Who is in charge: the mind thinks by the genome that was promoted, from the next close on."""

import logging

from daemon.engine import Engine
from daemon.mind import Mind
from state.evolved import Champion
from state.promoting import approval
from strategies.genome import parsed
from strategies.market_model import EXPOSURES, Tables, tables

log = logging.getLogger(__name__)


class Charge:
    """Gives the mind the model of the genome in charge, whenever that is another one."""

    def __init__(
        self, engine: Engine, mind: Mind | None, configured: Tables | None, exposures: str
    ) -> None:
        self._engine, self._mind = engine, mind
        self._configured, self._exposures = configured, exposures
        self._known: Champion | None = None

    async def heed(self) -> None:
        """Look who is in charge. What was approved otherwise than it is now does not trade live."""
        champion = self._engine.snapshot.evolution.champion
        if champion == self._known or self._mind is None or self._configured is None:
            return
        self._known = champion
        model = self._configured
        if champion is not None and self._approved(champion):
            model = tables(parsed(champion.genome), EXPOSURES[self._exposures])
        log.info("in_charge", extra={"genome": champion.genome_id if champion else "configured"})
        await self._mind.become(model)

    def _approved(self, champion: Champion) -> bool:
        now = self._engine.snapshot
        if now.start is None or now.start.mode != "live":
            return True
        if approval(now, champion.genome) == champion.approved:
            return True
        log.critical(
            "genome_not_approved",
            extra={
                "genome": champion.genome_id,
                "detail": "strategy, configuration or code changed since it was promoted; the "
                "configured genome trades until somebody promotes it again",
            },
        )
        return False
