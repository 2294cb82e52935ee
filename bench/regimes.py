"""Markets whose states are known, and how well filters tell them: part of bench.beliefs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bench.evidence import Prices, evidence, filtered, without_ranges
from strategies.genome import DEFAULT, Genome
from strategies.market_model import tables, transition

BARS, INSTRUMENTS, WARM = 3000, 24, 500
SUBSTEPS = 24  # moves in a bar, whose extremes are its range
DAILY = 0.015  # what a slow sigma is in these markets

Array = NDArray[np.float64]


class Market(NamedTuple):
    """States (T, N), moves in slow sigmas (T, N), and the prices they make."""

    states: NDArray[np.int64]
    z: Array
    prices: Prices


def true_genome(drift: float) -> Genome:
    """Return a market that drifts `drift` slow sigmas a bar, of variance 1 in the long run."""
    genome = DEFAULT.but(
        stay_down=0.97, stay_up=0.98, stay_calm=0.98, stay_normal=0.97, stay_stressed=0.95,
        mu_down=-min(drift, 0.25), mu_up=min(drift, 0.25), df=6.0,
        precision_z=1.0, precision_r=1.0,
    )  # fmt: skip
    shares = tables(genome).D.reshape(2, 3).sum(axis=0)
    scales = np.array([0.5, 0.9, 1.8])
    tail = genome["df"] / (genome["df"] - 2.0)
    scales = scales * np.sqrt((1.0 - drift**2) / (tail * (shares * scales**2).sum()))
    return genome.but(
        **{f"s_{n}": float(s) for n, s in zip(("calm", "normal", "stressed"), scales, strict=True)}
    )


def market(genome: Genome, chance: np.random.Generator) -> Market:
    """Return a market of `genome`: Student-t bars, each a path of normal substeps."""
    shape = (BARS, INSTRUMENTS)
    cumulated = transition(genome).cumsum(axis=0)
    states = np.empty(shape, dtype=np.int64)
    states[0] = chance.integers(0, 6, INSTRUMENTS)
    for t in range(1, BARS):
        states[t] = (chance.random(INSTRUMENTS) > cumulated[:, states[t - 1]]).sum(axis=0)
    drift = np.array([genome["mu_down"], genome["mu_up"]])[states // 3]
    scale = np.array([genome[f"s_{n}"] for n in ("calm", "normal", "stressed")])[states % 3]
    wild = scale / np.sqrt(chance.chisquare(genome["df"], shape) / genome["df"])
    steps = chance.normal(0.0, 1.0, (SUBSTEPS, *shape)) / np.sqrt(SUBSTEPS)
    path = np.cumsum(steps * wild + drift / SUBSTEPS, axis=0)
    z = path[-1]
    close = 100.0 * np.cumprod(1.0 + DAILY * z, axis=0)
    before = close / (1.0 + DAILY * z)
    high = before * (1.0 + DAILY * np.maximum(path.max(axis=0), 0.0))
    low = before * (1.0 + DAILY * np.minimum(path.min(axis=0), 0.0))
    names = tuple(f"M{n}" for n in range(INSTRUMENTS))
    return Market(states, z, Prices(names, np.full(BARS, "2000-01-01"), close, high, low))


def ranged(genome: Genome, trained: Market) -> Genome:
    """Return the genome with the range genes that a market of its own shows."""
    scale = np.array([genome[f"s_{n}"] for n in ("calm", "normal", "stressed")])
    spread = np.log(
        (trained.prices.high / trained.prices.low - 1.0) / DAILY / scale[trained.states % 3]
    )
    return genome.but(range_mean=float(np.exp(np.median(spread))), range_spread=float(spread.std()))


def oracle(genome: Genome, found: Market) -> Array:
    """Return (T, N, 6) the exact forward filter by the true density of the true moves."""
    df = genome["df"]
    drift = np.repeat([genome["mu_down"], genome["mu_up"]], 3)
    scale = np.tile([genome[f"s_{n}"] for n in ("calm", "normal", "stressed")], 2)
    x = (found.z[:, :, None] - drift) / scale
    log_t = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi) - np.log(scale)
    density = np.exp(log_t - (df + 1) / 2 * np.log1p(x**2 / df))
    B, belief = transition(genome), np.tile(tables(genome).D, (INSTRUMENTS, 1))  # noqa: N806
    path = np.empty((*found.z.shape, 6))
    for t in range(len(path)):
        belief = (belief @ B.T) * density[t]
        belief /= belief.sum(axis=1, keepdims=True)
        path[t] = belief
    return path


def accuracy(posterior: Array, states: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return how often the likeliest state, volatility and direction were the true ones."""
    posterior, states = posterior[WARM:], states[WARM:]
    by_volatility = posterior.reshape(*states.shape, 2, 3).sum(axis=2)
    by_direction = posterior.reshape(*states.shape, 2, 3).sum(axis=3)
    return (
        float((posterior.argmax(axis=-1) == states).mean()),
        float((by_volatility.argmax(axis=-1) == states % 3).mean()),
        float((by_direction.argmax(axis=-1) == states // 3).mean()),
    )


def told(genome: Genome, prices: Prices) -> Array:
    """Return (T, N, 6) what the live path's evidence lets the shipped filter believe."""
    seen, model = evidence(prices), tables(genome)
    return filtered(model.A_z, model.A_r, model.B, model.D, seen.z_bin, seen.range_bin)[2]


def regime_table(drift: float, seed: int) -> list[tuple[str, float, float, float]]:
    """Return rows of (filter, accuracy of the state, of volatility, of direction)."""
    chance = np.random.default_rng(seed)
    genome = true_genome(drift)
    genome = ranged(genome, market(genome, chance))
    found = market(genome, chance)
    mostly = np.zeros((*found.states.shape, 6))
    mostly[..., tables(genome).D.argmax()] = 1.0
    return [
        ("exact filter, true density and scale", *accuracy(oracle(genome, found), found.states)),
        ("beliefs, closes", *accuracy(told(genome, without_ranges(found.prices)), found.states)),
        ("beliefs, closes and ranges", *accuracy(told(genome, found.prices), found.states)),
        ("always the commonest", *accuracy(mostly, found.states)),
    ]
