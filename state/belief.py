"""What the mind held after a close: the bytes it goes on from, and what people may read of it.

`memory` is the mind's own: whoever is given it goes on bit for bit. `shown` holds, for each
symbol, a row of little-endian 32-bit floats in the order of `COLUMNS`, then the expected free
energy of each exposure level, then the logarithm of its prior. It is for people: of it only the
monitors of drift go on.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from struct import iter_unpack
from typing import Final

import msgspec

from state.instrument import Symbol

DIRECTIONS: Final = ("down", "up")
VOLATILITIES: Final = ("calm", "normal", "stressed")
STATES: Final = tuple((d, v) for d in DIRECTIONS for v in VOLATILITIES)
COLUMNS: Final = (
    *(f"{direction}_{volatility}" for direction, volatility in STATES),
    "exposure",  # expected, -1 to 1, under the posterior over levels
    "tilt",  # factor of the trend signals, 0 to 2
    "capacity",  # fraction of equity that an exposure of 1 stands for
    "weight",  # fraction of equity it led to, within the caps
    "held",  # fraction of equity held when it was decided
    "held_exposure",  # the same in units of capacity
    "entropy",  # nats, of the six states
    "surprise",  # nats, -log evidence of what was observed
    "surprise_excess",  # nats a bar above what the model expects of itself, lately
    "surprise_spread",  # nats a bar, the standard deviation of that if the model were true
    "drift",  # the one in units of the other
    "z",  # return over slow volatility
    "range",  # high less low over slow volatility and price
    "z_bin",
    "range_bin",
    "sigma",  # slow volatility of a bar, fraction
    "blocked",  # bars that its stop still keeps it out
    "ok",  # 0 after a reset; 1; 2 where the learned likelihood of returns is in use
)
DIGITS: Final = 7  # significant ones of a 32-bit float


class Belief(msgspec.Struct, frozen=True):
    """The mind after the close `at`; `model_hash` is of the whole model.

    The posterior over levels is the softmax of log prior less `precision` times free energy.
    """

    engine: str
    model_hash: str
    at: datetime
    symbols: tuple[Symbol, ...]
    levels: tuple[float, ...]
    precision: float
    memory: bytes
    shown: bytes

    @property
    def size(self) -> int:
        """Return how many bytes the journal needs for it."""
        return len(self.memory) + len(self.shown)


class InstrumentBelief(msgspec.Struct, frozen=True):
    """What is believed of one symbol; probabilities add up to 1. `ok` is false after a reset.

    `observed` holds `z` and `range`, in slow volatilities, with their bins, and the volatility;
    None is what was not observed. `free_energy` (nats, the least is best) and `prior` are of each
    exposure level; `weight` is the fraction of equity that it all led to. `drift` is how far the
    surprise of the last bars is above what the model expects of itself, in standard deviations.
    `learned` says that its returns are foretold by what was learned of them, not as trained.
    """

    symbol: Symbol
    direction: Mapping[str, float]
    volatility: Mapping[str, float]
    exposure: float
    entropy: float
    surprise: float | None
    observed: Mapping[str, float | None]
    ok: bool
    weight: float
    held: float
    tilt: float
    capacity: float
    surprise_excess: float
    drift: float
    blocked: float
    posterior: tuple[float, ...]
    levels: tuple[float, ...]
    free_energy: tuple[float, ...]
    log_prior: tuple[float, ...]
    learned: bool = False

    @property
    def regime(self) -> str:
        """Return the likeliest volatility."""
        return max(VOLATILITIES, key=lambda name: self.volatility[name])


def instruments(belief: Belief) -> Iterator[InstrumentBelief]:
    """Yield what is believed of each symbol, in their order."""
    width = len(COLUMNS) + 2 * len(belief.levels)
    rows = iter_unpack(f"<{width}f", belief.shown)
    for symbol, row in zip(belief.symbols, rows, strict=True):
        yield instrument(symbol, belief.levels, [float(f"{value:.{DIGITS}g}") for value in row])


def instrument(symbol: Symbol, levels: tuple[float, ...], row: list[float]) -> InstrumentBelief:
    """Return one row by its names."""
    named = dict(zip(COLUMNS, row, strict=False))
    posterior = tuple(row[: len(STATES)])
    efe, prior = row[len(COLUMNS) : -len(levels)], row[-len(levels) :]
    return InstrumentBelief(
        symbol=symbol,
        direction=marginal(posterior, 0, DIRECTIONS),
        volatility=marginal(posterior, 1, VOLATILITIES),
        exposure=named["exposure"],
        entropy=named["entropy"],
        surprise=known(named["surprise"]),
        observed={
            "z": known(named["z"]),
            "range": known(named["range"]),
            "z_bin": known(named["z_bin"]),
            "range_bin": known(named["range_bin"]),
            "sigma": known(named["sigma"]),
        },
        ok=named["ok"] > 0,
        weight=named["weight"],
        held=named["held"],
        tilt=named["tilt"],
        capacity=named["capacity"],
        surprise_excess=named["surprise_excess"],
        drift=named["drift"],
        blocked=named["blocked"],
        posterior=posterior,
        levels=levels,
        free_energy=tuple(efe),
        log_prior=tuple(prior),
        learned=named["ok"] > 1,
    )


def marginal(posterior: tuple[float, ...], factor: int, names: tuple[str, ...]) -> dict[str, float]:
    """Return the probability of each value of one factor of the six states."""
    return {
        name: round(
            sum(p for p, s in zip(posterior, STATES, strict=True) if s[factor] == name), DIGITS
        )
        for name in names
    }


def known(value: float) -> float | None:
    """Return a number, None where there is none."""
    return None if value != value else value
