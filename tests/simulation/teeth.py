"""`python -m tests.simulation.teeth`: is each bug caught, and by which seed?

Each has a pinned seed, kept in `pins.toml`, at which the search for one that catches it begins. A
change of the product or of the world may make the number another story: that costs only time, until
`--repin` writes down where each is caught now.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulation.mutations import MUTATIONS, ROOT

MOST = 3000  # seeds within which each has to be caught
PINS = Path(__file__).with_name("pins.toml")
HEAD = "# By bug put in on purpose: a seed that catches it. Written by `teeth --repin`.\n"


def pins():
    """Return the pinned seed of each mutation that has one."""
    return tomllib.loads(PINS.read_text())


def caught(name, start=None, most=MOST):
    """Return the first seed from `start` on, or from the pin, that catches a mutation, and how.

    None, and all that was said, when none of `most` does.
    """
    first = pins().get(name, 0) if start is None else start
    said = ("--mutation", name, "--seeds", most, "--start", first, "--stop-after", 1)
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *map(str, said)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seen = re.search(r"^seed (\d+): .*", done.stdout, re.MULTILINE)
    if done.returncode != 1 or seen is None:
        return None, done.stdout + done.stderr
    return int(seen[1]), seen[0]


def main():
    """Run all, or those whose names hold a text; end with 1 when one gets away."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.teeth", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the mutations' names")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repin", action="store_true", help="write down the seeds that catch")
    parser.add_argument("--from-zero", action="store_true", help="search from seed 0, not the pin")
    given = parser.parse_args()
    names = [n for n in MUTATIONS if not given.names or any(part in n for part in given.names)]
    pinned, lost = pins(), 0
    with ThreadPoolExecutor(given.workers) as pool:
        search = pool.map(lambda n: caught(n, 0 if given.from_zero else None), names)
        for name, (seed, seen) in zip(names, search, strict=True):
            lost += seed is None
            now = "NOT CAUGHT" if seed is None else seed
            moved = "" if pinned.get(name) == seed else f" (pinned: {pinned.get(name)})"
            print(f"{now!s:>10}  {name}{moved}: {seen[-300:]}", flush=True)
            if given.repin and seed is not None:
                write({**pins(), name: seed})
    return 1 if lost else 0


def write(seeds):
    """Keep the pins, in the order of the mutations."""
    kept = [f'"{name}" = {seeds[name]}\n' for name in MUTATIONS if name in seeds]
    PINS.write_text(HEAD + "".join(kept))


if __name__ == "__main__":
    sys.exit(main())
