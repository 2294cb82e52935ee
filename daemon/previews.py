"""What the broker says of a plan's orders beforehand; it never keeps a plan from being made."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from daemon.engine import Engine
from daemon.seams import Broker, Previewing, Store, why_paused
from state.command import Cause, MakePlan, MakePreviewedPlan
from state.order import Order
from state.plan import Preview
from state.planning import not_ready, rehearsed, unknown_symbols
from state.preview import unknown

LONGEST: Final = 60.0  # seconds; the broker has a time of its own that is shorter

Within = Callable[[Awaitable[tuple[Preview, ...]], float], Awaitable[tuple[Preview, ...] | None]]


log = logging.getLogger(__name__)


class Previews:
    """Asks the broker, if it can be asked; `within` gives up when the daemon stops."""

    def __init__(self, engine: Engine, store: Store, broker: Broker, within: Within) -> None:
        self._engine, self._store, self._broker = engine, store, broker
        self._within = within

    async def asked(self, ask: MakePlan, cause: Cause) -> MakePlan | MakePreviewedPlan:
        """Return what the engine is to decide: of a key that was used before nothing is asked."""
        now = self._engine.snapshot
        if not isinstance(self._broker, Previewing) or await self._store.commands([cause.rid]):
            return ask
        if unknown_symbols(now, ask.only) or not_ready(now):
            return ask
        _, orders = rehearsed(now, self._engine.moment(), cause.rid, ask.only, ask.ttl)
        return MakePreviewedPlan(ask, await self.of(orders))

    async def of(self, orders: Sequence[Order]) -> tuple[Preview, ...]:
        """Return what the broker says of each, nothing where it can't be asked."""
        if not orders or not isinstance(self._broker, Previewing):
            return ()
        if why := why_paused(self._broker):
            return not_known(orders, why)
        try:
            told = await self._within(self._broker.preview(orders), LONGEST)
        except Exception as error:
            log.exception("preview_failed")
            return not_known(orders, f"asking failed, see the log: {type(error).__name__}")
        return not_known(orders, "the daemon is stopping") if told is None else told


def not_known(orders: Sequence[Order], why: str) -> tuple[Preview, ...]:
    """Return previews of `orders` that know nothing."""
    return tuple(unknown(one.symbol, one.quantity, why) for one in orders)
