"""From a genome to the generative model: a pure function, and every table that a step needs.

The market is in one of six states, direction (down, up) by volatility (calm, normal, stressed),
flattened to `direction * 3 + volatility`, which makes inference exact (Rabiner 1989, the forward
filter). Returns are Student-t about the state's drift, bar ranges log-normal about its scale, both
in units of a slow volatility known one bar before. Only profit is preferred.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from math import erf, log, sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.genome import DEFAULT, GENES, NAMES, Genome

DIRECTIONS: Final = ("down", "up")
VOLATILITIES: Final = ("calm", "normal", "stressed")
STATES: Final = tuple(f"{d}, {v}" for d in DIRECTIONS for v in VOLATILITIES)
LONG_ONLY: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
LONG_SHORT: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
EXPOSURES: Final = {"long_only": LONG_ONLY, "long_short": LONG_SHORT}

Z_EDGES: Final = np.array([-2.0, -1.0, -0.35, 0.35, 1.0, 2.0])  # slow sigmas; a bin is [low, high)
RANGE_EDGES: Final = np.array([0.7, 1.1, 1.6, 2.4])  # slow sigmas
PROFITS: Final = np.array(  # slow sigmas: where preferences are stated, finer near nothing
    [-9, -5.5, -3.5, -2.2, -1.4, -0.8, -0.4, -0.15, 0, 0.15, 0.4, 0.8, 1.4, 2.2, 3.5, 5.5, 9.0]
)
PERCEIVED: Final = sum(gene.stage == "perception" for gene in GENES)  # they come first
BARS_PER_YEAR: Final = 252.0
LEAST: Final = 1e-6  # of any bin in any state: no observation is impossible

CELL: Final = 0.05  # slow sigmas: what densities are summed over; every edge is a cell's border
GRID: Final = (np.arange(-240, 240) + 0.5) * CELL
BIN: Final = np.searchsorted(Z_EDGES, GRID, side="right")

Array = NDArray[np.float64]


class Tables(msgspec.Struct, frozen=True):
    """Everything a step computes with. Arrays are read-only; S = 6 states, K levels."""

    levels: Array  # (K,) exposures, rising, fractions of an instrument's capacity
    A_z: Array  # (7, S) probability of each return bin
    A_r: Array  # (5, S) probability of each range bin
    B: Array  # (S, S) to, from: probability of the next state
    D: Array  # (S,) the stationary distribution of B, what is believed of the unseen
    A_profit: Array  # (17, S, K) probability of each profit in the next bar
    C: Array  # (17,) preference for each profit, natural log units
    utility: Array  # (S, K) expected preference, A_profit and C summed out
    gamma: float
    kappa: float
    c_fast: float  # weight of the newest in each average
    c_slow: float
    keep_reversion: float
    a_fast: float  # tilt by one unit of each average
    a_slow: float
    a_reversion: float
    target: float  # volatility per bar
    c_book: float
    parity: float
    leverage: float  # most that the volatility target may scale the book to
    band: float
    cap: float
    gross: float
    net: float
    stop: float  # slow sigmas
    cooldown: float  # whole bars


def tables(genome: Genome, levels: Sequence[float] = LONG_ONLY) -> Tables:
    """Return the model of `genome` for exposures `levels` (K,), rising and within -1 to 1."""
    steps = np.array(levels, dtype=np.float64)
    if len(steps) < 2 or not (np.diff(steps) > 0).all() or np.abs(steps).max() > 1.0:
        raise ValueError(f"exposure levels must rise and be within -1 to 1, not {levels}")
    sees = perception(genome.values[:PERCEIVED], tuple(steps.tolist()))
    C = PROFITS - genome["risk"] * PROFITS**2  # noqa: N806
    c_fast, c_slow, c_reversion, c_book = (
        newest(genome[f"half_life_{name}"]) for name in ("fast", "slow", "reversion", "book")
    )
    keep = 1.0 - c_reversion
    return Tables(
        levels=fixed(steps),
        A_z=sees.A_z,
        A_r=sees.A_r,
        B=sees.B,
        D=sees.D,
        A_profit=sees.A_profit,
        C=fixed(C),
        utility=fixed(np.einsum("osk,o->sk", sees.A_profit, C)),
        gamma=genome["gamma"],
        kappa=genome["kappa"],
        c_fast=c_fast,
        c_slow=c_slow,
        keep_reversion=keep,
        a_fast=genome["weight_fast"] / sqrt(c_fast / (2.0 - c_fast)),
        a_slow=genome["weight_slow"] / sqrt(c_slow / (2.0 - c_slow)),
        a_reversion=genome["weight_reversion"] / sqrt(keep**2 / (1.0 - keep**2)),
        target=genome["volatility_target"] / sqrt(BARS_PER_YEAR),
        c_book=c_book,
        parity=genome["risk_parity"],
        leverage=genome["gross"],
        band=genome["band"],
        cap=genome["cap"],
        gross=genome["gross"],
        net=genome["net"],
        stop=genome["stop"],
        cooldown=float(round(genome["cooldown"])),
    )


class Perception(msgspec.Struct, frozen=True):
    """The tables that are made of the genes of perception alone: see Tables."""

    A_z: Array
    A_r: Array
    B: Array
    D: Array
    A_profit: Array


@lru_cache(maxsize=256)
def perception(values: tuple[float, ...], levels: tuple[float, ...]) -> Perception:
    """Return the tables of the first genes; evolution asks for the same ones again and again."""
    genome = DEFAULT.but(**dict(zip(NAMES, values, strict=False)))
    density = return_density(genome)
    A_z = np.zeros((len(Z_EDGES) + 1, len(STATES)))  # noqa: N806 - the field's letters
    np.add.at(A_z, BIN, density.T)
    spread = profits(levels)
    A_profit = np.einsum("pg,sg->ps", spread.reshape(-1, len(GRID)), density)  # noqa: N806
    A_profit = A_profit.reshape(*spread.shape[:2], len(STATES)).transpose(0, 2, 1)  # noqa: N806
    return Perception(
        A_z=fixed(trusted(A_z, genome["precision_z"])),
        A_r=fixed(trusted(range_bins(genome), genome["precision_r"])),
        B=fixed(transition(genome)),
        D=fixed(stationary(genome)),
        A_profit=fixed(A_profit),
    )


def model_hash(model: Tables) -> str:
    """Return 32 hexadecimal digits of every byte of a model: one that differs has another."""
    digest = blake2b(b"trade-manager model 1", digest_size=16)
    for name in model.__struct_fields__:
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(getattr(model, name)).tobytes())
    return digest.hexdigest()


def newest(half_life: float) -> float:
    """Return the weight of the newest value in an average whose values count half after that."""
    return float(1.0 - 0.5 ** (1.0 / half_life))


def return_density(genome: Genome) -> Array:
    """Return (S, cells) the probability of each cell of GRID: Student-t, cut off at 12 sigmas."""
    drift = np.repeat([genome["mu_down"], genome["mu_up"]], 3)
    scale = np.tile([genome["s_calm"], genome["s_normal"], genome["s_stressed"]], 2)
    df = genome["df"]
    squares = ((GRID - drift[:, None]) / scale[:, None]) ** 2
    density = np.exp(-0.5 * (df + 1.0) * np.log1p(squares / df))
    return np.asarray(density / density.sum(axis=1, keepdims=True))


def range_bins(genome: Genome) -> Array:
    """Return (5, S) the probability of each range bin: log-normal about the state's scale."""
    columns = []
    for name in ("s_calm", "s_normal", "s_stressed"):
        middle = log(genome["range_mean"] * genome[name])
        below = [
            0.5 * (1.0 + erf((log(edge) - middle) / (genome["range_spread"] * sqrt(2.0))))
            for edge in RANGE_EDGES.tolist()
        ]
        columns.append(np.diff([0.0, *below, 1.0]))
    return np.tile(np.array(columns).T, 2)


def trusted(likelihood: Array, precision: float) -> Array:
    """Return (bins, S) a likelihood to the power of its precision, no bin of it impossible."""
    powered = np.maximum(likelihood, 1e-300) ** precision
    share = powered / powered.sum(axis=0) + LEAST
    return np.asarray(share / share.sum(axis=0))


def transition(genome: Genome) -> Array:
    """Return B (S, S), to by from: direction and volatility move independently of each other.

    Calm turns normal, stress turns normal, and normal turns either as likely.
    """
    down, up = genome["stay_down"], genome["stay_up"]
    calm, normal, stressed = (genome[f"stay_{name}"] for name in VOLATILITIES)
    direction = np.array([[down, 1.0 - up], [1.0 - down, up]])
    leave = (1.0 - normal) / 2.0
    volatility = np.array(
        [[calm, leave, 0.0], [1.0 - calm, normal, 1.0 - stressed], [0.0, leave, stressed]]
    )
    return np.kron(direction, volatility)


def stationary(genome: Genome) -> Array:
    """Return D (S,), the distribution that `transition` leaves as it is, by detailed balance."""
    direction = np.array([1.0 - genome["stay_up"], 1.0 - genome["stay_down"]])
    leave = (1.0 - genome["stay_normal"]) / 2.0
    volatility = np.array(
        [leave / (1.0 - genome["stay_calm"]), 1.0, leave / (1.0 - genome["stay_stressed"])]
    )
    return np.kron(direction / direction.sum(), volatility / volatility.sum())


@cache
def profits(levels: tuple[float, ...]) -> Array:
    """Return (17, K, cells) how the profit of each exposure in each cell is spread over PROFITS.

    Between two of PROFITS it is shared by nearness, which keeps the mean of every distribution.
    """
    profit = np.clip(np.array(levels)[:, None] * GRID, PROFITS[0], PROFITS[-1])
    above = np.clip(np.searchsorted(PROFITS, profit, side="right"), 1, len(PROFITS) - 1)
    low, high = PROFITS[above - 1], PROFITS[above]
    nearness = (profit - low) / (high - low)
    spread = np.zeros((len(PROFITS), *profit.shape))
    np.put_along_axis(spread, (above - 1)[None], (1.0 - nearness)[None], axis=0)
    np.put_along_axis(spread, above[None], nearness[None], axis=0)
    return fixed(spread)


def fixed(array: Array) -> Array:
    """Return the array, which from now on can't be written to."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
