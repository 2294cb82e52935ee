"""The mind over a period: which volatility it believed in, how sure, and how surprised it was."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

import msgspec

from state.belief import VOLATILITIES
from state.outlook import Outlook
from state.series import thinned

DIGITS: Final = 5
SHOWN: Final = 20  # changes of regime that are listed, the last ones


class RegimeChange(msgspec.Struct, frozen=True):
    """From this close on another volatility was the likeliest, for so many closes."""

    at: datetime
    regime: str
    closes: int


class Beliefs(msgspec.Struct, frozen=True):
    """A period as the mind saw it; means over symbols and closes.

    `shares` are of the closes that each volatility was the likeliest at. Row n of `series` is
    at[n] with calm, normal, stressed, up, exposure, entropy and surprise; at most 400 rows.
    """

    closes: int
    models: tuple[str, ...]
    shares: Mapping[str, float]
    entropy: float
    surprise: float | None
    exposure: float
    drifting: int
    resets: int
    changes: tuple[RegimeChange, ...]
    at: tuple[datetime, ...]
    series: tuple[tuple[float | None, ...], ...]


def believed(closes: Sequence[tuple[datetime, Outlook]]) -> Beliefs | None:
    """Return a period as the mind saw it, from its closes; None when there was no mind."""
    if not closes:
        return None
    count = len(closes)
    seen = Counter(one.regime for _, one in closes)
    surprises = [one.surprise for _, one in closes if one.surprise is not None]
    kept = thinned(closes)
    return Beliefs(
        closes=count,
        models=tuple(dict.fromkeys(one.model_hash for _, one in closes)),
        shares={name: round(seen[name] / count, DIGITS) for name in VOLATILITIES},
        entropy=round(sum(one.entropy for _, one in closes) / count, DIGITS),
        surprise=round(sum(surprises) / len(surprises), DIGITS) if surprises else None,
        exposure=round(sum(one.exposure for _, one in closes) / count, DIGITS),
        drifting=sum(one.drifting > 0 for _, one in closes),
        resets=sum(one.reset for _, one in closes),
        changes=changes(closes)[-SHOWN:],
        at=tuple(at for at, _ in kept),
        series=tuple(row(one) for _, one in kept),
    )


def changes(closes: Sequence[tuple[datetime, Outlook]]) -> tuple[RegimeChange, ...]:
    """Return which volatility was the likeliest from when on, oldest first."""
    runs = [list(run) for _, run in groupby(closes, key=lambda close: close[1].regime)]
    return tuple(RegimeChange(run[0][0], run[0][1].regime, len(run)) for run in runs)


def row(one: Outlook) -> tuple[float | None, ...]:
    """Return one close of the series."""
    values = (one.calm, one.normal, one.stressed, one.up, one.exposure, one.entropy, one.surprise)
    return tuple(None if value is None else round(value, DIGITS) for value in values)
