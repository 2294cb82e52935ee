"""The genes of the strategy: what each means, its unit and its bounds, and their one text form."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from math import isfinite
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.fitted import FITTED

HEADER: Final = "trade-manager genome 1"

Stage = Literal["perception", "money"]


class Gene(msgspec.Struct, frozen=True):
    """One number that evolution may choose; `meaning` is what a person reads of it."""

    name: str
    low: float
    high: float
    default: float
    unit: str
    meaning: str
    stage: Stage


def perceives(name: str, low: float, high: float, unit: str, meaning: str) -> Gene:
    """Return a gene of what the market is, judged by the evidence of its observations alone."""
    return Gene(name, low, high, FITTED[name], unit, meaning, "perception")


def prefers(name: str, low: float, high: float, unit: str, meaning: str) -> Gene:
    """Return a gene of what to do about it, judged by money."""
    return Gene(name, low, high, FITTED[name], unit, meaning, "money")


P, SIGMA, BARS = "probability per bar", "slow sigmas", "bars"

GENES: Final[tuple[Gene, ...]] = (
    perceives("stay_down", 0.5, 0.9995, P, "a market that drifts down goes on doing so"),
    perceives("stay_up", 0.5, 0.9995, P, "a market that drifts up goes on doing so"),
    perceives("stay_calm", 0.5, 0.9995, P, "calm stays calm; otherwise it turns normal"),
    perceives("stay_normal", 0.5, 0.9995, P, "normal stays; otherwise calm or stressed"),
    perceives("stay_stressed", 0.5, 0.9995, P, "stress stays; otherwise it turns normal"),
    perceives("mu_down", -0.25, 0.0, SIGMA, "drift per bar of a market going down"),
    perceives("mu_up", 0.0, 0.25, SIGMA, "drift per bar of a market going up"),
    perceives("s_calm", 0.25, 0.9, SIGMA, "scale of returns while calm"),
    perceives("s_normal", 0.5, 1.5, SIGMA, "scale of returns while normal"),
    perceives("s_stressed", 0.9, 4.0, SIGMA, "scale of returns while stressed"),
    perceives("df", 2.5, 60.0, "degrees of freedom", "tails of returns in every state"),
    perceives("range_mean", 0.5, 3.0, "scales of the state", "median bar range"),
    perceives("range_spread", 0.15, 1.0, "log", "spread of the log of the bar range"),
    perceives("precision_z", 0.2, 1.2, "power", "how far a return is trusted; 1 in full"),
    perceives("precision_r", 0.0, 1.2, "power", "how far a range is trusted; 0 not at all"),
    prefers("risk", 0.002, 0.3, "per slow sigma", "dislike of squared profit and loss"),
    prefers("gamma", 1.0, 300.0, "per utility", "how sharply the better exposure is taken"),
    prefers("kappa", 0.0, 15.0, "per exposure", "reluctance to leave the exposure held"),
    prefers("weight_fast", 0.0, 1.0, "exposure", "tilt by a fast momentum of one deviation"),
    prefers("weight_slow", 0.0, 1.0, "exposure", "tilt by a slow momentum of one deviation"),
    prefers("weight_reversion", 0.0, 1.0, "exposure", "tilt against a stretched price"),
    prefers("half_life_fast", 2.0, 30.0, BARS, "memory of the fast momentum"),
    prefers("half_life_slow", 20.0, 250.0, BARS, "memory of the slow momentum"),
    prefers("half_life_reversion", 1.0, 30.0, BARS, "memory of the price it reverts to"),
    prefers("volatility_target", 0.03, 0.4, "per year", "of the book fully invested"),
    prefers("half_life_book", 5.0, 120.0, BARS, "memory of the book's volatility"),
    prefers("risk_parity", 0.0, 1.0, "share", "0 equal capital, 1 inverse volatility"),
    prefers("band", 0.0, 0.05, "fraction of equity", "smaller changes aren't made"),
    prefers("cap", 0.02, 1.0, "fraction of equity", "most of one symbol"),
    prefers("gross", 0.1, 2.0, "fraction of equity", "most of all together"),
    prefers("net", 0.05, 2.0, "fraction of equity", "most of longs less shorts"),
    prefers("stop", 3.0, 60.0, SIGMA, "fall from its best after which a position closes"),
    prefers("cooldown", 1.0, 60.0, BARS, "how long it then stays closed, whole bars"),
)
NAMES: Final = tuple(gene.name for gene in GENES)
INDEX: Final[Mapping[str, int]] = {name: n for n, name in enumerate(NAMES)}
LOW: Final = np.array([gene.low for gene in GENES])
HIGH: Final = np.array([gene.high for gene in GENES])


class GenomeInvalid(ValueError):
    """Something is no genome. The message names the gene, the value and the bound."""


class Genome(msgspec.Struct, frozen=True):
    """One value for each gene, in the order and the units of GENES, all within their bounds."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is out of bounds; raise GenomeInvalid."""
        if len(self.values) != len(GENES):
            raise GenomeInvalid(f"a genome has {len(GENES)} genes, not {len(self.values)}")
        for gene, value in zip(GENES, self.values, strict=True):
            if not (isfinite(value) and gene.low <= value <= gene.high):
                raise GenomeInvalid(
                    f"gene {gene.name} = {value} is outside {gene.low:g} to {gene.high:g} "
                    f"{gene.unit} ({gene.meaning})"
                )

    def __getitem__(self, name: str) -> float:
        """Return a gene's value by its name."""
        return self.values[INDEX[name]]

    @property
    def array(self) -> NDArray[np.float64]:
        """Return the values as an array, (genes,)."""
        return np.array(self.values)

    def but(self, **changed: float) -> "Genome":
        """Return this genome with some genes changed; raise GenomeInvalid."""
        for name in changed:
            if name not in INDEX:
                raise GenomeInvalid(unknown(name))
        return Genome(tuple(changed.get(name, self[name]) for name in NAMES))


def genome_of(values: Sequence[float] | NDArray[np.float64]) -> Genome:
    """Return the genome of values in the order of GENES; raise GenomeInvalid."""
    return Genome(tuple(float(value) for value in values))


def genome_text(genome: Genome) -> str:
    """Return the one text form of a genome: a header, then a line `name = value` a gene."""
    lines = (f"{name} = {value!r}" for name, value in zip(NAMES, genome.values, strict=True))
    return "\n".join((HEADER, *lines)) + "\n"


def parsed(text: str) -> Genome:
    """Return the genome of its text form, which must have every gene once; raise GenomeInvalid."""
    header, _, body = text.strip().partition("\n")
    if header.strip() != HEADER:
        raise GenomeInvalid(f"a genome begins with {HEADER!r}, not with {header[:40]!r}")
    found: dict[str, float] = {}
    for line in body.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if name not in INDEX or not equals:
            raise GenomeInvalid(unknown(name))
        if name in found:
            raise GenomeInvalid(f"gene {name} is given twice")
        try:
            found[name] = float(value)
        except ValueError:
            raise GenomeInvalid(f"gene {name} = {value!r} is not a number") from None
    if missing := [name for name in NAMES if name not in found]:
        raise GenomeInvalid(f"genes are missing: {', '.join(missing)}")
    return Genome(tuple(found[name] for name in NAMES))


def genome_id(genome: Genome) -> str:
    """Return the name of a genome, 16 hexadecimal digits, made of its text form."""
    return blake2b(genome_text(genome).encode(), digest_size=8).hexdigest()


def unknown(name: str) -> str:
    """Return what is wrong with a gene's name, and the nearest one there is."""
    near = get_close_matches(name, NAMES, 1)
    return f"there is no gene {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


DEFAULT: Final = Genome(tuple(gene.default for gene in GENES))
