"""What the mind believes of all symbols together, at one close."""

from math import isfinite
from struct import iter_unpack
from typing import Final

import msgspec

from state.belief import COLUMNS, STATES, VOLATILITIES, Belief

DRIFTING: Final = 4.0  # standard deviations of surprise above expectation
PLACE: Final = {name: n for n, name in enumerate(COLUMNS)}


class Outlook(msgspec.Struct, frozen=True):
    """What was believed at a close of all symbols together: means over them, and how many fail.

    `surprise` is None where nothing was observed; `drifting` and `reset` count symbols.
    """

    calm: float
    normal: float
    stressed: float
    up: float
    exposure: float
    entropy: float
    surprise: float | None
    drifting: int
    reset: int
    model_hash: str

    @property
    def regime(self) -> str:
        """Return the likeliest volatility."""
        return max(VOLATILITIES, key=lambda name: float(getattr(self, name)))


def outlook(belief: Belief) -> Outlook | None:
    """Return what a belief says of all symbols together; None when it is of none."""
    width = len(COLUMNS) + 2 * len(belief.levels)
    rows = list(iter_unpack(f"<{width}f", belief.shown))
    if not rows:
        return None
    surprises = [row[PLACE["surprise"]] for row in rows if isfinite(row[PLACE["surprise"]])]

    def mean(*places: int) -> float:
        return float(sum(row[place] for row in rows for place in places)) / len(rows)

    calm, normal, stressed = (
        mean(*(n for n, (_, each) in enumerate(STATES) if each == name)) for name in VOLATILITIES
    )
    return Outlook(
        calm=calm,
        normal=normal,
        stressed=stressed,
        up=mean(*(n for n, (direction, _) in enumerate(STATES) if direction == "up")),
        exposure=mean(PLACE["exposure"]),
        entropy=mean(PLACE["entropy"]),
        surprise=sum(surprises) / len(surprises) if surprises else None,
        drifting=sum(row[PLACE["drift"]] > DRIFTING for row in rows),
        reset=sum(not row[PLACE["ok"]] > 0 for row in rows),
        model_hash=belief.model_hash,
    )
