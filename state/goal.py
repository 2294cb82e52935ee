"""What weights a rebalance aims at: the targets, made exact and brought within the limits."""

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Final

import msgspec

from state.book import Book, fraction
from state.denial import Code, Denial
from state.instrument import EXACT, ONE, ZERO, Instrument, Symbol
from state.settings import Execution, Limits
from state.snapshot import Snapshot

GRID: Final = ".9f"  # weights are told apart to a billionth


class Goal(msgspec.Struct, frozen=True):
    """One symbol's target as it can be had: a fraction of equity, and what was done to it."""

    instrument: Instrument
    price: Decimal
    weight: Decimal
    notes: tuple[str, ...] = ()


def goals(
    now: Snapshot,
    book: Book,
    targets: Mapping[Symbol, float],
    execution: Execution,
    limits: Limits,
) -> tuple[dict[Symbol, Goal], tuple[Denial, ...]]:
    """Return what can be aimed at, by symbol in order, and which symbols can't be planned at all.

    What is held or on order and has no target is aimed at 0.
    """
    reached: dict[Symbol, Goal] = {}
    denied: list[Denial] = []
    for symbol in sorted({*targets, *book.stakes}):
        target = targets.get(symbol, 0.0)
        if refusal := unreachable(now, symbol, target):
            if target or book.stake(symbol).effective:
                denied.append(refusal)
            continue
        weight, notes = clipped(Decimal(format(target, GRID)), limits)
        reached[symbol] = Goal(now.instruments[symbol], now.marks[symbol].price, weight, notes)
    return scaled(reached, execution, limits), tuple(denied)


def unreachable(now: Snapshot, symbol: Symbol, target: float) -> Denial | None:
    """Return why a symbol can't be planned, or None if it can."""
    if symbol not in now.instruments:
        return Denial(
            Code.UNKNOWN_SYMBOL,
            symbol,
            symbol,
            "universe.symbols",
            f"{symbol} has a target or is held, but is not in the universe",
            "add it to universe.symbols, or close it with the broker and reconcile",
        )
    if not isfinite(target):
        return Denial(
            Code.NO_TARGETS,
            symbol,
            str(target),
            "a finite number",
            f"the target of {symbol} is {target}, which is no weight",
            "the strategy is at fault: see the daemon's log",
        )
    if symbol not in now.marks:
        return Denial(
            Code.NO_PRICE,
            symbol,
            "none",
            "a price",
            f"no price of {symbol} has arrived yet",
            "wait for its first price: see feed in `tm status`",
        )
    return None


def clipped(weight: Decimal, limits: Limits) -> tuple[Decimal, tuple[str, ...]]:
    """Return a weight within what one holding may be, and a note where that changed it."""
    most = fraction(limits.max_position_weight)
    if weight < 0 and not limits.allow_short:
        return ZERO, (f"target {weight:f} is short, risk.allow_short is off",)
    if abs(weight) > most:
        return most.copy_sign(weight), (f"target {weight:f} clipped to risk.max_position_weight",)
    return weight, ()


def scaled(
    reached: Mapping[Symbol, Goal], execution: Execution, limits: Limits
) -> dict[Symbol, Goal]:
    """Return the goals scaled together to what the whole book may be.

    Without margin longs less shorts can be at most what the cash reserve leaves.
    """
    weights = [goal.weight for goal in reached.values()]
    gross, net = sum(map(abs, weights), ZERO), sum(weights, ZERO)
    bounds = [
        (fraction(limits.max_gross), gross, "risk.max_gross"),
        (fraction(limits.max_net), abs(net), "risk.max_net"),
    ]
    if not limits.margin:
        bounds.append((ONE - fraction(execution.cash_reserve), net, "execution.cash_reserve"))
    part, setting = min(
        ((EXACT.divide(most, size), name) for most, size, name in bounds if size > most),
        default=(ONE, ""),
    )
    if part == ONE:
        return dict(reached)
    note = f"all targets scaled by {part:.4f} to {setting}"
    return {
        symbol: Goal(
            goal.instrument, goal.price, EXACT.multiply(goal.weight, part), (*goal.notes, note)
        )
        for symbol, goal in reached.items()
    }
