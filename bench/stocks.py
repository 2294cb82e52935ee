"""The whole verdict on the bundled stocks, whatever it says.

    python -m bench.stocks [--population 256] [--generations 30] [--perception 10] [--seed 1]

Bred until 2012, chosen until 2017, held out until 2022; rebalanced weekly, with the paper costs.
"""

import argparse
from datetime import date

import numpy as np

from daemon.feeds.bundle import bundled
from daemon.feeds.price_file import read_prices
from strategies.candidate import Stakes, chosen, verdict_on
from strategies.evolution import Course, bred
from strategies.fitness import MONEY, market_of
from strategies.genome import DEFAULT, genome_of, genome_text
from strategies.splits import segments
from strategies.terms import Terms

TRAIN_TO, VALIDATE_TO, GAP = date(2012, 12, 31), date(2017, 12, 31), 20


def stocks():
    """The bundled closes as a history that is rebalanced on the last session of each week."""
    table = read_prices(bundled(), (), fewest=2, source="bundled")
    closes = np.full((len(table.days), len(table.symbols)), np.nan)
    column = {symbol: n for n, symbol in enumerate(table.symbols)}
    for row in range(len(table.days)):
        for bar in table.bars(row):
            closes[row, column[bar.symbol]] = float(bar.close)
    weeks = [day.isocalendar()[:2] for day in table.days]
    due = [n + 1 == len(weeks) or weeks[n + 1] != week for n, week in enumerate(weeks)]
    return market_of(closes, due=np.array(due)), table.days


def main():
    """Breed, choose, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--population", type=int, default=256)
    parser.add_argument("--generations", type=int, default=30)
    parser.add_argument("--perception", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    market, days = stocks()
    train = sum(day <= TRAIN_TO for day in days)
    validate = sum(day <= VALIDATE_TO for day in days)
    course = Course(
        seed=given.seed,
        population=given.population,
        generations=given.generations,
        perception_generations=given.perception,
        parts=segments(len(days), train, validate, GAP),
        gap=GAP,
        terms=Terms(),
    )
    now = bred(course, market, DEFAULT.array[None, :])
    front = now.herd.objectives[now.herd.front]
    print(f"{len(front)} on the front after {now.evaluations:,} evaluations; the ends of it:")
    for name, low, high in zip(MONEY, front.min(axis=0), front.max(axis=0), strict=True):
        print(f"  {name}: {low:.3f} to {high:.3f}")
    candidate = chosen(course, now, market)
    stakes = Stakes(trials=0, touches=0, equity=1e6, max_order=2e5)
    verdict = verdict_on(course, now, market, candidate, None, stakes)
    print(genome_text(genome_of(candidate)))
    for test in verdict.tests:
        print(f"{test}; {test.meaning}")
    for name, value in verdict.out_of_sample.items():
        print(f"  {name} {value:.3f}")
    print("promotable" if verdict.promotable else "not promoted")


if __name__ == "__main__":
    main()
