"""The command line: seeds in order, on several processes, and a summary that says how many."""

import argparse
import gc
import sys
import time
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from itertools import count, islice
from multiprocessing import get_context

from state.order import Status
from tests.simulation.chance import Chance
from tests.simulation.world import run

CHUNK = 25


def one(seed):
    """Return what came of a seed."""
    return run(Chance(seed))


def chunk(seeds):
    """Return what came of some seeds."""
    gc.freeze()
    return [(seed, one(seed)) for seed in seeds]


def main(arguments=None):
    """Run; end with 1 when anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many; by default as --seconds says")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, without --seeds")
    parser.add_argument("--least", type=int, default=0, help="how many at least, without --seeds")
    parser.add_argument("--start", type=int, default=0, help="the first")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--stop-after", type=int, default=10, help="violated seeds until it ends")
    parser.add_argument("--pairs", action="store_true", help="show each (order state, fault) pair")
    given = parser.parse_args(arguments)
    total = Total()
    began = time.monotonic()

    def enough():
        if len(total.bad) >= given.stop_after:
            return True
        if given.seeds is not None:
            return total.seeds >= given.seeds
        return total.seeds >= given.least and time.monotonic() - began >= given.seconds

    end = None if given.seeds is None else given.start + given.seeds
    with nullcontext() if given.workers == 1 else workers(given.workers) as pool:
        for seed, outcome in outcomes(pool, given.start, end, 2 * given.workers):
            total.add(seed, outcome)
            if enough():
                if pool is not None:
                    pool.shutdown(wait=False, cancel_futures=True)
                break
    total.show(time.monotonic() - began, pairs=given.pairs)
    return 1 if total.bad else 0


def workers(number):
    """Return a pool of processes."""
    return ProcessPoolExecutor(number, mp_context=get_context("spawn"))


def outcomes(pool, start, end, ahead):
    """Yield (seed, outcome) in the order of the seeds, from `start` on, for ever without an end."""
    seeds = count(start) if end is None else iter(range(start, end))
    if pool is None:
        for seed in seeds:
            yield seed, one(seed)
    parts = iter(lambda: list(islice(seeds, CHUNK)), [])
    under_way = deque(pool.submit(chunk, part) for part in islice(parts, ahead))
    while under_way:
        yield from under_way.popleft().result()
        under_way.extend(pool.submit(chunk, part) for part in islice(parts, 1))


class Total:
    """What came of all seeds."""

    def __init__(self):
        self.seeds = self.steps = self.restarts = self.orders = 0
        self.seconds = 0.0
        self.faults, self.pairs, self.ends, self.statuses = (Counter() for _ in range(4))
        self.bad = {}

    def add(self, seed, outcome):
        """Count one seed."""
        self.seeds += 1
        self.steps += outcome.steps
        self.seconds += outcome.seconds
        self.restarts += outcome.restarts
        self.orders += outcome.orders
        self.faults += outcome.faults
        self.pairs += outcome.pairs
        self.ends += outcome.ends
        self.statuses += outcome.statuses
        if outcome.wrong:
            self.bad[seed] = outcome.wrong
            print(f"seed {seed}: " + "\n    ".join(outcome.wrong[:3]), flush=True)

    def show(self, took, *, pairs=False):
        """Say how it went."""
        states, faults = [status.value for status in Status], sorted(self.faults)
        seen = len(self.pairs)
        print(
            f"{self.seeds} seeds, {len(self.bad)} violated, {took:.1f} s,"
            f" {self.seeds / took:.1f} seeds/s; {self.restarts} starts, {self.orders} orders at the"
            f" venue, {self.steps} steps, {self.seconds / 3600:.1f} virtual hours"
        )
        print(f"(state, fault) pairs: {seen} of {len(states) * len(faults)}")
        print(f"ends: {dict(sorted(self.ends.items()))}")
        print(f"faults: {dict(sorted(self.faults.items()))}")
        print(f"orders: {dict(sorted(self.statuses.items()))}")
        if pairs:
            width = max(map(len, faults), default=0)
            print(" " * width, *(f"{state[:9]:>9}" for state in states))
            for fault in faults:
                print(f"{fault:<{width}}", *(f"{self.pairs[s, fault]:>9}" for s in states))
        sys.stdout.flush()
