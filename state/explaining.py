"""What a difference between the books may be: announced, a split, or cash too small to stop for."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from itertools import accumulate
from typing import Final

from state.book import fraction
from state.command import StatedCash, StatedSplit
from state.event import (
    STATED,
    CashKind,
    CashMoved,
    Difference,
    ExpectationMet,
    Expected,
    SplitBooked,
)
from state.headroom import equity
from state.instrument import EXACT, ONE, ZERO, money
from state.snapshot import Snapshot
from state.unfolding import Unfolding

Ratio = tuple[Decimal, Decimal]  # new units, of old ones

CASH: Final = "cash"
CENT: Final = Decimal("0.01")  # what brokers round to
CASH_KINDS: Final[dict[str, CashKind]] = {
    "deposit": "deposit",
    "withdrawal": "withdraw",
    "dividend": "dividend",
    "adjustment": "adjustment",
}
SIGN: Final = {"deposit": 1, "dividend": 1, "withdrawal": -1}


def split_ratio(kind: str) -> Ratio | None:
    """Return (new, old) units of "split:NEW" or "split:NEW:OLD"; None for any other kind."""
    name, _, ratio = kind.partition(":")
    if name != "split":
        return None
    new, _, old = ratio.partition(":")
    try:
        after, before = money(Decimal(new)), money(Decimal(old or "1"))
    except (ArithmeticError, ValueError):
        return None
    return (after, before) if after > 0 and before > 0 else None


def is_split(found: Difference, ratio: Ratio) -> bool:
    """Return whether a difference is a split, a fraction of a unit being paid out in cash."""
    new, old = ratio
    exact = EXACT.divide(EXACT.multiply(found.ours, new), old)
    whole = exact.quantize(ONE, rounding=ROUND_DOWN)
    return bool(found.ours) and found.broker in {money(exact), whole}


def tolerance(now: Snapshot) -> Decimal:
    """Return how much unexplained cash may still be booked as pending in this session.

    Nothing where the broker's book is ours to the micro, as the embedded paper broker's is.
    """
    worth = equity(now)
    if now.start is None or now.start.mode != "live" or worth is None or worth <= 0:
        return ZERO
    most = EXACT.multiply(fraction(now.start.limits.cash_tolerance), worth)
    return max(most - (now.day.pending if now.day else ZERO), ZERO)


def explain(
    course: Unfolding,
    found: Sequence[Difference],
    told: Sequence[StatedCash] = (),
    splits: Sequence[StatedSplit] = (),
) -> tuple[Difference, ...]:
    """Book what is stated, announced or small; return the differences nobody has explained.

    Small cash is booked only where no position differs: else it is evidence.
    """
    left = {difference.subject: difference for difference in found}
    for one in splits:
        differs, ratio = left.get(one.symbol), (one.new, one.old)
        if differs is not None and is_split(differs, ratio):
            course.note(split(differs, ratio, f"{STATED}{one.ref}: {one.reason}", course))
            del left[one.symbol]
    if told and left.keys() <= {CASH}:
        book_stated(course, told, left)
    for expected in course.now.expected:
        if meets(course, expected, left):
            course.note(ExpectationMet(expected.rid, course.moment.at))
    gap = left[CASH].broker - left[CASH].ours if CASH in left else ZERO
    if left.keys() == {CASH} and abs(gap) <= tolerance(course.now):
        why = f"the broker has {gap:+f} that nobody has explained yet"
        course.note(CashMoved("pending", gap, why, course.moment.at))
        del left[CASH]
    return tuple(left.values())


def book_stated(course: Unfolding, told: Sequence[StatedCash], left: dict[str, Difference]) -> None:
    """Book the latest of a statement's cash that come to what is pending or differs, or none.

    A statement reaches back to what was booked before without one, so all of it may be too much.
    """
    now, at = course.now, course.moment.at
    found = left.get(CASH)
    due = now.pending + (found.broker - found.ours if found else ZERO)
    sums = list(accumulate(one.amount for one in reversed(told)))
    rests = [abs(due - came) for came in sums]
    best = min(rests)
    if not due or best > max(tolerance(now), CENT):
        return
    count = len(rests) - rests[::-1].index(best)
    if best >= abs(due):
        return
    if now.pending:
        why = "a statement says what it was"
        course.note(CashMoved("explained", -now.pending, why, at))
    for one in told[-count:]:
        reason = f"{STATED}{one.ref}: {one.reason}"
        course.note(CashMoved(one.kind, one.amount, reason, at))
    left.pop(CASH, None)
    broker = found.broker if found else now.ledger.cash
    if best > CENT:
        left[CASH] = Difference(CASH, course.now.ledger.cash, broker)


def meets(course: Unfolding, expected: Expected, left: dict[str, Difference]) -> bool:
    """Book what was announced, if it is what happened, and return whether it was."""
    at = course.moment.at
    ratio = split_ratio(expected.kind)
    if ratio is not None:
        found = left.get(expected.symbol)
        if found is None or not is_split(found, ratio):
            return False
        del left[expected.symbol]
        course.note(split(found, ratio, expected.reason, course))
        return True
    found = left.get(CASH)
    if found is None:
        return False
    rest = found.broker - found.ours - expected.amount
    if rest and (abs(rest) > tolerance(course.now) or left.keys() != {CASH}):
        return False
    course.note(CashMoved(CASH_KINDS[expected.kind], expected.amount, expected.reason, at))
    del left[CASH]
    if rest:
        left[CASH] = Difference(CASH, found.ours + expected.amount, found.broker)
    return True


def split(found: Difference, ratio: Ratio, reason: str, course: Unfolding) -> SplitBooked:
    """Return the event that books a split."""
    gap = found.broker - found.ours
    return SplitBooked(found.subject, *ratio, gap, reason, course.moment.at)
