"""From what the mind thought of a bar to what the journal holds of it, and back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from state.belief import COLUMNS, STATES, Belief
from state.instrument import Symbol
from state.quote import Close
from strategies.active_inference import Thought
from strategies.belief import BLOCKED, belief_bytes
from strategies.drift import Drift
from strategies.market_model import Tables
from strategies.observation import Bars

Array = NDArray[np.float64]

SHOWN: Final = np.dtype("<f4")


def bars_of(close: Close, symbols: Sequence[Symbol]) -> Bars:
    """Return a close's bars in the order of `symbols`, NaN for what is missing of them."""
    rows = np.full((3, len(symbols)), np.nan)
    places = {symbol: n for n, symbol in enumerate(symbols)}
    for bar in close.bars:
        if (n := places.get(bar.symbol)) is not None:
            rows[0, n] = float(bar.close)
            if bar.high is not None and bar.low is not None:
                rows[1, n], rows[2, n] = float(bar.high), float(bar.low)
    return Bars(*rows)


def journaled(
    thought: Thought,
    *,
    engine: str,
    model: Tables,
    model_hash: str,
    at: datetime,
    symbols: Sequence[Symbol],
    held: Array,
    drift: Drift,
) -> Belief:
    """Return what the journal holds of a thought."""
    seen, found = thought.seen, thought.found
    learned = 0.0 if thought.belief.learned is None else thought.belief.learned.used
    columns: Mapping[str, Array] = {
        "exposure": found.exposure,
        "tilt": thought.tilt,
        "capacity": seen.capacity,
        "weight": thought.weights,
        "held": held,
        "held_exposure": seen.held_exposure,
        "entropy": thought.entropy,
        "surprise": thought.surprise,
        "surprise_excess": drift.excess,
        "surprise_spread": drift.spread,
        "drift": drift.score,
        "z": np.where(seen.stepped, seen.z, np.nan),
        "range": np.where(seen.range_bin >= 0, seen.spread, np.nan),
        "z_bin": np.where(seen.z_bin >= 0, seen.z_bin, np.nan),
        "range_bin": np.where(seen.range_bin >= 0, seen.range_bin, np.nan),
        "sigma": np.where(seen.stepped, seen.sigma, np.nan),
        "blocked": thought.belief.rows[:, BLOCKED],
        "ok": found.ok.astype(np.float64) + learned,
    }
    rows = np.column_stack(
        [
            found.posterior,
            *(columns[name] for name in COLUMNS[len(STATES) :]),
            -found.utility,
            found.habit,
        ]
    )
    return Belief(
        engine=engine,
        model_hash=model_hash,
        at=at,
        symbols=tuple(symbols),
        levels=tuple(model.levels.tolist()),
        precision=model.gamma,
        memory=belief_bytes(thought.belief),
        shown=rows.astype(SHOWN).tobytes(),
    )


def column(belief: Belief, name: str) -> dict[Symbol, float]:
    """Return one column of what is shown, by symbol."""
    rows = np.frombuffer(belief.shown, SHOWN).reshape(len(belief.symbols), -1)
    values: list[float] = rows[:, COLUMNS.index(name)].astype(np.float64).tolist()
    return dict(zip(belief.symbols, values, strict=True))


def as_shown(drift: Drift) -> Drift:
    """Return a drift as exact as the journal holds it, so that a restart goes on from the same."""
    excess, spread = (
        values.astype(SHOWN).astype(np.float64) for values in (drift.excess, drift.spread)
    )
    return Drift(excess, spread)


def drift_of(belief: Belief, symbols: Sequence[Symbol]) -> Drift:
    """Return where the monitors of drift stood, nothing for symbols that are new."""
    excess, spread = column(belief, "surprise_excess"), column(belief, "surprise_spread")
    return Drift(
        np.array([excess.get(symbol, 0.0) for symbol in symbols]),
        np.array([spread.get(symbol, 0.0) for symbol in symbols]),
    )
