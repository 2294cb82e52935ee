"""The kernel beside C, itself per genome, a plain evaluation, vectorbt and backtesting.py.

    python -m bench.rivals [--bars 1000] [--rounds 5]

One run, interleaved, CPU seconds, medians; the work is bars times instruments times genomes. The
rivals are installed into .cache/rivals by this script. They cannot think as the strategy does, so
the common part is its orders: the simulators are given what the kernel ordered, and must come to
the same equity; the whole job is that and the decisions as numpy makes them.
"""

import argparse
import json
import os
import subprocess
import venv
from pathlib import Path

import numpy as np

from bench.evolution import anybody, cpu, single
from bench.native_kernel import built
from bench.worlds import noise
from strategies import fitness, kernels
from strategies.active_inference import decide
from strategies.belief import blank
from strategies.fitness import models, parameters
from strategies.genome import genome_of
from strategies.inference import NumpyEngine
from strategies.market_model import EXPOSURES, RANGE_EDGES, Z_EDGES, tables
from strategies.observation import Bars
from strategies.sizing import Limits
from strategies.terms import Terms
from tests.strategies.plain import backtest

PACKAGES = ("vectorbt==1.2.0", "backtesting==0.6.6")
HOME = Path(__file__).parents[1] / ".cache" / "rivals"
COUNT, BOOKS, FEW = 20, 16, 200
NOTHING = np.zeros((0, 0, 0, 0))


def installed():
    """The Python of the rivals' own environment."""
    python = HOME / "bin" / "python"
    stamp = HOME / "installed"
    if not stamp.exists() or stamp.read_text() != repr(PACKAGES):
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        stamp.write_text(repr(PACKAGES))
    return python


def seen_by(kernel, market):
    """What all genomes see alike."""
    return kernel.perceive(market.closes, market.highs, market.lows, Z_EDGES, RANGE_EDGES)


def sizes(market, gene, terms):
    """(T, N) units that a genome's orders came to, and its final equity, by the kernel."""
    seen = seen_by(kernels, market)
    trace = np.zeros((*market.closes.shape, 2, 1))
    (block,) = parameters(models(gene[None, :], terms.exposures))
    equity = kernels.simulate(
        seen, market.closes, market.fills, market.due, block, terms.array, trace
    )[0][:, 0]
    units = trace[:, :, 0, 0] * equity[:, None] / seen[4]
    orders = np.diff(units, axis=0, prepend=0.0)
    orders[np.abs(orders) * seen[4] < terms.min_trade / 2] = 0.0  # rounding, and no order
    return orders, equity[-1]


def whole_units(market, gene, terms):
    """The same of one instrument, for who holds whole units of one: prices a millionth."""
    alone = fitness.Market(
        *(getattr(market, name)[:, :1].copy() for name in ("closes", "highs", "lows", "fills")),
        market.due,
    )
    orders, _ = sizes(alone, gene, terms)
    cheap = alone.closes[:, 0] * 1e-6
    units = np.rint(orders[:, 0] * 1e6)
    held = np.cumsum(units)
    units -= np.where(held < 0, held, 0.0)  # never short by a rounding
    cash = terms.initial - (units * cheap).sum() - (np.abs(units) * cheap).sum() * terms.commission
    return cheap, units, cash + units.sum() * cheap[-1]


def decisions(market, gene, terms):
    """Think as the live path does, bar after bar, and trade nothing."""
    model = tables(genome_of(gene), EXPOSURES[terms.exposures])
    engine, belief = NumpyEngine(model), blank([f"S{n}" for n in range(COUNT)], model)
    limits, held = Limits(terms.max_weight, terms.max_gross), np.zeros(COUNT)
    for t in range(len(market.closes)):
        bars = Bars(market.closes[t], market.highs[t], market.lows[t])
        belief = decide(model, engine, belief, bars, held, limits).belief


def main():
    """Measure all of it, a round of everybody after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    python = installed()
    market, genes = noise(1, bars=given.bars, count=COUNT), anybody(32)
    few = market.until(FEW)
    terms = Terms(max_gross=0.7)  # nobody lacks cash: it is not lent alike
    orders = [sizes(market, gene, terms) for gene in genes[:BOOKS]]
    free = Terms(
        spread=0.0, max_gross=0.7
    )  # backtesting.py takes its spread when a trade opens alone
    cheap, units, alone = whole_units(market, genes[0], free)
    path = HOME / "orders.npz"
    np.savez(
        path,
        sizes=np.stack([each for each, _ in orders], axis=1),
        closes=market.closes,
        cheap=cheap,
        units=units,
        commission=terms.commission,
        spread=terms.spread,
        initial=terms.initial,
    )
    one, native, strict = single(), built(), built("-ffp-contract=off")
    blocks = {}
    for module in (kernels, one):
        fitness.kernels = module
        blocks[module] = parameters(models(genes, terms.exposures))
    fitness.kernels = kernels
    seen, (block,) = seen_by(kernels, market), blocks[kernels]

    def batched():
        return kernels.simulate(
            seen_by(kernels, market),
            market.closes,
            market.fills,
            market.due,
            block,
            terms.array,
            NOTHING,
        )[0]

    def simulated():
        return kernels.simulate(
            seen, market.closes, market.fills, market.due, block, terms.array, NOTHING
        )[0]

    def apart():
        for alone in blocks[one]:
            one.simulate(
                seen_by(one, market),
                market.closes,
                market.fills,
                market.due,
                alone,
                terms.array,
                NOTHING,
            )

    def apart_simulated():
        for alone in blocks[one]:
            one.simulate(seen, market.closes, market.fills, market.due, alone, terms.array, NOTHING)

    def in_c(kernel):
        return kernel(seen, market.closes, market.fills, market.due, block, terms.array)

    cells = given.bars * COUNT * len(genes)
    work = {
        "batched": (lambda turn: batched(), cells),
        "simulate": (lambda turn: simulated(), cells),
        "per genome": (lambda turn: apart(), cells),
        "per genome, simulate": (lambda turn: apart_simulated(), cells),
        "C": (lambda turn: in_c(native), cells),
        "C, same rounding": (lambda turn: in_c(strict), cells),
        "plain": (lambda turn: backtest(few, genome_of(genes[turn]), terms), FEW * COUNT),
        "decisions": (lambda turn: decisions(few, genes[turn], terms), FEW * COUNT),
    }
    rivals = {"vectorbt": given.bars * COUNT * BOOKS, "backtesting": given.bars}
    took = {name: [] for name in (*work, *rivals)}
    with subprocess.Popen(
        [python, Path(__file__).with_name("rival_simulators.py"), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    ) as side:
        final = {}
        for turn in range(given.rounds + 1):  # the first of each compiles, and isn't counted
            for name, (do, share) in work.items():
                took[name].append(cpu(do, turn) / share)
            for name, share in rivals.items():
                side.stdin.write(f"{name}\n")
                side.stdin.flush()
                told = json.loads(side.stdout.readline())
                took[name].append(told["seconds"] / share)
                final[name] = np.array(told["final"])
        side.stdin.close()
    each = {name: np.median(times[1:]) for name, times in took.items()}
    ours = simulated()
    print(f"kernel: {1e-6 / each['batched']:.1f} million cells a CPU second on this machine, now")
    for name in ("C", "C, same rounding"):
        print(f"kernel: {each[name] / each['simulate']:.0%} of {name} (clang -O3 -march=native)")
    print(
        f"  equity apart from C's by {np.abs(in_c(native) / ours - 1).max():.1e}; with the same "
        f"rounding equal: {bool((in_c(strict) == ours).all())}"
    )
    batch = each["batched"]
    print(f"kernel: {each['per genome'] / batch:.1f} times the same kernel per genome")
    alone_ratio = each["per genome, simulate"] / each["simulate"]
    print(f"  {alone_ratio:.1f} times where what all see alike is worked out before for both")
    print(f"kernel: {each['plain'] / batch:,.0f} times a plain evaluation, as DEAP's own")
    print(f"kernel: {each['vectorbt'] / batch:,.0f} times vectorbt's simulator, {BOOKS} at once")
    whole = each["vectorbt"] + each["decisions"]
    print(f"kernel: {whole / batch:,.0f} times its whole job, decided by numpy")
    print(f"kernel: {each['backtesting'] / batch:,.0f} times backtesting.py's simulator")
    gap = np.abs(final["vectorbt"] / np.array([last for _, last in orders]) - 1).max()
    print(f"  final equity apart from vectorbt's by {gap:.1e}", end="")
    print(f", from backtesting.py's by {abs(final['backtesting'][0] / alone - 1):.1e}")


if __name__ == "__main__":
    main()
