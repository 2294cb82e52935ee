"""From a front to one candidate, and from a candidate to what it is judged by."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from state.evolved import Verdict
from strategies.baselines import BASELINES, earned
from strategies.evolution import Course, Standing
from strategies.fitness import Market, sharpe, simulated
from strategies.selection import Exhibit, judged

Array = NDArray[np.float64]

MOST: Final = 64  # members of a front that are looked at out of sample
WARM: Final = 250  # bars before overfitting is measured: nothing trades at first


class Stakes(msgspec.Struct, frozen=True):
    """What beside the run itself a verdict depends on."""

    trials: int  # of all runs before this one
    touches: int  # of this holdout by all runs before this one
    equity: float  # of the account, money
    max_order: float  # risk.max_order_notional, money


def finalists(now: Standing) -> Array:
    """Return (F, G) the front, thinned evenly to MOST members."""
    front = now.herd.genes[now.herd.front]
    if len(front) <= MOST:
        return front
    return front[np.linspace(0, len(front) - 1, MOST).astype(np.int64)]


def chosen(course: Course, now: Standing, market: Market) -> Array:
    """Return (G,) the finalist with the best Sharpe ratio in the validation part.

    Sees nothing of the holdout.
    """
    genes = finalists(now)
    start, end = course.parts.validate
    outcome = simulated(market.until(end), genes, course.terms)
    scores = sharpe(outcome.returns[start:end], course.terms.per_year)
    return np.asarray(genes[int(np.argmax(scores))])


def verdict_on(
    course: Course,
    now: Standing,
    market: Market,
    candidate: Array,
    champion: Array | None,
    stakes: Stakes,
) -> Verdict:
    """Return the gate's verdict on a candidate, the holdout included: journal the touch before."""
    terms = course.terms
    rivals = candidate[None, :] if champion is None else np.stack([candidate, champion])
    outcome = simulated(market, rivals, terms)
    others = {name: earned(market, each, terms) for name, each in BASELINES.items()}
    if champion is not None:
        others["champion"] = outcome.returns[:, 1]
    members = np.unique(np.concatenate([now.founders, finalists(now)]), axis=0)
    start = min(WARM, course.parts.train[1] // 4)
    sample = simulated(market.until(course.parts.train[1]), members, terms).returns[start:]
    sample = sample[:, sample.std(axis=0) > 0.0]
    order = float(outcome.turnover[:, 0].sum() / max(outcome.trades[0], 1.0))
    exhibit = Exhibit(
        returns=outcome.returns[:, 0],
        trades=float(outcome.trades[0]),
        capacity=stakes.max_order / order if order > 0.0 else 0.0,
        equity=stakes.equity,
        others=others,
        sample=sample,
        trials=stakes.trials + now.evaluations,
        touches=stakes.touches + 1,
        per_year=terms.per_year,
    )
    return judged(exhibit, course.parts, np.random.default_rng([course.seed, 2]))
