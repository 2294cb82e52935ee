"""One step of inference for all instruments: observe, infer the state, prefer an exposure.

This is the plain engine, exact and bit for bit what the backtest kernel computes; `pymdp_engine`
does the same by pymdp and agrees to rounding. See `market_model` for the tables.
"""

from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.exponential import exponential
from strategies.market_model import Tables
from strategies.observation import Array, Booleans, Integers

NAMES: Final = ("pymdp", "numpy")


class Inference(msgspec.Struct, frozen=True):
    """What a step found, a row for each instrument."""

    posterior: Array  # (N, S) after the observation
    evidence: Array  # (N,) probability that the model gave to what was observed; 1 if nothing was
    predicted: Array  # (N, S) of the next bar, and the prior of its step
    utility: Array  # (N, K) expected preference: minus the expected free energy of each exposure
    habit: Array  # (N, K) log prior of each exposure, but for a constant: -kappa |level - held|
    actions: Array  # (N, K) posterior of each exposure
    exposure: Array  # (N,) expected exposure, 0 where not ok
    ok: Booleans  # (N,) False: something wasn't finite, the belief was reset to D


class EngineUnavailable(Exception):
    """The engine that was configured can't run here. The message says what to install."""


class Engine(Protocol):
    """One step for all instruments; it keeps nothing from one to the next."""

    name: str

    def step(
        self,
        posterior: Array,
        z_bin: Integers,
        range_bin: Integers,
        held_exposure: Array,
        stepped: Booleans,
        likelihood: Array | None = None,
    ) -> Inference:
        """Return what one bar lets one infer, after `posterior` (N, S) of the bar before.

        z_bin, range_bin  (N,)  what was observed, -1 for nothing
        held_exposure     (N,)  the exposure at the broker, which it costs to leave
        stepped           (N,)  False: no time passed for it, its posterior stays
        likelihood        (N, 7, S)  of returns, by instrument; None: the model's for all
        """


class NumpyEngine:
    """The step in numpy, of + - * / alone and in a fixed order."""

    name = "numpy"

    def __init__(self, model: Tables) -> None:
        self.model = model

    def step(
        self,
        posterior: Array,
        z_bin: Integers,
        range_bin: Integers,
        held_exposure: Array,
        stepped: Booleans,
        likelihood: Array | None = None,
    ) -> Inference:
        """Return what one bar lets one infer: see Engine."""
        model = self.model
        before = np.ascontiguousarray(posterior.T)  # (S, N): rows are summed in order
        if likelihood is None:
            likely_z = model.A_z.T[:, z_bin]
        else:
            likely_z = likelihood[np.arange(len(z_bin)), z_bin].T
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            prior = mixed(model.B, before)
            joint = np.where(z_bin >= 0, prior * likely_z, prior)
            joint = np.where(range_bin >= 0, joint * model.A_r.T[:, range_bin], joint)
            evidence = np.where(stepped, summed(joint), 1.0)
            after = np.where(stepped, joint / evidence, before)
        ok = np.isfinite(after).all(axis=0) & (evidence > 0.0) & np.isfinite(evidence)
        ok &= summed(before) > 0.0
        after = np.where(ok, after, model.D[:, None])
        predicted = mixed(model.B, after)
        utility = mixed(model.utility.T, predicted)
        habit = -model.kappa * np.abs(model.levels[:, None] - held_exposure)
        logit = model.gamma * utility + habit
        likely = exponential(logit - logit.max(axis=0))
        total = summed(likely)
        exposure = summed(likely * model.levels[:, None]) / total
        return Inference(
            posterior=after.T,
            evidence=evidence,
            predicted=predicted.T,
            utility=utility.T,
            habit=habit.T,
            actions=(likely / total).T,
            exposure=np.where(ok, exposure, 0.0),
            ok=ok,
        )


def mixed(matrix: Array, states: Array) -> Array:
    """Return (M, N) the matrix (M, S) times states (S, N), summed from the first state on."""
    total: Array = matrix[:, 0:1] * states[0]
    for n in range(1, len(states)):
        total = total + matrix[:, n : n + 1] * states[n]
    return total


def summed(terms: NDArray[np.float64]) -> Array:
    """Return the sum over the first axis, from the first to the last."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return np.asarray(total)


def make_engine(name: str, model: Tables, cache: str | None = None) -> Engine:
    """Return the engine of a name, or raise EngineUnavailable; `cache` is a folder of pymdp's."""
    if name == "numpy":
        return NumpyEngine(model)
    if name == "pymdp":
        from strategies.pymdp_engine import PymdpEngine

        return PymdpEngine(model, cache)
    raise EngineUnavailable(f"beliefs.engine = {name!r} is not known; known: {', '.join(NAMES)}")
