"""Several strategies at once: is a blend of them worth more than each alone? Losses included.

`python -m bench.blend`. The 20 bundled stocks (survivors), weekly rebalances, at the next close,
costs as in bench.beliefs; figures of 2013 and after. Prints the table of docs/strategies.md.
"""

from datetime import UTC, datetime
from time import process_time

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.beliefs import COST, SEED
from bench.evidence import Prices, stocks
from bench.trading import BAND, Run, active_inference, figures, traded
from state.blended import Blended
from strategies.blend import Member, Plan, Rule, asked, begun, met, packed, together
from strategies.bootstrap import compared
from strategies.genome import DEFAULT
from strategies.plugin import load
from strategies.sizing import Limits, targets
from strategies.terms import Terms

LIMITS = Limits(0.20, 1.0)
NARROW = 0.002  # a band that the part of one member can pass
PLUGINS = {
    "inverse_volatility": {"max_weight": 1.0},
    "volatility_target": {"target": 1.0},  # more than they ever moved: equal weights
}
NAMES = {"volatility_target": "equal weights"}
RATES = (0.0, 0.05, 0.2)

Array = NDArray[np.float64]


def alone(name: str, prices: Prices):
    """Return a strategy as a function of (bar, held, due) to weights."""
    if name == "active_inference":
        return active_inference(DEFAULT, prices, LIMITS)
    strategy = load(name, PLUGINS[name])

    def weigh(t: int, held: Array, due: bool) -> Array:
        seen = prices.close[max(0, t + 1 - strategy.window) : t + 1]
        wanted = strategy.weights(seen, held)
        most, gross = LIMITS.max_weight, LIMITS.max_gross
        return np.array(
            list(targets(wanted, prices.names, max_weight=most, max_gross=gross).values())
        )

    return weigh


def blended(adapt: float, prices: Prices, max_drawdown: float = 1.0):
    """Return a blend of all three as such a function, and where it keeps their capital."""
    names = ("active_inference", *PLUGINS)
    third = 1.0 / len(names)
    rules = tuple(Rule(name, third, 0.1, 0.8, max_drawdown) for name in names)
    terms = Terms(
        spread=COST,
        commission=0.0,
        max_weight=LIMITS.max_weight,
        max_gross=LIMITS.max_gross,
        order_band=NARROW,
        min_trade=0.0,
        initial=1.0,
    )
    plan, each = Plan(rules, adapt, terms), [alone(name, prices) for name in names]
    members: tuple[Member, ...] = begun(plan, len(prices.names))
    capital: list[list[float]] = []

    def weigh(t: int, held: Array, due: bool) -> Array:
        nonlocal members
        halted = {member.share.name for member in members if member.share.halted}
        members = met(plan, members, prices.close[t], halted)
        wishes = [ask(t, member.book.held, True) for ask, member in zip(each, members, strict=True)]
        members = asked(plan, members, wishes)
        capital.append([member.share.capital for member in members])
        return together(members)

    return weigh, capital


def costs(count: int) -> tuple[float, int]:
    """Return what a close of three members takes of a processor, us, and its bytes as text."""
    rules = tuple(Rule(str(n), 0.3, 0.1, 0.8, 0.5) for n in range(3))
    plan = Plan(rules, 0.05, Terms(min_trade=0.0, initial=1.0))
    steps = np.random.default_rng(SEED).normal(0.0, 0.01, (300, count))
    members, wishes = begun(plan, count), [np.full(count, 1.0 / count)] * 3
    began = process_time()
    for closes in 100.0 * np.exp(np.cumsum(steps, axis=0)):
        members = asked(plan, met(plan, members, closes, ()), wishes)
        together(members)
    spent = (process_time() - began) / len(steps)
    shares = tuple(member.share for member in members)
    names = tuple(f"SYM{n}" for n in range(count))
    stored = Blended("0" * 16, datetime.now(UTC), names, shares, packed(members))
    return spent * 1e6, len(msgspec.json.encode(stored))


def main() -> None:
    """Print what a close costs, what each member made alone, and what blends of them did."""
    for count in (20, 1_000):
        spent, size = costs(count)
        print(f"three members of {count:,} symbols: {spent:.0f} us and {size:,} bytes a close")
    prices, chance = stocks(), np.random.default_rng(SEED)
    tested = prices.days > "2012-12-31"
    runs = [
        traded(NAMES.get(name, name), alone(name, prices), prices, COST, NARROW)
        for name in ("active_inference", *PLUGINS)
    ]
    moved: list[tuple[Run, list[list[float]]]] = []
    for rate in RATES:
        weigh, capital = blended(rate, prices)
        moved.append((traded(f"blend, adapt {rate:g}", weigh, prices, COST, NARROW), capital))
    weigh, _ = blended(0.0, prices)
    wide = traded(f"blend, band {BAND:g}", weigh, prices, COST, BAND)
    print(
        f"20 stocks (survivors), 2013 on, band {NARROW:g}\n"
        f"{'':<22}{'Sharpe':>8}{'CAGR':>8}{'vol':>8}{'max dd':>8}{'turnover':>9}{'exposure':>9}"
        f"{'to 2012':>9}"
    )
    for run in (*runs, *(run for run, _ in moved), wide):
        late, early = figures(run, tested), figures(run, ~tested)
        print(
            f"{run.name:<22}{late.sharpe:8.2f}{late.cagr:8.1%}{late.volatility:8.1%}"
            f"{late.drawdown:8.1%}{late.turnover:9.2f}{late.exposure:9.2f}{early.sharpe:9.2f}"
        )
    for run, capital in moved[1:]:
        late = np.array(capital)[tested]
        told = (
            f"{other.name} {part.min():.2f} to {part.max():.2f}, mean {part.mean():.2f}"
            for other, part in zip(runs, late.T, strict=True)
        )
        print(f"capital, {run.name}: {'; '.join(told)}")
    fixed = moved[0][0]
    for run in (*(run for run, _ in moved[1:]), *runs):
        beside = compared(run.returns[tested], fixed.returns[tested], chance, per_year=252.0)
        print(
            f"Sharpe of {run.name} over the fixed blend: {beside.difference:+.2f} "
            f"(90 % interval {beside.low:+.2f} to {beside.high:+.2f})"
        )


if __name__ == "__main__":
    main()
