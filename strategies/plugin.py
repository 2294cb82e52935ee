"""Strategies are plug-ins: found by entry point, checked once, and asked for weights."""

import difflib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

GROUP: Final = "trade_manager.strategies"
API: Final = 1

Weights = Callable[
    [NDArray[np.float64], NDArray[np.float64], Mapping[str, float]], NDArray[np.float64]
]


class StrategyUnknown(Exception):
    """What the configuration names is not a strategy this version can run."""


class StrategyFailed(Exception):
    """A strategy answered with something that is no set of weights."""


class Strategy(msgspec.Struct, frozen=True):
    """A strategy with its parameters: `window` is how many closes it needs to see."""

    name: str
    window: int
    parameters: Mapping[str, float]
    propose: Weights

    def weights(
        self, closes: NDArray[np.float64], held: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (N,) weights for `closes` (T, N) and `held` (N,); raises StrategyFailed."""
        answer = np.asarray(self.propose(closes, held, self.parameters), dtype=np.float64)
        if answer.shape != held.shape:
            raise StrategyFailed(
                f"strategy {self.name} answered with shape {answer.shape}, not {held.shape}"
            )
        if not np.isfinite(answer).all():
            bad = int((~np.isfinite(answer)).sum())
            raise StrategyFailed(f"strategy {self.name} answered with {bad} weights not finite")
        return answer


def load(name: str, given: Mapping[str, float]) -> Strategy:
    """Return the strategy of that name, with `given` parameters over its defaults.

    Raises StrategyUnknown for an unknown name, another API, an unknown parameter or one out of
    its bounds.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(found))}"
        raise StrategyUnknown(f"strategy.name: there is no strategy {name!r}; {hint}")
    module: Any = found[name].load()
    if getattr(module, "API", None) != API:
        raise StrategyUnknown(
            f"strategy {name!r} speaks API {getattr(module, 'API', None)}, this version {API}"
        )
    known: Mapping[str, tuple[float, float, float, str]] = getattr(module, "PARAMETERS", {})
    return Strategy(name, int(module.WINDOW), chosen(name, known, given), module.weights)


def chosen(
    name: str, known: Mapping[str, tuple[float, float, float, str]], given: Mapping[str, float]
) -> Mapping[str, float]:
    """Return every parameter's value; raises StrategyUnknown."""
    for parameter, value in given.items():
        if parameter not in known:
            near = difflib.get_close_matches(parameter, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
            raise StrategyUnknown(
                f"strategy.parameters.{parameter}: {name} has no such parameter; {hint}"
            )
        _, low, high, unit = known[parameter]
        if not low <= value <= high:
            raise StrategyUnknown(
                f"strategy.parameters.{parameter}: {value} is outside {low} to {high} ({unit})"
            )
    return {parameter: given.get(parameter, row[0]) for parameter, row in known.items()}
