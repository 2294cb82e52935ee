"""Evidence about beliefs: do they tell regimes, foretell returns, earn money? Losses included.

`python -m bench.beliefs [regimes] [scores] [money] [learning] [drift]`. The genome that ships was
fitted to what came before 2013; every test below is of what came after. Prints the tables of
docs/beliefs.md; fails where the acceptance does: on a majority of the bundled stocks the log score
must beat independent returns and at least equal an EWMA-t tuned on each stock's own past.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from bench.drift_alarm import (
    LEVEL,
    NEAR,
    SOON,
    changes,
    false_alarms,
    trained_level,
)
from bench.evidence import (
    Evidence,
    averaged,
    by_ewma_t,
    evidence,
    filtered,
    foretold,
    independent,
    index,
    scores,
    stocks,
    without_ranges,
)
from bench.learning import learned_scores
from bench.regimes import regime_table
from bench.trading import Run, active_inference, figures, plugin, traded
from strategies.bootstrap import compared
from strategies.drift import ALARMING
from strategies.genome import DEFAULT, genome_id
from strategies.market_model import LONG_SHORT, tables
from strategies.sizing import Limits

SEED = 5
COST = 3e-4  # commission 1 bp and slippage 2 bp, as the paper broker's defaults
UNSEEN = 1e-9  # nats: two ways of adding up differ by less
DRAWS, BLOCK = 2_000, 21
BASELINES = ("buy_and_hold", "inverse_volatility", "volatility_target")

Array = NDArray[np.float64]


def interval(differences: Array, chance: np.random.Generator) -> tuple[float, float]:
    """Return 5 % and 95 % of a mean over bars, by a circular block bootstrap."""
    bars = len(differences)
    starts = chance.integers(bars, size=(DRAWS, bars // BLOCK))
    rows = (starts[:, :, None] + np.arange(BLOCK)) % bars
    low, high = np.quantile(differences[rows].mean(axis=(1, 2)), [0.05, 0.95])
    return float(low), float(high)


def area_under(score: Array, event: NDArray[np.bool_]) -> float:
    """Return how often a bar with the event had a higher score than one without (Mann-Whitney)."""
    order = np.empty(len(score))
    order[np.argsort(score, kind="stable")] = np.arange(1, len(score) + 1)
    hits, misses = int(event.sum()), int((~event).sum())
    return float((order[event].sum() - hits * (hits + 1) / 2) / (hits * misses))


def regimes() -> None:
    """Print how often the true state was told."""
    print("\n1. Synthetic regimes: share of bars whose state, volatility, direction was told")
    for drift in (0.25, 0.05):
        print(f"   drift {drift} slow sigmas a bar")
        for name, *right in regime_table(drift, SEED):
            print(f"   {name:<38}" + "".join(f"{value:9.3f}" for value in right))


def stress(seen: Evidence) -> tuple[float, float]:
    """Return the area under the curve of |z| > 1.5 at the next bar, by P(stress) and by EWMA."""
    model = tables(DEFAULT)
    posterior = filtered(model.A_z, model.A_r, model.B, model.D, seen.z_bin, seen.range_bin)[2]
    rows = np.flatnonzero(seen.tested)[:-1]
    found: list[list[float]] = []
    for n in range(len(seen.prices.names)):
        moves = seen.move[:, n]
        event = np.abs(moves[rows + 1] / seen.sigma[rows + 1, n]) > 1.5
        likely = posterior[rows, n] @ model.B[[2, 5]].sum(axis=0)
        rival = np.sqrt(averaged(moves, 18.0))[rows + 1] / seen.sigma[rows + 1, n]
        found.append([area_under(likely, event), area_under(rival, event)])
    by_beliefs, by_average = np.mean(found, axis=0)
    return float(by_beliefs), float(by_average)


def log_scores(chance: np.random.Generator) -> bool:
    """Print out-of-sample log scores; return whether the acceptance holds."""
    print("\n2. Foretelling the bin of the next return, 2013 on: mean log score, higher is better")
    print(
        f"   {'':<26}{'iid':>9}{'EWMA-t':>9}{'beliefs':>9}   beliefs - EWMA-t (90 % interval)"
        "  without drift"
    )
    shares = evidence(stocks())
    rivals = scores(independent(shares), shares), scores(by_ewma_t(shares), shares)
    ours = scores(foretold(tables(DEFAULT), shares), shares)
    rows = shares.tested
    line("20 stocks, closes", shares, rivals, ours, chance)
    means = [each[rows].mean(axis=0) for each in (*rivals, ours)]
    over_iid, over_ewma = int((means[2] > means[0]).sum()), int((means[2] >= means[1]).sum())
    print(f"   of 20 stocks beliefs beat iid on {over_iid}, at least equal EWMA-t on {over_ewma}")
    for name, iid, ewma, mine in zip(shares.prices.names, *means, strict=True):
        print(f"     {name:<24}{iid:9.4f}{ewma:9.4f}{mine:9.4f}{mine - ewma:+11.4f}")
    areas = [("20 stocks, closes", stress(shares))]
    for name in ("SP500", "NASDAQ"):
        for label, prices in (
            ("closes", without_ranges(index(name))),
            ("closes and ranges", index(name)),
        ):
            seen = evidence(prices)
            rivals = scores(independent(seen), seen), scores(by_ewma_t(seen), seen)
            ours = scores(foretold(tables(DEFAULT), seen), seen)
            line(f"{name}, {label}", seen, rivals, ours, chance)
            areas.append((f"{name}, {label}", stress(seen)))
    print("\n   Area under the curve of a move beyond 1.5 slow sigmas at the next bar")
    for label, (by_beliefs, by_average) in areas:
        print(f"   {label:<26}P(stress) {by_beliefs:.3f}   EWMA volatility {by_average:.3f}")
    return over_iid > 10 and over_ewma > 10


def line(
    name: str, seen: Evidence, rivals: tuple[Array, Array], ours: Array, chance: np.random.Generator
) -> None:
    """Print one line of scores, the last of which is of beliefs that know no direction."""
    rows = seen.tested
    flat = scores(foretold(tables(DEFAULT.but(mu_down=0.0, mu_up=0.0)), seen), seen)
    low, high = interval((ours - rivals[1])[rows].mean(axis=1), chance)
    iid, ewma, mine, driftless = (float(each[rows].mean()) for each in (*rivals, ours, flat))
    print(
        f"   {name:<26}{iid:9.4f}{ewma:9.4f}{mine:9.4f}{mine - ewma:+11.4f} "
        f"({low:+.4f} {high:+.4f}){driftless:15.4f}"
    )


def learned(chance: np.random.Generator) -> None:
    """Print what learning by instrument adds to log scores, and where it takes from them."""
    print('\n4. beliefs.learning = "A": mean log score of the next return, 2013 on')
    print(
        f"   {'':<28}{'off':>9}{'on':>9}{'on - off':>10}   (90 % interval)       in use"
        "  better/same/worse    worst"
    )
    for name, symbols, off, on, used in learned_scores():
        gain = on - off
        each = np.nanmean(gain, axis=0)
        low, high = interval(np.nanmean(gain, axis=1), chance)
        won, lost = int((each > UNSEEN).sum()), int((each < -UNSEEN).sum())
        print(
            f"   {name:<28}{np.nanmean(off):9.4f}{np.nanmean(on):9.4f}{each.mean():+10.4f}"
            f"   ({low:+.4f} {high:+.4f}) {used:9.1%}"
            f"{f'{won}/{len(each) - won - lost}/{lost}':>19}{each.min():+9.4f}"
        )
        if name.startswith("20 stocks"):
            told = (f"{one} {by:+.4f}" for one, by in zip(symbols, each, strict=True))
            print(f"     {', '.join(told)}")


def money(chance: np.random.Generator) -> None:
    """Print what the strategies earned after costs, and how sure a difference is."""
    print(f"\n3. Money: weekly, at the next close, {COST * 1e4:.0f} bp of what is traded, 2013 on")
    for name, prices, limits, genome in (
        ("20 stocks (survivors)", stocks(), Limits(0.20, 1.0), DEFAULT),
        ("SP500 index", index("SP500"), Limits(1.0, 1.0), DEFAULT.but(cap=1.0)),
        ("NASDAQ index", index("NASDAQ"), Limits(1.0, 1.0), DEFAULT.but(cap=1.0)),
    ):
        tested = prices.days > "2012-12-31"
        runs = [traded(each, plugin(each, prices, limits), prices, COST) for each in BASELINES]
        ours = traded("active_inference", active_inference(genome, prices, limits), prices, COST)
        short = traded(
            "  long and short", active_inference(genome, prices, limits, LONG_SHORT), prices, COST
        )
        print(f"   {name}")
        print(
            f"   {'':<20}{'Sharpe':>8}{'CAGR':>8}{'vol':>8}{'max dd':>8}{'turnover':>9}"
            f"{'exposure':>9}{'Sharpe to 2012':>16}"
        )
        for run in (ours, short, *runs):
            shown(run, tested)
        for day in ("2020-02-18", "2020-03-16", "2020-03-30", "2020-08-03", "2021-06-01"):
            if prices.days[-1] > day:
                row = int(np.flatnonzero(prices.days <= day)[-1])
                invested = (f"{run.name} {run.exposure[row]:.2f}" for run in (ours, runs[-1]))
                print(f"     exposure on {day}: {', '.join(invested)}")
        for run in runs:
            beside = compared(ours.returns[tested], run.returns[tested], chance, per_year=252.0)
            print(
                f"     Sharpe over {run.name}: {beside.difference:+.2f} "
                f"(90 % interval {beside.low:+.2f} to {beside.high:+.2f}, p {beside.p_value:.2f})"
            )


def shown(run: Run, tested: NDArray[np.bool_]) -> None:
    """Print one run's figures."""
    late, early = figures(run, tested), figures(run, ~tested)
    print(
        f"   {run.name:<20}{late.sharpe:8.2f}{late.cagr:8.1%}{late.volatility:8.1%}"
        f"{late.drawdown:8.1%}{late.turnover:9.2f}{late.exposure:9.2f}{early.sharpe:16.2f}"
    )


def monitored() -> bool:
    """Print how often the drift alarm is false and how soon it is true; return whether it fits."""
    level = trained_level()
    print(
        f"\n5. The drift alarm, at {ALARMING}; {LEVEL:.1%} of bars in training: below {level:.2f}"
    )
    print(f"   {'':<12}{'':<10}{'median':>8}{'99 %':>8}{'highest':>8}{'on':>8}{'a year':>8}")
    for name, *both in false_alarms():
        for span, a in zip(("training", "2013 on"), both, strict=True):
            print(
                f"   {name:<12}{span:<10}{a.median:8.2f}{a.high:8.2f}{a.highest:8.2f}"
                f"{a.share:8.2%}{a.yearly:8.3f}"
            )
    print(f"   what a made market becomes: found within {SOON} bars, median bars until it is")
    for name, share, delay in changes():
        print(f"   {name:<28}{share:6.0%}{delay:8.0f}")
    return abs(level - ALARMING) <= NEAR


def main() -> int:
    """Print all evidence; fail when the acceptance does."""
    chance = np.random.default_rng(SEED)
    print(f"genome {genome_id(DEFAULT)}, fitted until the end of 2012")
    parts = sys.argv[1:] or ["regimes", "scores", "money", "learning", "drift"]
    if "regimes" in parts:
        regimes()
    accepted = log_scores(chance) if "scores" in parts else True
    if "money" in parts:
        money(chance)
    if "learning" in parts:
        learned(chance)
    if "drift" in parts and not monitored():
        print("\nFAILED: the drift alarm is not where one bar in 200 of training was")
        return 1
    print("\nok" if accepted else "\nFAILED: a majority of stocks must beat iid and equal EWMA-t")
    return 0 if accepted else 1


if __name__ == "__main__":
    raise SystemExit(main())
