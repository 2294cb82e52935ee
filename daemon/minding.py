"""Making the mind that a configuration asks for, and finding the closes it can be rebuilt from."""

import os
from collections.abc import Sequence
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from daemon.belief_rows import column
from daemon.feeds.opening import PriceFeed
from daemon.mind import Mind
from daemon.seams import Pool, Store
from daemon.thinking import Past
from state.belief_answers import last_closes
from state.instrument import Symbol
from state.quote import Close
from state.settings import Settings
from state.snapshot import Snapshot
from strategies.genome import DEFAULT, GenomeInvalid
from strategies.inference import EngineUnavailable
from strategies.market_model import EXPOSURES, Tables, tables
from strategies.plugin import StrategyUnusable
from strategies.sizing import Limits

NAME: Final = "active_inference"
NEEDED: Final = ("jax", "pymdp")
# jax would take every core for each bar, and leave none to the event loop
ONE_THREAD: Final = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def model_of(settings: Settings) -> Tables | None:
    """Return the model of the strategy that was chosen, None when it is one without a mind.

    `strategy.parameters` are genes, over those of the default genome. Raises StrategyUnusable.
    """
    if settings.strategy.name != NAME:
        return None
    try:
        genome = DEFAULT.but(**dict(settings.strategy.parameters))
    except GenomeInvalid as e:
        raise StrategyUnusable(f"strategy.parameters: {e}") from e
    return tables(genome, EXPOSURES[settings.beliefs.exposures])


def check_engine(name: str) -> None:
    """Raise EngineUnavailable for an engine that isn't installed: it is never changed silently."""
    missing = [module for module in NEEDED if find_spec(module) is None]
    if name == "pymdp" and missing:
        raise EngineUnavailable(
            f'beliefs.engine = "pymdp" needs {" and ".join(missing)}, which this installation has '
            'not; set beliefs.engine = "numpy" (the same mathematics), or install '
            "trade-manager[pymdp] (the full image has it)"
        )


def asleep(
    settings: Settings, model: Tables, pool: Pool, symbols: Sequence[Symbol], cache: Path
) -> Mind:
    """Return the mind, which `awaken` wakes; compiled code is kept in the folder `cache`."""
    os.environ.setdefault("XLA_FLAGS", ONE_THREAD)  # jax is imported when it wakes
    limits = Limits(settings.risk.max_position_weight, settings.risk.max_gross)
    return Mind(
        pool,
        model,
        symbols,
        limits,
        engine=settings.beliefs.engine,
        learning=settings.beliefs.learning == "A",
        cache=str(cache),
    )


async def awaken(
    mind: Mind | None, now: Snapshot, store: Store, feed: PriceFeed, begins: date
) -> None:
    """Wake the mind, if there is one, with the belief it had, or what it can be rebuilt from."""
    if mind is not None:
        await mind.wake(now.belief, partial(recall, store, feed, now.session or begins))


async def recall(store: Store, feed: PriceFeed, before: date, count: int) -> Sequence[Past]:
    """Return the last `count` closes: the journaled ones, and before them what the feed knows.

    Where nothing is journaled yet, those are the closes before the session `before`.
    """
    known = [
        Past(Close(e.at, e.session, e.bars), column(e.belief, "held") if e.belief else {})
        for e in await store.read(last_closes, count)
    ]
    first = known[0].close.session if known else before
    if len(known) >= count:
        return known
    return [*map(Past, feed.closes(first, count - len(known))), *known]
