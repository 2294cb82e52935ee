"""The overfit gate: whether what was bred is better than luck, and than what trades already.

Every test has a value and a bound, and all must pass. What a run looked at while it bred is only
believed after it was deflated by all that was ever tried; what it never looked at (the holdout) is
touched once, and each earlier touch of the same bars makes the next look count for less.

The level is that of the verdict. Two looks are independent where there is no skill, in sample and
out of it: each has the square root of the level, and the other tests can only refuse more.
"""

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from state.evolved import Criterion, Verdict
from strategies.bootstrap import compared
from strategies.cscv import overfitting
from strategies.deflated import (
    Moments,
    annualised,
    expected_maximum,
    lucky_bound,
    mean_correlation,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
)
from strategies.fitness import drawdown, sharpe
from strategies.splits import Segments

Array = NDArray[np.float64]

LEVEL: Final = 0.05  # of the whole verdict: how often what has no skill may pass
LOOK: Final = sqrt(LEVEL)  # of each of the two looks, at what was bred on and at what was not
MOST_OVERFIT: Final = 0.5  # probability of backtest overfitting: as bad as choosing blindly
FEWEST_TRADES: Final = 100.0
BLOCKS: Final = 10


class Exhibit(msgspec.Struct, frozen=True):
    """What a candidate is judged by. Returns are (T,) per bar over the whole history, after costs.

    `sample` are (S, M) returns over bred bars of genomes from all of the run, the first as well as
    the last: what overfitting and the trials' correlation are measured on.
    """

    returns: Array
    trades: float
    capacity: float  # equity up to which no order outgrows what one order may be, money
    equity: float  # of the account, money
    others: Mapping[str, Array]  # baselines, and "champion" where there is one
    sample: Array
    trials: int  # evaluations over all runs on this universe, this one included
    touches: int  # of the holdout's bars, this one included
    per_year: float


def judged(exhibit: Exhibit, parts: Segments, chance: np.random.Generator) -> Verdict:
    """Return the verdict on a candidate. Touches the holdout: journal that before.

    The luck of the best of n trials without skill, whose estimates are correlated with each other
    by rho, is that of n independent ones whose variance is 1 - rho of a Sharpe estimate's: what all
    have in common chooses nobody.
    """
    known = slice(parts.train[0], parts.validate[1])  # what it was bred on and chosen by
    fresh = np.r_[slice(*parts.validate), slice(*parts.test)]
    holdout = slice(*parts.test)
    year = exhibit.per_year
    in_sample = {name: moments(each[known]).sharpe for name, each in exhibit.others.items()}
    reference = (
        "champion" if "champion" in in_sample else max(in_sample, key=lambda name: in_sample[name])
    )
    mine = moments(exhibit.returns[known])
    alike = min(max(mean_correlation(exhibit.sample), 0.0), 1.0)
    luck = expected_maximum(exhibit.trials, (1.0 - alike) / max(mine.observations - 1, 1))
    beaten = max(0.0, in_sample[reference])
    deflated = probabilistic_sharpe(mine, beaten + luck)
    pbo = overfitting(exhibit.sample, BLOCKS)
    against = {
        name: compared(exhibit.returns[fresh], each[fresh], chance, per_year=year)
        for name, each in exhibit.others.items()
    }
    last = compared(
        exhibit.returns[holdout], exhibit.others[reference][holdout], chance, per_year=year
    )
    tests = [
        Criterion("trades", exhibit.trades, ">=", FEWEST_TRADES, "orders filled, whole history"),
        Criterion(
            "capacity",
            exhibit.capacity,
            ">=",
            exhibit.equity,
            "equity up to which its average order is within risk.max_order_notional",
        ),
        Criterion(
            "deflated Sharpe ratio",
            deflated,
            ">=",
            lucky_bound(exhibit.trials, alike, LOOK),
            f"probability that it beats {reference} and the luck of {exhibit.trials} trials "
            f"(mean correlation {alike:.2f}): a Sharpe ratio of "
            f"{annualised(beaten + luck, year):.2f} a year (Bailey & López de Prado 2014)",
        ),
        Criterion(
            "probability of backtest overfitting",
            pbo.probability,
            "<=",
            MOST_OVERFIT,
            "how often the best of the past is below the middle afterwards (Bailey et al. 2017)",
        ),
        Criterion(
            f"better than {reference} out of sample",
            against[reference].p_value,
            "<=",
            LOOK / max(exhibit.touches, 1),
            f"p-value of the difference of Sharpe ratios, {against[reference].difference:+.2f} a "
            f"year, by block bootstrap; touch {exhibit.touches} of this holdout",
        ),
        *(
            Criterion(
                f"no worse than {name} out of sample",
                each.difference,
                ">=",
                0.0,
                f"difference of Sharpe ratios a year; 90 % within {each.low:+.2f} to "
                f"{each.high:+.2f}",
            )
            for name, each in against.items()
            if name != reference
        ),
        Criterion(
            "holdout",
            float(sharpe(exhibit.returns[holdout, None], year)[0]),
            ">=",
            0.0,
            "Sharpe ratio a year in the holdout alone, where cash has none",
        ),
        Criterion(
            f"{reference} is not better in the holdout",
            last.p_value,
            "<=",
            1.0 - LOOK,
            f"p-value of the difference there, {last.difference:+.2f} a year: {reference} would be "
            "called better as easily as the candidate is",
        ),
    ]
    return Verdict(
        promotable=all(test.passed for test in tests),
        tests=tuple(tests),
        deflated_sharpe=deflated,
        pbo=pbo.probability,
        trials=exhibit.trials,
        reference=reference,
        out_of_sample=summary(exhibit, fresh, holdout, mine),
        reasons=tuple(str(test) for test in tests if not test.passed),
    )


def summary(
    exhibit: Exhibit, fresh: NDArray[np.int64], holdout: slice, known: Moments
) -> dict[str, float]:
    """Return figures of the candidate in and out of sample, and of the others beside it."""
    year = exhibit.per_year
    columns = exhibit.returns[:, None]
    figures = {
        "sharpe_in_sample": annualised(known.sharpe, year),
        "sharpe": float(sharpe(columns[fresh], year)[0]),
        "sharpe_holdout": float(sharpe(columns[holdout], year)[0]),
        "max_drawdown": float(drawdown(columns[fresh])[0]),
        "bars": float(len(fresh)),
    }
    needed = minimum_track_record(moments(exhibit.returns[fresh]), 0.0, 1.0 - LEVEL)
    if isfinite(needed):
        figures["bars_to_be_sure"] = needed  # that it earns more than cash, at 95 %
    for name, each in exhibit.others.items():
        figures[f"sharpe_{name}"] = float(sharpe(each[fresh, None], year)[0])
    return figures
