"""One trading day as a report sees it."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import msgspec

from state.instrument import ZERO, Symbol
from state.outlook import Outlook


class Session(msgspec.Struct, frozen=True):
    """One trading day, at its last close.

    `growth` is the factor earned since the session before, flows taken out: None while there is no
    money, and None with a reason in `undefined` when nobody can say. `traded` is notional over
    equity, None when there was no equity to divide by. `heaviest` is the holding with the largest
    weight, and `weight` that weight, signed; `weights` are those of all that is held, at the close,
    and `outlook` what the mind believed then, if there is one. `flows` is the money put in by then,
    less what was taken out, since the account began.
    """

    session: date
    at: datetime
    equity: Decimal
    growth: float | None = None
    undefined: str = ""
    traded: float | None = 0.0
    gross: float = 0.0
    net: float = 0.0
    heaviest: Symbol = ""
    weight: float = 0.0
    weights: Mapping[Symbol, float] = {}
    outlook: Outlook | None = None
    flows: Decimal = ZERO


def joined(early: Session, late: Session) -> Session:
    """Return one session of two closes in it: the later's equity, both growths, the extremes."""
    undefined = early.undefined or late.undefined
    growth = late.growth if early.growth is None else early.growth
    if early.growth is not None and late.growth is not None:
        growth = early.growth * late.growth
    heavier = max(early, late, key=lambda s: abs(s.weight))
    return Session(
        late.session,
        late.at,
        late.equity,
        None if undefined else growth,
        undefined,
        None if early.traded is None or late.traded is None else early.traded + late.traded,
        max(early.gross, late.gross),
        max(early.net, late.net, key=abs),
        heavier.heaviest,
        heavier.weight,
        late.weights,
        late.outlook or early.outlook,
        late.flows,
    )
