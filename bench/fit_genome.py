"""Fit the genes of perception by log evidence on the training part, then a few by money.

`python -m bench.fit_genome` repeats what made strategies/fitted.py and fails when it finds one
that is better on the training part by more than a thousandth of a nat a bar; `--write` stores what
it found, `--money` leaves perception as it is. One genome for 20 stocks (closes) and two indices
(closes and ranges), none of whose bars after 2012 are looked at. The genes of preference are taken
from a small grid by the Sharpe ratio of the 20 stocks until 2012, after costs; they differ little.
"""

import re
import sys
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import differential_evolution

from bench.evidence import BURN_IN, TRAINED_UNTIL, Evidence, evidence, filtered, index, stocks
from bench.trading import YEAR, last_of_week
from strategies import fitted as shipped_genes
from strategies.fitness import market_of, simulated
from strategies.genome import DEFAULT, GENES, Genome
from strategies.market_model import PERCEIVED, tables
from strategies.terms import Terms

SEED = 20121231
GENERATIONS = 60
PEOPLE = 6  # for each gene
ENOUGH = 1e-3  # nats a bar
GRID = {
    "risk": (0.003, 0.006, 0.01, 0.015, 0.02, 0.03),
    "gamma": (30.0, 60.0, 100.0, 300.0),
    "kappa": (0.5, 2.0, 5.0),
    "volatility_target": (0.12, 0.15, 0.20),
}

Array = NDArray[np.float64]
STAYS = [n for n in range(PERCEIVED) if GENES[n].name.startswith("stay_")]


def freed(values: Array) -> Array:
    """Return the genes as they are searched: chances to stay as the log of how long they last."""
    free = values.copy()
    free[STAYS] = -np.log(1.0 - values[STAYS])
    return free


def gene_values(free: Array) -> Array:
    """Return the genes of what was searched."""
    values = free.copy()
    values[STAYS] = 1.0 - np.exp(-free[STAYS])
    return values


def within(values: Array) -> Genome:
    """Return the fitted genome with other genes of perception, cut to their bounds."""
    pairs = zip(GENES[:PERCEIVED], values, strict=True)
    found = [float(min(max(value, gene.low), gene.high)) for gene, value in pairs]
    return Genome((*found, *DEFAULT.values[PERCEIVED:]))


def training_score(genome: Genome, parts: list[Evidence]) -> float:
    """Return the mean over instruments of their log evidence a bar, on the training part."""
    model = tables(genome)
    found: list[float] = []
    for seen in parts:
        until = int(np.flatnonzero(seen.trained)[-1]) + 1
        _, log_evidence, _ = filtered(
            model.A_z, model.A_r, model.B, model.D, seen.z_bin[:until], seen.range_bin[:until]
        )
        found += np.nanmean(log_evidence[seen.trained[:until]], axis=0).tolist()
    return float(np.mean(found))


def fitted(parts: list[Evidence]) -> Genome:
    """Return the genome of the best training score, from one seed."""
    low = freed(np.array([gene.low for gene in GENES[:PERCEIVED]]))
    high = freed(np.array([gene.high for gene in GENES[:PERCEIVED]]))
    best = differential_evolution(
        lambda free: -training_score(within(gene_values(free)), parts),
        list(zip(low, high, strict=True)),
        maxiter=GENERATIONS,
        popsize=PEOPLE,
        rng=np.random.default_rng(SEED),
        x0=np.clip(freed(np.array(DEFAULT.values[:PERCEIVED])), low, high),
        polish=False,
        tol=1e-6,
    )
    return within(np.round(gene_values(best.x), 5))


def preferred(genome: Genome) -> tuple[Genome, list[tuple[float, Genome]]]:
    """Return the genome with the best preferences of GRID, and all of them, the best first.

    They are ranked by the Sharpe ratio of the training part.
    """
    prices = stocks()
    rows = prices.days <= TRAINED_UNTIL
    history = market_of(prices.close[rows], due=last_of_week(prices.days[rows]))
    names, choices = zip(*GRID.items(), strict=True)
    people = [genome.but(**dict(zip(names, chosen, strict=True))) for chosen in product(*choices)]
    outcome = simulated(history, np.array([each.array for each in people]), Terms(max_gross=1.0))
    returns = outcome.returns[BURN_IN:]
    spread = returns.std(axis=0)
    worth = YEAR**0.5 * returns.mean(axis=0) / np.where(spread > 0.0, spread, np.inf)
    ranked = sorted(zip(worth.tolist(), people, strict=True), key=lambda each: -each[0])
    return ranked[0][1], ranked


def written(genome: Genome) -> None:
    """Write the genes into the module of those that ship."""
    file = Path(shipped_genes.__file__)
    text = file.read_text()
    for gene in GENES:
        text = re.sub(rf'("{gene.name}": )[-+.\de]+', rf"\g<1>{genome[gene.name]!r}", text)
    file.write_text(text)
    print(f"wrote {file.name}")


def main() -> int:
    """Fit, print, and compare with what is shipped."""
    parts = [evidence(stocks()), evidence(index("SP500")), evidence(index("NASDAQ"))]
    found = DEFAULT if "--money" in sys.argv else fitted(parts)
    shipped, best = training_score(DEFAULT, parts), training_score(found, parts)
    for name in (gene.name for gene in GENES[:PERCEIVED]):
        print(f"{name:<16}{DEFAULT[name]:>12.5f} shipped {found[name]:>12.5f} found now")
    print(f"training score, nats a bar: {shipped:.5f} shipped, {best:.5f} found now")
    found, ranked = preferred(found)
    for worth, genome in (*ranked[:3], ranked[len(ranked) // 2], ranked[-1]):
        genes = ", ".join(f"{name} {genome[name]:g}" for name in GRID)
        print(f"Sharpe until 2012 {worth:.3f}: {genes}")
    if "--write" in sys.argv:
        written(found)
        return 0
    print(f"{'FAILED: fit again with --write' if best - shipped > ENOUGH else 'ok'}")
    return int(best - shipped > ENOUGH)


if __name__ == "__main__":
    raise SystemExit(main())
