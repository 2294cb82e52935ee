"""What breeding costs: CPU seconds, interleaved, as ratios within one run.

    python -m bench.evolution [--bars 2000] [--rounds 3]

Selection beside DEAP's `selNSGA2(nd="log")`, survivors compared; and everything in a generation of
1,000 that isn't evaluation, as a share of it. The kernel beside others: bench/rivals.py.
"""

import argparse
import time
from pathlib import Path
from types import ModuleType

import numpy as np
from deap import base, creator, tools

from bench.worlds import noise
from strategies import kernels
from strategies.breeding import Herd, children, next_herd, progress
from strategies.evolution import space
from strategies.fitness import Terms, simulated
from strategies.genome import DEFAULT, GENES, HIGH, LOW
from strategies.survival import survivors

creator.create("Four", base.Fitness, weights=(1.0,) * 4)
creator.create("Row", list, fitness=creator.Four)


def cpu(work, *arguments):
    """CPU seconds of a piece of work."""
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began


def single():
    """The kernel's own source, built for one genome at a time."""
    module = ModuleType("kernels_1")
    source = Path(kernels.__file__).read_text().replace("LANES: Final = 32", "LANES: Final = 1")
    exec(compile(source.replace("cache=True", "cache=False"), "kernels_1", "exec"), module.__dict__)
    return module


def anybody(count, seed=1):
    """Genomes drawn from anywhere, money genes alone: a stage has one perception."""
    free = np.array([gene.stage == "money" for gene in GENES])
    drawn = LOW + np.random.default_rng(seed).random((count, len(GENES))) * (HIGH - LOW)
    return np.where(free, drawn, DEFAULT.array)


def five_times(ends, keep):
    """Select often enough to be timed."""
    for _ in range(5):
        survivors(ends, keep)


def selection(given):
    """Time selection beside DEAP's, and compare the survivors."""
    for population in (200, 1000, 5000):
        ends = np.random.default_rng(2).normal(size=(2 * population, 4))
        rows = []
        for n, values in enumerate(ends):
            row = creator.Row([n])
            row.fitness.values = tuple(values)
            rows.append(row)
        theirs, ours = [], []
        for _ in range(1 if population == 5000 else given.rounds):
            theirs.append(cpu(tools.selNSGA2, rows, population, "log"))
            ours.append(cpu(five_times, ends, population) / 5)
        same = [row[0] for row in tools.selNSGA2(rows, population, nd="log")]
        equal = same == survivors(ends, population).tolist()
        ratio = np.median(theirs) / np.median(ours)
        print(f"selection at {population:,}: {ratio:.0f} times selNSGA2(nd='log'), equal: {equal}")


def overhead(given):
    """Time everything in a generation of 1,000 that isn't evaluation, beside evaluation."""
    market, genes = noise(1, bars=given.bars, count=20), anybody(1000)
    where = space("money", DEFAULT.array)
    ends = np.random.default_rng(3).normal(size=(1000, 4))
    herd = Herd(genes, ends)
    simulated(market.until(50), genes[:32], Terms())

    def breed():
        young = children(herd, where, 1, 1)
        after = next_herd(herd, Herd(young, ends[::-1]))
        progress(herd, after)

    breed()
    apart = np.median([cpu(breed) for _ in range(given.rounds)])
    judged = cpu(simulated, market, genes, Terms())
    share = apart / (judged * 8313 / given.bars)
    print(f"a generation of 1,000 over 8,313 bars of 20: {share:.2%} isn't evaluation")


def main():
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    selection(given)
    overhead(given)


if __name__ == "__main__":
    main()
