"""The strategy `blend`: what its members want of a close, and where it stood before a restart."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from daemon.belief_rows import bars_of
from daemon.feeds.opening import PriceFeed
from daemon.mind import Mind
from daemon.minding import NAME as MINDFUL
from daemon.minding import model_of
from daemon.seams import Pool, Store
from state.belief import Belief
from state.belief_answers import last_closes
from state.blended import SCOPE, STRATEGY, Blended
from state.instrument import Symbol
from state.quote import Close
from state.settings import Settings, StrategyChoice
from state.snapshot import Snapshot
from strategies.active_inference import decide
from strategies.belief import WARM_UP, blank
from strategies.belief import Belief as Held
from strategies.blend import Member, Plan, Rule, asked, begun, met, packed, together, unpacked
from strategies.inference import NumpyEngine
from strategies.learning import configured
from strategies.market_model import Tables
from strategies.plugin import Strategy, StrategyFailed, StrategyUnusable
from strategies.sizing import Limits
from strategies.terms import Terms

Array = NDArray[np.float64]
Sized = Callable[[Array], dict[Symbol, float]]
Load = Callable[[str, Mapping[str, float]], Strategy]

REMEMBERED: Final = 2_520  # closes that a blend is rebuilt from at most: ten years of them

log = logging.getLogger(__name__)


class Recipe(msgspec.Struct, frozen=True):
    """A blend as it was configured: for each member its strategy, None for the one with a mind."""

    plan: Plan
    strategies: tuple[Strategy | None, ...]
    model: Tables | None
    digest: str  # of all that decides what it wants of given closes
    learning: bool

    @property
    def window(self) -> int:
        """Return how many closes its members want to see."""
        return max((one.window for one in self.strategies if one is not None), default=1)

    @property
    def sources(self) -> tuple[object, ...]:
        """Return what decides what is traded, for an approval."""
        return tuple(self.model if one is None else one for one in self.strategies)


class Decided(msgspec.Struct, frozen=True):
    """What a close led to: no targets where a member can't say, and `why` not."""

    blend: Blended
    targets: dict[Symbol, float] | None
    belief: Belief | None = None
    why: str = ""


def recipe_of(settings: Settings, load: Load) -> Recipe | None:
    """Return the blend that is configured, None where another strategy is.

    Raises StrategyUnusable.
    """
    if settings.strategy.name != STRATEGY:
        return None
    if settings.strategy.parameters:
        raise StrategyUnusable("strategy.parameters: blend has none; its members may, in [blend]")
    strategies, model = list[Strategy | None](), None
    for name, member in settings.blend.members.items():
        mindful = member.strategy == MINDFUL
        if member.strategy == STRATEGY or (mindful and model is not None):
            what = (
                f"one member with the mind of {MINDFUL}" if mindful else "no blend within a blend"
            )
            raise StrategyUnusable(f"blend.members.{name}: there is {what}")
        try:
            if mindful:
                alone = StrategyChoice(MINDFUL, member.parameters)
                model = model_of(replace(settings, strategy=alone))
            strategies.append(None if mindful else load(member.strategy, member.parameters))
        except StrategyUnusable as e:
            raise StrategyUnusable(f"blend.members.{name}: {e}") from e
    paper, risk = settings.paper, settings.risk
    cost = paper.commission_bps + paper.slippage_bps + paper.spread_bps / 2
    terms = Terms(
        spread=cost / 1e4,
        commission=0.0,
        max_weight=risk.max_position_weight,
        max_gross=risk.max_gross,
        order_band=settings.execution.band,
        min_trade=0.0,
        initial=1.0,
    )
    rules = tuple(
        Rule(name, one.weight, one.min, one.max, one.max_drawdown)
        for name, one in settings.blend.members.items()
    )
    plan = Plan(rules, settings.blend.adapt, terms)
    learning = settings.beliefs.learning == "A"
    parts = (settings.blend, plan, settings.beliefs.exposures, learning)
    told = msgspec.json.encode(parts, order="deterministic")
    digest = blake2b(told, digest_size=8).hexdigest()
    return Recipe(plan, tuple(strategies), model, digest, learning)


class Blend:
    """The members of one run, carried from close to close; `sized` caps what they want together."""

    def __init__(
        self, recipe: Recipe, symbols: Sequence[Symbol], mind: Mind | None, sized: Sized
    ) -> None:
        self._recipe, self._symbols, self._mind = recipe, tuple(symbols), mind
        self._sized = sized
        self._members = begun(recipe.plan, len(self._symbols))
        self._at: datetime | None = None

    @property
    def halted(self) -> bool:
        """Return whether any member is, as far as the last close knew."""
        return any(member.share.halted for member in self._members)

    @property
    def window(self) -> int:
        """Return how many closes its members want to see."""
        return self._recipe.window

    def restore(self, now: Snapshot) -> bool:
        """Go on from where the journal's last close left it; return whether that was possible."""
        last = now.blend
        if last is None or last.at != now.closed_at or last.digest != self._recipe.digest:
            return now.closed_at is None
        places = {symbol: n for n, symbol in enumerate(last.symbols)}
        columns = [places.get(symbol, -1) for symbol in self._symbols]
        self._members, self._at = unpacked(last.shares, last.memory, columns), last.at
        return True

    def become(self, past: Sequence[Close], known: Sequence[Close], halts: Collection[str]) -> None:
        """Be as if it had met all `known` closes, warm with those of the `past` before them.

        Who is halted by now is so from the next close on.
        """
        recipe, model, mind = self._recipe, self._recipe.model, None
        if model is not None:
            belief = configured(blank(self._symbols, model), model, learning=recipe.learning)
            limits = Limits(recipe.plan.terms.max_weight, recipe.plan.terms.max_gross)
            mind = Remembering(model, belief, limits, self._symbols)
        nothing = np.zeros(len(self._symbols))
        members = begun(recipe.plan, len(self._symbols))
        rows = list[Array]()
        for n, close in enumerate((*past, *known)):
            row = bars_of(close, self._symbols).close
            rows = [*rows[-(recipe.window - 1) :], row] if recipe.window > 1 else [row]
            if n < len(past):
                if mind is not None and n >= len(past) - WARM_UP:
                    mind.weights(close, nothing)
                continue
            members = met(recipe.plan, members, row, ())
            wishes, failed = list[Array](), False
            for strategy, member in zip(recipe.strategies, members, strict=True):
                held = member.book.held
                try:
                    if strategy is not None:
                        wishes.append(strategy.weights(np.array(rows[-strategy.window :]), held))
                    elif mind is not None:
                        wishes.append(mind.weights(close, held))
                except StrategyFailed:
                    failed = True
            if not failed:
                members = asked(recipe.plan, members, wishes)
        self._members = tuple(
            replace(m, share=replace(m.share, halted=m.share.name in halted_in(halts), fell=False))
            for m in members
        )
        self._at = known[-1].at if known else None
        log.info("blend_rebuilt", extra={"closes": len(known)})

    async def think(self, close: Close, closes: Array, halts: Collection[str]) -> Decided | None:
        """Return what a close leads to; None for one that is not later than the last.

        closes  (T, N)  prices up to this one, oldest first, NaN where there is none
        halts   scopes of all halts in force
        """
        if self._at is not None and close.at <= self._at:
            return None
        plan = self._recipe.plan
        row = bars_of(close, self._symbols).close
        members = met(plan, self._members, row, halted_in(halts))
        wishes, belief, why = await self._asked(members, close, closes)
        if not why:
            members = asked(plan, members, wishes)
        self._members, self._at = members, close.at
        blended = Blended(
            self._recipe.digest,
            close.at,
            self._symbols,
            tuple(member.share for member in members),
            packed(members),
        )
        targets = None if why else self._sized(together(members))
        return Decided(blended, targets, belief, why)

    async def _asked(
        self, members: Sequence[Member], close: Close, closes: Array
    ) -> tuple[list[Array], Belief | None, str]:
        """Return what each wants, what is believed, and why somebody could not say.

        Each is told that it holds what its own book does. Who is halted holds nobody up.
        """
        wishes, belief, why = list[Array](), None, ""
        for strategy, member in zip(self._recipe.strategies, members, strict=True):
            held, failure = member.book.held, ""
            wish = held  # what can't say while it is halted keeps what its book has
            if strategy is not None:
                try:
                    wish = strategy.weights(closes[-strategy.window :], held)
                except StrategyFailed as e:
                    log.exception("strategy_failed", extra={"member": member.share.name})
                    failure = str(e)
            elif self._mind is not None:
                outcome = await self._mind.think(close, held)
                if outcome is None:
                    failure = self._mind.facts().failure or "it has no belief yet"
                else:
                    belief = outcome.belief
                    wish = np.array([outcome.targets[symbol] for symbol in self._symbols])
            wishes.append(wish)
            if failure and not member.share.halted:
                why = f"{member.share.name}: {failure}"
        return wishes, belief, why


class Remembering:
    """A mind that thinks closes of the past over again."""

    def __init__(
        self, model: Tables, belief: Held, limits: Limits, symbols: Sequence[Symbol]
    ) -> None:
        self._model, self._engine, self._limits = model, NumpyEngine(model), limits
        self._belief, self._symbols = belief, symbols

    def weights(self, close: Close, held: Array) -> Array:
        """Return (N,) what it wants of a close."""
        bars = bars_of(close, self._symbols)
        thought = decide(self._model, self._engine, self._belief, bars, held, self._limits)
        self._belief = thought.belief
        return thought.weights


async def resumed(blend: Blend, now: Snapshot, store: Store, feed: PriceFeed, pool: Pool) -> None:
    """Let a blend go on from the journal's last close, or from its closes met over again."""
    if blend.restore(now):
        return
    known = [Close(e.at, e.session, e.bars) for e in await store.read(last_closes, REMEMBERED)]
    past = feed.closes(known[0].session, max(WARM_UP, blend.window)) if known else ()
    await pool.run(blend.become, past, known, tuple(now.halts))


def halted_in(scopes: Collection[str]) -> set[str]:
    """Return the names of the members that are halted."""
    return {scope.removeprefix(SCOPE) for scope in scopes if scope.startswith(SCOPE)}
