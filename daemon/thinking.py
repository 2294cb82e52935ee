"""How a mind thinks, bar by bar, in its thread: nothing here waits for anything.

A bar that the mind could not take when it came is taken before the next: what is believed then is
bit for bit what it would have been.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.belief_rows import as_shown, bars_of, drift_of, journaled
from state.belief import Belief
from state.instrument import Symbol
from state.quote import Close
from strategies.active_inference import Thought, decide, distance
from strategies.belief import Belief as Held
from strategies.belief import BeliefUnreadable, aligned, belief_of, blank
from strategies.drift import Drift, drifted, expected, none_yet
from strategies.inference import Engine, NumpyEngine, make_engine
from strategies.learning import configured, hashes, in_use
from strategies.market_model import Tables
from strategies.observation import Bars
from strategies.sizing import Limits

Array = NDArray[np.float64]

log = logging.getLogger(__name__)


class Past(msgspec.Struct, frozen=True):
    """A close of the past, and what was held of each symbol then, as a fraction of equity."""

    close: Close
    held: Mapping[Symbol, float] = {}


class Awake(msgspec.Struct, frozen=True):
    """A mind ready for the next bar, and where its belief came from."""

    engine: Engine
    held: Held
    drift: Drift
    origin: Literal["stored", "rebuilt", "blank"]


class Step(msgspec.Struct, frozen=True):
    """One bar further: the belief to go on from, and what the journal gets of it."""

    held: Held
    drift: Drift
    belief: Belief
    weights: Array
    apart: float | None  # from the other engine, where that was asked


class Thinking:
    """How a model thinks about the symbols of a feed, in their order."""

    def __init__(
        self,
        model: Tables,
        symbols: Sequence[Symbol],
        limits: Limits,
        *,
        engine: str,
        learning: bool,
        cache: str | None,
    ) -> None:
        self.model, self._symbols, self._limits = model, tuple(symbols), limits
        self._name, self._learning, self._cache = engine, learning, cache
        self.hashes = hashes(model, learning=learning)

    def by(self, model: Tables) -> "Thinking":
        """Return the same by another model."""
        return Thinking(
            model, self._symbols, self._limits,
            engine=self._name, learning=self._learning, cache=self._cache,
        )  # fmt: skip

    @property
    def hash(self) -> str:
        """Return what a belief of this model is known by."""
        return self.hashes[0]

    def goes_on(self, last: Belief | None) -> bool:
        """Return whether a belief that was stored is one of this model."""
        return last is not None and last.model_hash in self.hashes

    def caught_up(self, awake: Awake, one: Past) -> Awake:
        """Return the mind after a close that it had missed."""
        held, drift = self._taken(awake.engine, awake.held, awake.drift, one)
        return msgspec.structs.replace(awake, held=held, drift=drift)

    def _taken(self, engine: Engine, held: Held, drift: Drift, one: Past) -> tuple[Held, Drift]:
        """Return what is believed after a close of the past."""
        weights = np.array([one.held.get(symbol, 0.0) for symbol in self._symbols])
        bars = bars_of(one.close, self._symbols)
        thought = decide(self.model, engine, held, bars, weights, self._limits)
        return thought.belief, self._drifted(drift, held, thought)

    def awakened(self, last: Belief | None, past: Sequence[Past]) -> Awake:
        """Return the mind ready to go on; runs in its thread."""
        engine = make_engine(self._name, self.model, self._cache)
        nothing = Bars(*np.full((3, len(self._symbols)), np.nan))
        held, drift = blank(self._symbols, self.model), none_yet(len(self._symbols))
        origin: Literal["stored", "rebuilt", "blank"] = "blank"
        if last is not None and self.goes_on(last):
            try:
                held = aligned(belief_of(last.memory), self._symbols, self.model)
            except BeliefUnreadable as e:
                log.warning("belief_unreadable", extra={"detail": str(e)})
            else:
                drift, origin = drift_of(last, self._symbols), "stored"
        held = configured(held, self.model, learning=self._learning)
        plain: Engine = NumpyEngine(self.model)  # the same to rounding, and in half the time
        for one in past:
            held, drift = self._taken(plain if origin != "stored" else engine, held, drift, one)
            origin = "rebuilt" if origin == "blank" else origin
        # once for nothing, so that the first bar of the market finds everything compiled
        decide(self.model, engine, held, nothing, np.zeros(len(self._symbols)), self._limits)
        return Awake(engine, held, drift, origin)

    def stepped(self, awake: Awake, close: Close, weights: Array, compare: bool) -> Step:
        """Return what one bar leads to; runs in the mind's thread."""
        bars = bars_of(close, self._symbols)
        thought = decide(self.model, awake.engine, awake.held, bars, weights, self._limits)
        drift = self._drifted(awake.drift, awake.held, thought)
        belief = journaled(
            thought,
            engine=self._name,
            model=self.model,
            model_hash=self.hash,
            at=close.at,
            symbols=self._symbols,
            held=weights,
            drift=drift,
        )
        apart = None
        if compare:
            oracle = NumpyEngine(self.model)
            other = decide(self.model, oracle, awake.held, bars, weights, self._limits)
            apart = distance(thought, other)
        return Step(thought.belief, drift, belief, thought.weights, apart)

    def _drifted(self, drift: Drift, before: Held, thought: Thought) -> Drift:
        ranged, by = thought.seen.range_bin >= 0, in_use(self.model, before)
        mean, variance = expected(self.model, before.posterior, ranged, by)
        return as_shown(drifted(drift, thought.surprise, mean, variance))
