"""The mind: what is believed, kept from close to close, off the event loop and never in its way.

Trading doesn't wait for it: while it wakes, when it fails and when it takes too long there are no
new targets, and an alarm; books, halts and cancels go on without it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.belief_rows import column
from daemon.seams import Pool
from daemon.thinking import Awake, Past, Step, Thinking
from state.belief import Belief
from state.instrument import Symbol
from state.quote import Close
from state.status import BeliefFacts
from strategies.belief import WARM_UP
from strategies.drift import ALARMING, CALMING
from strategies.learning import users
from strategies.market_model import Tables
from strategies.sizing import Limits

PATIENCE: Final = 60.0  # seconds a bar may take; past that there are no new targets
WAKING: Final = 180.0  # seconds until the first one, with everything still to be compiled
TRIES: Final = 3  # to take a close that was missed, before it may be left out
ALIKE: Final = 1e-9  # how far two engines of the same mathematics may be apart

Array = NDArray[np.float64]
P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


Recall = Callable[[int], Awaitable[Sequence[Past]]]


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
        self._pool, self._symbols, self.patience = pool, tuple(symbols), patience
        self._name, self._learning = engine, learning
        self._thinking = Thinking(
            model, symbols, limits, engine=engine, learning=learning, cache=cache
        )
        self._missed: list[Past] = []  # closes that came while it could not think, oldest first
        self._reached: datetime | None = None  # the last close that is in what it believes
        self._failures = 0  # in a row, at the first of them
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
    def symbols(self) -> tuple[Symbol, ...]:
        """Return what it has beliefs about."""
        return self._symbols

    async def wake(self, last: Belief | None, recall: Recall) -> None:
        """Load the engine, and go on from the `last` belief; one of another model is refused.

        Then it is rebuilt from the closes that `recall` finds; one that goes on is told of those
        after it. Nothing is raised: what went wrong is an alarm, and the next close tries again.
        """
        self._last, self._recall, self._waking = last, recall, True
        try:
            past: Sequence[Past] = ()
            if last is not None and self._thinking.goes_on(last):
                if any(one.close.at > last.at for one in await recall(1)):
                    past = since(await recall(WARM_UP), last)
            else:
                if last is not None:
                    log.warning(
                        "belief_refused",
                        extra={"stored": last.model_hash, "configured": self._thinking.hash},
                    )
                past = await recall(WARM_UP)
            self._awake = await self._within(WAKING, self._thinking.awakened, last, past)
        except Exception as e:  # noqa: BLE001 whatever it is, trading goes on without new targets
            self._fail("mind_not_awake", e)
            return
        finally:
            self._waking = False
        self._at = last.at if last is not None and self._awake.origin == "stored" else None
        self._reached = past[-1].close.at if past else self._at
        self._failure = ""
        log.info("mind_awake", extra={"engine": self._name, "belief": self._awake.origin})

    async def become(self, model: Tables) -> None:
        """Think by another model from the next close on.

        Its belief is the one on record where that is its own, else rebuilt from the closes.
        """
        thinking = self._thinking.by(model)
        if thinking.hashes == self._thinking.hashes:
            return
        self._thinking, self._awake, self._reached = thinking, None, None
        self._parity, self._checked = None, self._name == "numpy"
        if self._recall is not None:
            await self.wake(self._last, self._recall)

    async def think(self, close: Close, held: Array) -> Outcome | None:
        """Return what a close lets one believe and want; None when nobody can say.

        held  (N,)  fraction of equity in each symbol after the close's fills
        """
        if self._busy is not None and not self._busy.done():
            self._failure = "an earlier bar is still being thought about"
            log.error("mind_busy", extra={"session": close.session.isoformat()})
            self._miss(close, held)
            return None
        if self._awake is None and self._recall is not None and not self._waking:
            await self.wake(self._last, self._recall)
        awake = self._awake
        if awake is None:
            self._miss(close, held)
            return None
        try:
            awake = await self._caught_up(awake, close)
            step = await self._within(
                self.patience, self._thinking.stepped, awake, close, held, not self._checked
            )
            self._compared(step.apart)
        except Exception as e:  # noqa: BLE001 as above
            self._fail("mind_failed", e, session=close.session.isoformat())
            self._miss(close, held)
            return None
        self._awake = msgspec.structs.replace(awake, held=step.held, drift=step.drift)
        self._last, self._at, self._failure = step.belief, close.at, ""
        self._missed, self._reached, self._failures = [], close.at, 0
        self._notice(step)
        return Outcome(step.belief, dict(zip(self._symbols, step.weights.tolist(), strict=True)))

    def _miss(self, close: Close, held: Array) -> None:
        """Keep a close that could not be thought about, for the next that can."""
        told = dict(zip(self._symbols, held.tolist(), strict=True))
        self._missed = [*self._missed, Past(close, told)][-WARM_UP:]

    async def _caught_up(self, awake: Awake, close: Close) -> Awake:
        """Take the closes that were missed before `close`, oldest first; raise what stops it.

        What was taken stays so. One that fails again and again, where the next does not, is left
        out: no bar keeps all that come after it from being thought about.
        """
        behind = [
            one
            for one in self._missed
            if one.close.at < close.at and (self._reached is None or one.close.at > self._reached)
        ]
        while behind:
            first, *behind = behind
            try:
                awake = await self._within(self.patience, self._thinking.caught_up, awake, first)
            except Exception:
                self._failures += 1
                if self._failures <= TRIES or not behind:
                    raise
                skipped, (first, *behind) = first, behind
                awake = await self._within(self.patience, self._thinking.caught_up, awake, first)
                log.exception("close_skipped", extra={"session": f"{skipped.close.session}"})
            self._awake, self._missed, self._failures = awake, behind, 0
            self._reached = first.close.at
        return awake

    def facts(self) -> BeliefFacts:
        """Return how the mind is, for the status."""
        return BeliefFacts(
            engine=self._name,
            ready=self._awake is not None and not self._failure,
            model_hash=self._thinking.hash,
            at=self._at,
            origin=self._awake.origin if self._awake else None,
            parity=self._parity,
            reset=self._reset,
            drifting=self._drifting,
            failure=self._failure,
            learning="A" if self._learning else "off",
            learned=users(self._awake.held) if self._awake else (),
        )

    async def _within(
        self, seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `work` returns in its thread; raise TimeoutError when it takes too long."""
        answer = asyncio.ensure_future(self._pool.run(work, *args, **kwargs))
        answer.add_done_callback(seen)  # nobody may be waiting any more
        self._busy = answer
        async with asyncio.timeout(seconds):
            return await asyncio.shield(answer)

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


def since(past: Sequence[Past], last: Belief) -> Sequence[Past]:
    """Return the closes after a belief, each with what was held as far as that is on record.

    A close without a belief of its own says nothing of it: then what the last one said stands.
    """
    found: list[Past] = []
    held: Mapping[Symbol, float] = column(last, "held")
    for one in past:
        held = one.held or held
        if one.close.at > last.at:
            found.append(Past(one.close, held))
    return found


def seen(answer: asyncio.Future[Any]) -> None:
    """Take note of how something ended, so that asyncio doesn't complain that nobody did."""
    if not answer.cancelled():
        answer.exception()
