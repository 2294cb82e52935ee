"""What the broker says of an order before it goes: what it would cost, and what it would tie up."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from state.denial import Denial
from state.instrument import Symbol
from state.plan import PlanLine, Preview

CHANGED: Final = "the plan became another while the broker was asked; make it again"


def fitted(
    lines: Iterable[PlanLine], denied: Sequence[Denial], previews: Sequence[Preview]
) -> tuple[Preview, ...]:
    """Return what is known beforehand of each line: nothing where the order became another."""
    told = {(one.symbol, one.quantity): one for one in previews}
    refused = {no.subject: no for no in denied}
    return tuple(
        told.get((line.symbol, line.quantity))
        or unknown(
            line.symbol,
            line.quantity,
            f"the gate denies it: {refused[line.symbol].code}"
            if line.symbol in refused
            else CHANGED,
        )
        for line in lines
    )


def unknown(symbol: Symbol, quantity: Decimal, why: str) -> Preview:
    """Return a preview that knows nothing, and says why."""
    return Preview(symbol, quantity, unknown=f"not known, because {why}")
