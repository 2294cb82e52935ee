"""How often the alarm that the model no longer fits is false, and how soon it is true: part of
bench.beliefs.

The monitor that trades (strategies/drift.py) looks at bundled prices, where the genome trained and
after, and at made markets that change in the middle.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.evidence import Evidence, evidence, filtered, index, stocks
from bench.learning import BARS, SEED, made
from strategies.drift import ALARMING, CALMING, drifted, expected, none_yet
from strategies.genome import DEFAULT
from strategies.market_model import Tables, tables

YEAR = 252
SOON = 250  # bars, within which a change is to be found
CHANGES = {  # what a made market becomes, beside the trained model
    "nothing": {},
    "calm half as wide": {"s_calm": DEFAULT["s_calm"] / 2},
    "stress 1.5 times as wide": {"s_stressed": DEFAULT["s_stressed"] * 1.5},
    "tails fatter (df 2.5)": {"df": 2.5},
    "all nearly twice as wide": {"s_calm": 0.9, "s_normal": 1.5, "s_stressed": 2.9},
}
NOISE = "bins at random"  # as of a feed that sends nonsense
LEVEL = 0.995  # of the scores where the genome trained: where the alarm is put
NEAR = 0.1  # standard deviations

Array = NDArray[np.float64]


class Alarms(NamedTuple):
    """Of some symbols' bars: quantiles of the score, share under alarm, alarms a symbol's year."""

    median: float
    high: float  # 99 %
    highest: float
    share: float
    yearly: float


def drift_scores(model: Tables, seen: Evidence) -> Array:
    """Return (T, N) what the monitor says after each bar, in standard deviations."""
    _, log_evidence, posterior = filtered(
        model.A_z, model.A_r, model.B, model.D, seen.z_bin, seen.range_bin
    )
    count = seen.z_bin.shape[1]
    drift, before = none_yet(count), np.broadcast_to(model.D, (count, len(model.D)))
    found = np.empty(seen.z_bin.shape)
    for t in range(len(found)):
        mean, variance = expected(model, before, seen.range_bin[t] >= 0)
        drift = drifted(drift, -log_evidence[t], mean, variance)
        found[t], before = drift.score, posterior[t]
    return found


def alarmed(score: Array) -> NDArray[np.bool_]:
    """Return (T, N) whether the alarm stands: raised above one level, cleared below another."""
    on = np.zeros(score.shape[1], dtype=np.bool_)
    found = np.empty(score.shape, dtype=np.bool_)
    for t, row in enumerate(score):
        on = row > np.where(on, CALMING, ALARMING)
        found[t] = on
    return found


def alarms(score: Array) -> Alarms:
    """Return how high the score of some bars was, and how often it alarmed."""
    on = alarmed(score)
    raised = int((on[1:] & ~on[:-1]).sum() + on[0].sum())
    median, high = np.quantile(score, [0.5, 0.99])
    years = score.size / YEAR
    return Alarms(float(median), float(high), float(score.max()), float(on.mean()), raised / years)


def false_alarms() -> Iterator[tuple[str, Alarms, Alarms]]:
    """Yield a market, and its alarms where the genome trained and after."""
    model = tables(DEFAULT)
    for name, prices in (
        ("20 stocks", stocks()), ("SP500", index("SP500")), ("NASDAQ", index("NASDAQ"))
    ):  # fmt: skip
        seen = evidence(prices)
        score = drift_scores(model, seen)
        yield name, alarms(score[seen.trained]), alarms(score[seen.tested])


def trained_level() -> float:
    """Return the score that one bar in 200 was above where the genome trained, all symbols alike.

    That is where ALARMING is: a genome that is fitted anew wants it looked at again.
    """
    model = tables(DEFAULT)
    seen = [evidence(prices) for prices in (stocks(), index("SP500"), index("NASDAQ"))]
    scores = [drift_scores(model, each)[each.trained].ravel() for each in seen]
    return float(np.quantile(np.concatenate(scores), LEVEL))


def changes() -> Iterator[tuple[str, float, float]]:
    """Yield a change, the share of made markets that alarm within SOON bars, and the median delay.

    The delay is of those that alarm until the end, infinite without one.
    """
    model, half = tables(DEFAULT), BARS // 2
    before = made(model, SEED)
    noise = np.random.default_rng(SEED).integers(0, 7, before.z_bin.shape)
    later = {
        name: made(tables(DEFAULT.but(**but)), SEED + 1).z_bin for name, but in CHANGES.items()
    }
    for name, bins in (later | {NOISE: noise}).items():
        mixed = np.concatenate([before.z_bin[:half], bins[half:]])
        on = alarmed(drift_scores(model, before._replace(z_bin=mixed)))[half:]
        delays = np.where(on.any(axis=0), on.argmax(axis=0), np.inf)
        found = delays[np.isfinite(delays)]
        yield name, float((delays < SOON).mean()), float(np.median(found)) if len(found) else np.inf
