"""The active-inference strategy: one bar in, a belief and weights out.

Live trading and backtests call this one function with the belief of the bar before; nothing else
is remembered anywhere.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.belief import Belief, blank, learned_of, untaught
from strategies.inference import Engine, Inference
from strategies.learning import learned_step
from strategies.market_model import Tables
from strategies.observation import Array, Bars, Observed, observed
from strategies.sizing import Limits, sized, tilted


class Thought(msgspec.Struct, frozen=True):
    """Everything behind one bar's weights; a row for each instrument."""

    belief: Belief  # what the next bar is met with
    weights: Array  # (N,) fractions of equity, rounded to 1e-9
    seen: Observed
    found: Inference
    tilt: Array  # (N,) by the blend of signals, 0 to 2
    surprise: Array  # (N,) -ln of the evidence, nats; NaN where nothing was observed
    entropy: Array  # (N,) of the posterior, nats


def decide(
    model: Tables, engine: Engine, belief: Belief, bars: Bars, held: Array, limits: Limits
) -> Thought:
    """Return what one bar lets one believe and want.

    belief  what the bar before left, or `belief.blank`; its symbols are those of `bars` and `held`
    held    (N,) fraction of equity in each symbol after this bar's fills
    Where the belief learns, the next one has learned of this bar.
    """
    sound = np.asarray(np.isfinite(belief.rows).all(axis=1))
    if belief.learned is not None:
        sound &= np.isfinite(belief.learned.table).all(axis=1)
    belief = mended(model, belief, sound)
    seen, learned = observed(model, belief, bars, held), belief.learned
    if learned is None:
        found = engine.step(
            seen.belief.posterior, seen.z_bin, seen.range_bin, seen.held_exposure, seen.stepped
        )
    else:
        found, learned = learned_step(model, engine, belief, learned, seen)
    found = msgspec.structs.replace(
        found, ok=found.ok & sound, exposure=np.where(sound, found.exposure, 0.0)
    )
    rows = seen.belief.rows.copy()
    rows[:, :6] = found.posterior
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.where(seen.stepped, -np.log(found.evidence), np.nan)
        logs = np.where(found.posterior > 0.0, np.log(found.posterior), 0.0)
    return Thought(
        belief=msgspec.structs.replace(seen.belief, rows=rows, learned=learned),
        weights=sized(model, seen, found, held, limits),
        seen=seen,
        found=found,
        tilt=tilted(model, seen),
        surprise=surprise,
        entropy=-(found.posterior * logs).sum(axis=1),
    )


def distance(one: Thought, other: Thought) -> float:
    """Return how far two engines' thoughts of a bar are apart, in posteriors or in weights."""
    return max(
        float(np.abs(one.found.posterior - other.found.posterior).max(initial=0.0)),
        float(np.abs(one.weights - other.weights).max(initial=0.0)),
    )


def mended(model: Tables, belief: Belief, sound: NDArray[np.bool_]) -> Belief:
    """Return the belief with rows that aren't sound blank, and a book that isn't unknown."""
    if not np.isfinite([belief.book_variance, belief.book_count]).all():
        belief = msgspec.structs.replace(belief, book_variance=0.0, book_count=0.0)
    if sound.all():
        return belief
    rows = np.where(sound[:, None], belief.rows, blank(belief.symbols, model).rows)
    learned = belief.learned
    if learned is not None:
        nothing = untaught(len(sound), model).table
        learned = learned_of(np.where(sound[:, None], learned.table, nothing))
    return msgspec.structs.replace(belief, rows=rows, learned=learned)
