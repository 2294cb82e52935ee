"""How often the whole of evolution promotes something where there is nothing to find.

    python -m bench.noise [--seeds 200] [--first 0] [--population 64] [--generations 6]

Each seed is a market of its own without any memory (bench/worlds.py), a run of its own, and a
verdict of the gate as the product gives it. Nominal: at most 5 % promoted.
"""

import argparse
from math import comb

import numpy as np

from bench.worlds import noise
from strategies.candidate import Stakes, chosen, verdict_on
from strategies.evolution import Course, bred
from strategies.genome import DEFAULT
from strategies.splits import segments
from strategies.terms import Terms

TRAIN, VALIDATE, GAP = 5_500, 6_800, 20  # bars of 8,300: in the proportions of the bundled stocks


def parsed(description):
    """The command line of this bench and the next."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--population", type=int, default=64)
    parser.add_argument("--generations", type=int, default=6)
    return parser


def run(seed, market, given):
    """Breed on a market and return (candidate, verdict)."""
    course = Course(
        seed=seed,
        population=given.population,
        generations=given.generations,
        perception_generations=0,
        parts=segments(len(market.closes), TRAIN, VALIDATE, GAP),
        gap=GAP,
        terms=Terms(),
    )
    now = bred(course, market, DEFAULT.array[None, :])
    candidate = chosen(course, now, market)
    stakes = Stakes(trials=0, touches=0, equity=1e6, max_order=2e5)
    return candidate, verdict_on(course, now, market, candidate, None, stakes)


def interval(found, of):
    """The exact 95 % interval of a share (Clopper & Pearson 1934), by bisection."""

    def tail(p, most):
        return sum(comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(most + 1))

    def solve(aim, most):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if tail(middle, most) > aim else (low, middle)
        return low

    low = 0.0 if found == 0 else solve(0.975, found - 1)
    return low, 1.0 if found == of else solve(0.025, found)


def told(name, promoted, seeds, sharpes):
    """Print how many were promoted, and what they were worth out of sample."""
    low, high = interval(promoted, seeds)
    print(
        f"{name}: {promoted} of {seeds} promoted ({promoted / seeds:.1%}; 95 % within {low:.1%} to "
        f"{high:.1%}); out of sample the candidates' Sharpe ratio was {np.mean(sharpes):.2f} ± "
        f"{np.std(sharpes):.2f}"
    )


def main():
    """Run all seeds, and say how many were promoted, and which tests stopped the others."""
    given = parsed(__doc__).parse_args()
    promoted, sharpes, stops = 0, [], {}
    for seed in range(given.first, given.first + given.seeds):
        _, verdict = run(seed, noise(seed), given)
        promoted += verdict.promotable
        sharpes.append(verdict.out_of_sample["sharpe"])
        for test in verdict.tests:
            stops[test.name] = stops.get(test.name, 0) + (not test.passed)
        print(seed, verdict.promotable, f"{sharpes[-1]:.2f}", flush=True)
    told("pure noise", promoted, given.seeds, sharpes)
    for name, count in sorted(stops.items(), key=lambda each: -each[1]):
        print(f"  {count:4d} failed {name}")


if __name__ == "__main__":
    main()
