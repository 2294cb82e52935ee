"""`python -m tests.simulation.teeth`: is each bug caught, and after how many seeds?"""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.simulation.mutations import MUTATIONS, ROOT

MOST = 3000  # seeds within which each has to be caught


def caught(name):
    """Return how many seeds it took to catch a mutation and what was seen; None, and what was."""
    said = ("--mutation", name, "--seeds", str(MOST), "--stop-after", "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *said],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seeds = re.search(r"^(\d+) seeds, 1 violated", done.stdout, re.MULTILINE)
    if done.returncode != 1 or seeds is None:
        return None, done.stdout + done.stderr
    return int(seeds[1]), done.stdout.partition("\n")[0]


def main():
    """Run all, or those whose names hold a text; end with 1 when one gets away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the mutations' names")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    names = [n for n in MUTATIONS if not given.names or any(part in n for part in given.names)]
    lost = 0
    with ThreadPoolExecutor(given.workers) as pool:
        for name, (seeds, seen) in zip(names, pool.map(caught, names), strict=True):
            lost += seeds is None
            print(f"{seeds or 'NOT CAUGHT'!s:>10}  {name}: {seen[-300:]}", flush=True)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
