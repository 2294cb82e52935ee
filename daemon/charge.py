"""Who is in charge: the mind thinks by the genome that was promoted, from the next close on."""

import logging

from daemon.engine import Engine
from daemon.mind import Mind
from daemon.permit import Permit
from state.evolved import Champion
from state.promoting import approval
from strategies.genome import parsed
from strategies.market_model import EXPOSURES, Tables, tables

log = logging.getLogger(__name__)


class Charge:
    """Gives the mind the model of the genome in charge, whenever that is another one."""

    def __init__(
        self,
        engine: Engine,
        mind: Mind | None,
        configured: Tables | None,
        exposures: str,
        permit: Permit,
    ) -> None:
        self._engine, self._mind, self._permit = engine, mind, permit
        self._configured, self._exposures = configured, exposures
        self._known: Champion | None = None

    async def heed(self) -> None:
        """Look who is in charge. On a live account one that nobody approved has no targets."""
        champion = self._engine.snapshot.evolution.champion
        if champion == self._known or self._mind is None or self._configured is None:
            return
        self._known = champion
        model, refused = self._configured, ""
        if champion is not None and self._as_promoted(champion):
            model = tables(parsed(champion.genome), EXPOSURES[self._exposures])
            refused = self._permit.refused(champion.genome)
        if champion is not None and refused:
            log.critical(
                "genome_not_armed", extra={"genome": champion.genome_id, "detail": refused}
            )
        log.info("in_charge", extra={"genome": champion.genome_id if champion else "configured"})
        self._mind.forbidden = refused
        await self._mind.become(model)

    def _as_promoted(self, champion: Champion) -> bool:
        """Return whether all is as it was when a genome was promoted; a live account asks more.

        There [ib] approved_champion is of all that is running now, and changes what is configured.
        """
        now = self._engine.snapshot
        if now.start is None or now.start.mode != "live" or self._permit.of_a_live_account:
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
