"""What breeding costs: CPU seconds, interleaved, as ratios within one run.

    python -m bench.evolution [--bars 2000] [--rounds 3]

Selection beside DEAP's `selNSGA2(nd="log")`, survivors compared; and everything in a generation of
1,000 that isn't evaluation, as a share of it; two workers beside one; growth exponents; a
weekly evolution's wall time. The kernel beside others: bench/rivals.py.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import numpy as np
from deap import base, creator, tools

from bench.worlds import noise
from strategies import kernels
from strategies.breeding import Herd, children, next_herd, progress
from strategies.evolution import Course, bred, space
from strategies.fitness import simulated
from strategies.genome import DEFAULT, GENES, HIGH, LOW
from strategies.splits import segments
from strategies.survival import survivors
from strategies.terms import Terms

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
    five_times(np.random.default_rng(1).normal(size=(64, 4)), 32)  # compiled now
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


def costed(market, genes):
    """CPU seconds of judging genomes, in the process that does it."""
    simulated(market.until(50), genes[:32], Terms())  # what was compiled before is loaded here
    return cpu(simulated, market, genes, Terms())


def workers(given):
    """Judge the same genomes in one process and in two, and compare the CPU seconds it took."""
    market, genes = noise(1, bars=given.bars, count=20), anybody(256)
    halves, context = np.split(genes, 2), get_context("forkserver")
    took = {1: [], 2: []}
    with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(2, context) as two:
        for _ in range(given.rounds):
            took[1].append(sum(one.map(costed, [market] * 2, halves)))
            took[2].append(sum(two.map(costed, [market] * 2, halves)))
    ratio = np.median(took[1]) / np.median(took[2])
    print(f"two workers do {ratio:.2f} of one worker's work a CPU second each")


def growth(given):
    """Double bars, instruments and genomes, and print the exponents of the CPU seconds."""
    sizes = {"bars": (500, 5, 64), "instruments": (500, 5, 64), "genomes": (500, 5, 64)}
    for n, (name, start) in enumerate(sizes.items()):
        seconds = []
        factors = (1, 2, 4, 8)
        for factor in factors:
            bars, count, population = (
                size * (factor if n == each else 1) for each, size in enumerate(start)
            )
            market, genes = noise(1, bars=bars, count=count), anybody(population)
            tries = [cpu(simulated, market, genes, Terms()) for _ in range(given.rounds + 1)]
            seconds.append(np.median(tries[1:]))
        slope = np.polyfit(np.log(factors), np.log(seconds), 1)[0]
        print(f"CPU seconds grow with {name} to the power of {slope:.2f}")


def weekly():
    """Breed as the weekly DAG does, 20 symbols over 10 years, and print wall time and cells."""
    bars, count = 2_520, 20
    course = Course(
        seed=1,
        population=256,
        generations=30,
        perception_generations=10,
        parts=segments(bars, 1_660, 2_060, 20),
        gap=20,
        terms=Terms(),
    )
    began = time.perf_counter()
    now = bred(course, noise(1, bars=bars, count=count), DEFAULT.array[None, :])
    cells = now.evaluations * course.parts.train[1] * count
    print(
        f"a weekly evolution of {count} symbols x 10 years, in one process: "
        f"{time.perf_counter() - began:.0f} s, {now.evaluations:,} evaluations, {cells:.2g} cells"
    )


def main():
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    selection(given)
    overhead(given)
    workers(given)
    growth(given)
    weekly()


if __name__ == "__main__":
    main()
