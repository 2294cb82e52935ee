"""Corporate actions of a statement: splits that the holdings bear out, and what else to do."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from state.command import StatedSplit
from state.event import Difference
from state.explaining import is_split, split_ratio
from state.instrument import ONE, ZERO, Symbol

SPLITS: Final = frozenset({"FS", "RS"})
NUMBER: Final = r"([0-9]{1,6}(?:\.[0-9]{1,6})?)"
RATIO: Final = re.compile(rf"\bSPLIT\s+{NUMBER}\s+FOR\s+{NUMBER}(?![0-9.])")
REPLACED: Final = ".OLD"  # what the broker calls units that a reverse split takes away
ADJUST: Final = "and, when the comparison shows nothing else, `tm reconcile accept --as adjustment`"
WHAT: Final = {
    "DW": ("delisted, without worth", f"take it out of universe.symbols {ADJUST}"),
    "IC": ("symbol change", f"put the new symbol for the old one in universe.symbols {ADJUST}"),
    "SD": ("stock dividend", ADJUST.removeprefix("and, ")),
    "SO": ("spin-off", f"add what came to universe.symbols, or sell it at the broker, {ADJUST}"),
    "TC": ("merger", f"add what came to universe.symbols, or sell it at the broker, {ADJUST}"),
    "TO": ("tender", f"add what came to universe.symbols, or sell it at the broker, {ADJUST}"),
}
ELSE: Final = ("corporate action", f"look at what it did to the holdings, {ADJUST}")


Ratio = tuple[Decimal, Decimal]  # new units, of old ones
Event = tuple[Symbol, Ratio | None, datetime | None]


class CorporateAction(msgspec.Struct, frozen=True):
    """One line of a statement: `quantity` units came (positive) or went; None where it isn't said.

    `kind` is the broker's code (FS forward split, RS reverse split, IC another symbol, TC merger,
    DW delisted, ...), `ref` its id of the line.
    """

    kind: str
    symbol: Symbol
    said: str
    ref: str = ""
    at: datetime | None = None
    quantity: Decimal | None = None

    @property
    def ratio(self) -> Ratio | None:
        """Return (new, old) units of a split, None where the words have none."""
        found = RATIO.search(self.said.upper())
        if self.kind not in SPLITS or found is None:
            return None
        return split_ratio(f"split:{found[1]}:{found[2]}")

    @property
    def event(self) -> Event:
        """Return what all lines of one event have in common."""
        return self.held_as, self.ratio, self.at

    @property
    def held_as(self) -> Symbol:
        """Return the symbol that the holding has after it."""
        return self.symbol.removesuffix(REPLACED)


def splits(
    actions: Sequence[CorporateAction],
    found: Sequence[Difference],
    booked: Mapping[Symbol, datetime],
    began: datetime,
) -> tuple[StatedSplit, ...]:
    """Return the splits that statement and holdings agree on, to be booked.

    What the lines of a split say that came must be what the broker has beyond our books, but for a
    fraction of a unit paid out in cash, and our holding by its ratio must be the broker's. One from
    before the book began (a day in New York), or before the last split that was `booked` of the
    symbol, is over; one that says no time, no quantity or no ratio is left to a person.
    """
    events: dict[Event, list[CorporateAction]] = defaultdict(list)
    for one in actions:
        events[one.event].append(one)
    differs = {difference.subject: difference for difference in found}
    agreed = []
    for (symbol, ratio, at), told in events.items():
        difference = differs.get(symbol)
        if ratio is None or difference is None or not is_split(difference, ratio):
            continue
        if at is None or over(at, booked.get(symbol), began):
            continue
        if any(one.quantity is None or not one.ref for one in told):
            continue
        came = sum((one.quantity for one in told if one.quantity is not None), ZERO)
        if abs(came - (difference.broker - difference.ours)) < ONE:
            agreed.append(StatedSplit(told[0].ref, symbol, *ratio, told[0].said))
    return tuple(agreed)


def over(at: datetime, booked: datetime | None, began: datetime) -> bool:
    """Return whether something of that time is in the books already."""
    return at.date() < began.date() or (booked is not None and at <= booked)


def told(
    actions: Sequence[CorporateAction], booked: Sequence[StatedSplit], found: Sequence[Difference]
) -> tuple[str, ...]:
    """Return each corporate action in words, and what to do; `found` are the differences before."""
    by_ref = {one.ref for one in booked}
    events = {one.event for one in actions if one.ref in by_ref}
    differ = {difference.subject for difference in found} - {one.symbol for one in booked}
    words = []
    for one in actions:
        if one.event in events:
            words.append(f"split: {one.said}: booked")
        elif one.kind in SPLITS:
            ratio = one.ratio
            kind = (
                "split:R"
                if ratio is None
                else "split:" + ":".join(f"{part.normalize():f}" for part in ratio)
            )
            todo = f"nothing of {one.held_as} differs, so nothing is to be booked"
            if one.held_as in differ:
                todo = (
                    "the holdings differ by something else as well, so nobody booked it: explain "
                    f"that first, then `tm reconcile accept --as {kind}`"
                )
            words.append(f"split: {one.said}: {todo}")
        else:
            name, todo = WHAT.get(one.kind, ELSE)
            words.append(f"{name}: {one.said}: {todo}")
    return tuple(words)
