"""How often evolution finds an edge that is really there, and whether it finds where it is.

    python -m bench.edge [--strength 0.110] [--seeds 40] [--population 64] [--generations 6]

The planted market drifts up and down slowly (half-life 40 bars): momentum earns, holding doesn't.
`--strength` is the drift's deviation as a fraction of the returns'; the Sharpe ratio that it is
worth out of sample is measured and printed: about 1.0 at 0.110, 0.5 at 0.065, 0.3 at 0.045.
The planted region: a momentum gene of a tenth or more,
whose memory is within a factor of 4 of the planted one.
"""

import numpy as np

from bench.noise import parsed, run, told
from bench.worlds import planted
from strategies.genome import INDEX

HALF_LIFE = 40.0


def found(genes):
    """Whether a genome is in the planted region."""
    for name in ("fast", "slow"):
        near = HALF_LIFE / 4 <= genes[INDEX[f"half_life_{name}"]] <= HALF_LIFE * 4
        if near and genes[INDEX[f"weight_{name}"]] >= 0.1:
            return True
    return False


def main():
    """Run all seeds, and say how many were promoted, and how many were in the region."""
    parser = parsed(__doc__)
    parser.add_argument("--strength", type=float, default=0.110)
    given = parser.parse_args()
    promoted, region, sharpes = 0, 0, []
    for seed in range(given.first, given.first + given.seeds):
        genes, verdict = run(seed, planted(seed, given.strength, half_life=HALF_LIFE), given)
        promoted += verdict.promotable
        region += found(genes)
        sharpes.append(verdict.out_of_sample["sharpe"])
        print(seed, verdict.promotable, f"{sharpes[-1]:.2f}", verdict.reasons[:1], flush=True)
    told(f"edge of strength {given.strength}", promoted, given.seeds, sharpes)
    print(f"  planted region found by {region} of {given.seeds} ({region / given.seeds:.0%})")
    print(f"  out-of-sample Sharpe ratio: median {np.median(sharpes):.2f}")


if __name__ == "__main__":
    main()
