"""Strategies by name: found by entry point, checked before they are trusted, and after they spoke.

A strategy is a module named by an entry point of the group `trade_manager.strategies`. It imports
nothing of ours and has

    API = 1
    WINDOW          how many closes it wants to see (at the start there may be fewer)
    PARAMETERS      name -> (default, lowest, highest, what it is, with its unit)
    weights(closes, held, parameters) -> weights

where `weights` is pure: closes (T, N), oldest first, NaN where there is none; held (N,), fractions
of equity; the answer (N,), fractions of equity, finite. The arrays it is given can't be written to.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from math import isfinite
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

GROUP: Final = "trade_manager.strategies"
OWN: Final = ("active_inference", "blend")  # no plug-ins: they remember from close to close
API: Final = 1

Weigh = Callable[
    [NDArray[np.float64], NDArray[np.float64], Mapping[str, float]], NDArray[np.float64]
]


class StrategyUnusable(Exception):
    """The strategy that was configured can't be used, or not so. The message says what to do."""


class StrategyUnknown(StrategyUnusable):
    """No installed package has a strategy of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"strategy.name = {name!r} is not installed; known: {', '.join(known) or 'none'}"
            + nearest(name, known)
        )
        self.name = name


class StrategyFailed(Exception):
    """A strategy raised, or answered something that is no weights: there are no new targets."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"strategy {name} failed: {why}")
        self.name, self.why = name, why


class Strategy(msgspec.Struct, frozen=True):
    """A strategy with its parameters, ready to be asked."""

    name: str
    window: int
    parameters: Mapping[str, float]
    weigh: Weigh

    def weights(
        self, closes: NDArray[np.float64], held: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (N,) the weights it wants, rounded to 1e-9; raise StrategyFailed.

        closes  (T, N)  prices, oldest first, NaN where there is none; T >= 1
        held    (N,)    fraction of equity in each symbol now
        """
        try:
            answer = self.weigh(unwritable(closes), unwritable(held), dict(self.parameters))
            wanted = np.asarray(answer, dtype=np.float64)
        except Exception as error:  # a plug-in may raise anything
            raise StrategyFailed(self.name, f"{type(error).__name__}: {error}") from error
        if wanted.shape != held.shape:
            raise StrategyFailed(
                self.name, f"it gave weights of shape {wanted.shape} for {held.shape}"
            )
        if not np.isfinite(wanted).all():
            where = np.flatnonzero(~np.isfinite(wanted)).tolist()
            raise StrategyFailed(self.name, f"its weights number {where} are not finite")
        return np.asarray(np.round(wanted, 9) + 0.0)


def load(name: str, parameters: Mapping[str, float] | None = None) -> Strategy:
    """Return an installed strategy with `parameters` over its defaults; raise StrategyUnusable."""
    found = {each.value: each for each in entry_points(group=GROUP) if each.name == name}
    if not found:
        known = {each.name for each in entry_points(group=GROUP)}
        raise StrategyUnknown(name, sorted(known.union(OWN)))
    if len(found) > 1:
        raise StrategyUnusable(
            f"strategy.name = {name!r} is ambiguous: {' and '.join(sorted(found))}; "
            "uninstall all but one"
        )
    return adopted(name, imported(*found.values()), parameters or {})


def imported(point: EntryPoint) -> object:
    """Return what an entry point names; raise StrategyUnusable with what went wrong."""
    try:
        return point.load()
    except Exception as error:  # importing a plug-in runs anything
        raise StrategyUnusable(
            f"strategy {point.name} ({point.value}) can't be imported: "
            f"{type(error).__name__}: {error}"
        ) from error


def adopted(name: str, module: object, parameters: Mapping[str, float]) -> Strategy:
    """Return a module as a strategy, after a look at whether it is one; raise StrategyUnusable."""
    api = getattr(module, "API", None)
    if api != API:
        raise StrategyUnusable(
            f"strategy {name} speaks API {api}, this version API {API}: install one that fits"
        )
    window, weigh = getattr(module, "WINDOW", None), getattr(module, "weights", None)
    if type(window) is not int or window < 1:
        raise StrategyUnusable(f"strategy {name}: WINDOW is {window!r}, not a whole number from 1")
    if not callable(weigh):
        raise StrategyUnusable(f"strategy {name} has no function weights(closes, held, parameters)")
    return Strategy(name, window, settled(name, declared(name, module), parameters), weigh)


def declared(name: str, module: object) -> dict[str, tuple[float, float, float, str]]:
    """Return the parameters that a module says it has; raise StrategyUnusable."""
    try:
        return msgspec.convert(
            getattr(module, "PARAMETERS", None), dict[str, tuple[float, float, float, str]]
        )
    except msgspec.ValidationError as error:
        raise StrategyUnusable(
            f"strategy {name}: PARAMETERS is not name -> (default, lowest, highest, meaning): "
            f"{error}"
        ) from None


def settled(
    name: str,
    known: Mapping[str, tuple[float, float, float, str]],
    given: Mapping[str, float],
) -> dict[str, float]:
    """Return all parameters: the given ones, checked, over the defaults; raise StrategyUnusable."""
    for key, value in given.items():
        if key not in known:
            raise StrategyUnusable(
                f"strategy.parameters: {name} has no {key!r}; it has {', '.join(known) or 'none'}"
                + nearest(key, list(known))
            )
        _, low, high, meaning = known[key]
        if not isfinite(value) or not low <= value <= high:
            raise StrategyUnusable(
                f"strategy.parameters: {key} = {value} of {name} is outside {low:g} to {high:g} "
                f"({meaning})"
            )
    return {key: float(given.get(key, default)) for key, (default, *_) in known.items()}


def nearest(word: str, known: Sequence[str]) -> str:
    """Return "; did you mean …?", or nothing when nothing is near."""
    near = get_close_matches(word, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def unwritable(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a copy that can't be written to, so that no strategy changes what others see."""
    copy = np.array(array, dtype=np.float64)
    copy.setflags(write=False)
    return copy
