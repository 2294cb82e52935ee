"""How cash and holdings change without a trade: deposits, dividends, splits, what was explained."""

from decimal import Decimal

from msgspec.structs import replace

from state.event import CashMoved, SplitBooked
from state.instrument import EXACT, ONE, ZERO, Symbol, amount, money
from state.ledger import Ledger, moved, post
from state.quote import Mark
from state.snapshot import Snapshot

CASH_MOVES_KEPT = 256  # more than are committed while a broker is asked for its book


def cash_moved(now: Snapshot, event: CashMoved) -> Snapshot:
    """Cash moved: deposits and withdrawals shift the marks that losses are measured from."""
    signed = event.amount
    flow = event.kind in {"initial", "deposit", "withdraw"}
    kept = dict(list(now.cash_moves.items())[-(CASH_MOVES_KEPT - 1) :])
    after_move = replace(
        now,
        ledger=moved(now.ledger, signed, flow=flow),
        funded=True,
        cash_moves={**kept, event.ref: signed} if event.ref else kept,
    )
    if event.kind == "pending":
        day = now.day
        return replace(
            after_move,
            pending=now.pending + signed,
            day=replace(day, pending=day.pending + abs(signed)) if day else None,
        )
    if event.kind == "explained":
        return replace(after_move, pending=now.pending + signed)
    if not flow:
        return after_move
    share = ONE
    if now.high_water > 0 and now.bars:
        before = now.equity
        share = EXACT.divide(before + signed, before) if before > 0 else ONE
    day = now.day
    return replace(
        after_move,
        high_water=money(EXACT.multiply(now.high_water, share)),
        closing=now.closing + signed,
        day=replace(day, start_equity=day.start_equity + signed) if day else None,
    )


def adjusted(ledger: Ledger, symbol: Symbol, quantity: Decimal, price: Decimal) -> Ledger:
    """Book units that came or went without a trade: their value is income, cash is untouched."""
    worth = amount(quantity, price)
    traded_ledger = post(ledger, symbol, quantity, price, ZERO)
    return replace(
        traded_ledger, cash=traded_ledger.cash + worth, income=traded_ledger.income + worth
    )


def divided(now: Snapshot, event: SplitBooked) -> Snapshot:
    """A split is booked: more or fewer units at the same cost, worth as much as before.

    The last price is divided too, unless it shows by itself that it is of the day of the split.
    """
    held = now.ledger.positions[event.symbol]
    units = replace(held, quantity=held.quantity + event.quantity)
    positions = {**now.ledger.positions, event.symbol: units}
    marks, mark = now.marks, now.marks.get(event.symbol)
    if mark is not None and not fell(mark, event):
        price = money(EXACT.divide(EXACT.multiply(mark.price, event.old), event.new))
        marks = {**marks, event.symbol: replace(mark, price=price)}
    return replace(now, ledger=replace(now.ledger, positions=positions), marks=marks)


def fell(mark: Mark, event: SplitBooked) -> bool:
    """Return whether the last price differs from the one before it as after a split, not before."""
    if mark.before is None:
        return False
    undone = EXACT.divide(EXACT.multiply(mark.price, event.new), event.old)
    as_after = abs(undone - mark.before)
    return as_after < abs(mark.price - mark.before)
