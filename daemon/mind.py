"""The mind: what is believed, kept from close to close, off the event loop and never in its way.

Trading doesn't wait for it: while it wakes, when it fails and when it takes too long there are no
new targets, and an alarm; books, halts and cancels go on without it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, ParamSpec, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.belief_rows import as_shown, bars_of, column, drift_of, journaled
from daemon.seams import Pool
from state.belief import Belief
from state.instrument import Symbol
from state.quote import Close
from state.status import BeliefFacts
from strategies.active_inference import Thought, decide, distance
from strategies.belief import WARM_UP, BeliefUnreadable, aligned, belief_of, blank
from strategies.belief import Belief as Held
from strategies.drift import ALARMING, CALMING, Drift, drifted, expected, none_yet
from strategies.inference import Engine, NumpyEngine, make_engine
from strategies.learning import configured, hashes, in_use, users
from strategies.market_model import Tables
from strategies.observation import Bars
from strategies.sizing import Limits

PATIENCE: Final = 60.0  # seconds a bar may take; past that there are no new targets
WAKING: Final = 180.0  # seconds until the first one, with everything still to be compiled
ALIKE: Final = 1e-9  # how far two engines of the same mathematics may be apart

Array = NDArray[np.float64]
P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Past(msgspec.Struct, frozen=True):
    """A close of the past, and what was held of each symbol then, as a fraction of equity."""

    close: Close
    held: Mapping[Symbol, float] = {}


Recall = Callable[[int], Awaitable[Sequence[Past]]]


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


class Outcome(msgspec.Struct, frozen=True):
    """What a close led to; `targets` are fractions of equity by symbol, within all caps."""

    belief: Belief
    targets: dict[Symbol, float]


class Mind:
    """One model for all symbols of a feed, in their order."""

    def __init__(
        self,
        pool: Pool,
        model: Tables,
        symbols: Sequence[Symbol],
        limits: Limits,
        *,
        engine: str,
        learning: bool = False,
        cache: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._pool, self._model, self._limits = pool, model, limits
        self._symbols = tuple(symbols)
        self._name, self._cache, self.patience = engine, cache, patience
        self._learning, self._hashes = learning, hashes(model, learning=learning)
        self._awake: Awake | None = None
        self._recall: Recall | None = None
        self._last: Belief | None = None
        self._busy: asyncio.Future[Any] | None = None
        self._waking = False
        self._failure = "it has not been woken yet"
        self._at: datetime | None = None
        self._parity: float | None = None
        self._checked = engine == "numpy"  # which is what the others are held against
        self._reset: tuple[Symbol, ...] = ()
        self._drifting: tuple[Symbol, ...] = ()
        self.forbidden = ""  # why what it wants may not be traded; it thinks on

    @property
    def _hash(self) -> str:
        return self._hashes[0]

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Return what it has beliefs about."""
        return self._symbols

    async def wake(self, last: Belief | None, recall: Recall) -> None:
        """Load the engine, and go on from the `last` belief; one of another model is refused.

        Then it is rebuilt from the closes that `recall` finds. Nothing is raised: what went wrong
        is an alarm, and the next close tries again.
        """
        self._last, self._recall, self._waking = last, recall, True
        try:
            past: Sequence[Past] = ()
            if not self._goes_on(last):
                if last is not None:
                    log.warning(
                        "belief_refused",
                        extra={"stored": last.model_hash, "configured": self._hash},
                    )
                past = await recall(WARM_UP)
            self._awake = await self._within(WAKING, self._awakened, last, past)
        except Exception as e:  # noqa: BLE001 whatever it is, trading goes on without new targets
            self._fail("mind_not_awake", e)
            return
        finally:
            self._waking = False
        self._at = last.at if last is not None and self._awake.origin == "stored" else None
        self._failure = ""
        log.info("mind_awake", extra={"engine": self._name, "belief": self._awake.origin})

    async def become(self, model: Tables) -> None:
        """Think by another model from the next close on; its belief is rebuilt from the closes."""
        if (found := hashes(model, learning=self._learning)) == self._hashes:
            return
        self._model, self._hashes, self._awake = model, found, None
        self._parity, self._checked = None, self._name == "numpy"
        if self._recall is not None:
            await self.wake(None, self._recall)

    async def think(self, close: Close, held: Array) -> Outcome | None:
        """Return what a close lets one believe and want; None when nobody can say.

        held  (N,)  fraction of equity in each symbol after the close's fills
        """
        if self._busy is not None and not self._busy.done():
            self._failure = "an earlier bar is still being thought about"
            log.error("mind_busy", extra={"session": close.session.isoformat()})
            return None
        if self._awake is None and self._recall is not None and not self._waking:
            await self.wake(self._last, self._recall)
        awake = self._awake
        if awake is None:
            return None
        try:
            step = await self._within(
                self.patience, self._stepped, awake, close, held, not self._checked
            )
            self._compared(step.apart)
        except Exception as e:  # noqa: BLE001 as above
            self._fail("mind_failed", e, session=close.session.isoformat())
            return None
        self._awake = msgspec.structs.replace(awake, held=step.held, drift=step.drift)
        self._last, self._at, self._failure = step.belief, close.at, ""
        self._notice(step)
        return Outcome(step.belief, dict(zip(self._symbols, step.weights.tolist(), strict=True)))

    def facts(self) -> BeliefFacts:
        """Return how the mind is, for the status."""
        return BeliefFacts(
            engine=self._name,
            ready=self._awake is not None and not self._failure,
            model_hash=self._hash,
            at=self._at,
            origin=self._awake.origin if self._awake else None,
            parity=self._parity,
            reset=self._reset,
            drifting=self._drifting,
            failure=self._failure,
            learning="A" if self._learning else "off",
            learned=users(self._awake.held) if self._awake else (),
        )

    def _goes_on(self, last: Belief | None) -> bool:
        return last is not None and last.model_hash in self._hashes

    async def _within(
        self, seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `work` returns in its thread; raise TimeoutError when it takes too long."""
        answer = asyncio.ensure_future(self._pool.run(work, *args, **kwargs))
        answer.add_done_callback(seen)  # nobody may be waiting any more
        self._busy = answer
        async with asyncio.timeout(seconds):
            return await asyncio.shield(answer)

    def _awakened(self, last: Belief | None, past: Sequence[Past]) -> Awake:
        """Return the mind ready to go on; runs in its thread."""
        engine = make_engine(self._name, self._model, self._cache)
        nothing = Bars(*np.full((3, len(self._symbols)), np.nan))
        held, drift = blank(self._symbols, self._model), none_yet(len(self._symbols))
        origin: Literal["stored", "rebuilt", "blank"] = "blank"
        if last is not None and self._goes_on(last):
            try:
                held = aligned(belief_of(last.memory), self._symbols, self._model)
            except BeliefUnreadable as e:
                log.warning("belief_unreadable", extra={"detail": str(e)})
            else:
                drift, origin = drift_of(last, self._symbols), "stored"
        held = configured(held, self._model, learning=self._learning)
        plain = NumpyEngine(self._model)  # the same to rounding, and in half the time
        for one in past:
            weights = np.array([one.held.get(symbol, 0.0) for symbol in self._symbols])
            bars = bars_of(one.close, self._symbols)
            thought = decide(self._model, plain, held, bars, weights, self._limits)
            drift = self._drifted(drift, held, thought)
            held, origin = thought.belief, "rebuilt"
        # once for nothing, so that the first bar of the market finds everything compiled
        decide(self._model, engine, held, nothing, np.zeros(len(self._symbols)), self._limits)
        return Awake(engine, held, drift, origin)

    def _stepped(self, awake: Awake, close: Close, weights: Array, compare: bool) -> Step:
        """Return what one bar leads to; runs in the mind's thread."""
        bars = bars_of(close, self._symbols)
        thought = decide(self._model, awake.engine, awake.held, bars, weights, self._limits)
        drift = self._drifted(awake.drift, awake.held, thought)
        belief = journaled(
            thought,
            engine=self._name,
            model=self._model,
            model_hash=self._hash,
            at=close.at,
            symbols=self._symbols,
            held=weights,
            drift=drift,
        )
        apart = None
        if compare:
            oracle = NumpyEngine(self._model)
            other = decide(self._model, oracle, awake.held, bars, weights, self._limits)
            apart = distance(thought, other)
        return Step(thought.belief, drift, belief, thought.weights, apart)

    def _drifted(self, drift: Drift, before: Held, thought: Thought) -> Drift:
        ranged, by = thought.seen.range_bin >= 0, in_use(self._model, before)
        mean, variance = expected(self._model, before.posterior, ranged, by)
        return as_shown(drifted(drift, thought.surprise, mean, variance))

    def _compared(self, apart: float | None) -> None:
        """Take note of the first bar's comparison with the numpy engine; raise when they differ."""
        if apart is None:
            return
        self._parity = apart
        if not apart <= ALIKE:
            raise ArithmeticError(
                f"the engines differ by {apart:.3g} on the first bar, more than {ALIKE:g}"
            )
        self._checked = True

    def _notice(self, step: Step) -> None:
        """Raise the alarm for what was reset, and for what the model has ceased to fit."""
        ok, drift = column(step.belief, "ok"), column(step.belief, "drift")
        reset = tuple(symbol for symbol, value in ok.items() if not value > 0)
        drifting = tuple(
            symbol
            for symbol, value in drift.items()
            if value > (CALMING if symbol in self._drifting else ALARMING)
        )
        if reset:
            log.error("belief_reset", extra={"symbols": reset})
        if new := sorted(set(drifting) - set(self._drifting)):
            log.warning("belief_drifts", extra={"symbols": new, "above": ALARMING})
        self._reset, self._drifting = reset, drifting

    def _fail(self, event: str, why: Exception, **more: str) -> None:
        self._failure = str(why) or type(why).__name__
        log.error(event, exc_info=why, extra={"engine": self._name, **more})


def seen(answer: asyncio.Future[Any]) -> None:
    """Take note of how something ended, so that asyncio doesn't complain that nobody did."""
    if not answer.cancelled():
        answer.exception()
