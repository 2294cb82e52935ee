"""What a difference between the books may be: announced, a split, or cash too small to stop for."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Final

from state.book import fraction
from state.event import CashKind, CashMoved, Difference, ExpectationMet, Expected, SplitBooked
from state.headroom import equity
from state.instrument import EXACT, ONE, ZERO, money
from state.snapshot import Snapshot
from state.unfolding import Unfolding

Ratio = tuple[Decimal, Decimal]  # new units, of old ones

CASH: Final = "cash"
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


def explain(course: Unfolding, found: Sequence[Difference]) -> tuple[Difference, ...]:
    """Book what is announced or small, and return the differences that nobody has explained.

    Small cash is booked only where no position differs: else it is evidence.
    """
    left = {difference.subject: difference for difference in found}
    for expected in course.now.expected:
        if meets(course, expected, left):
            course.note(ExpectationMet(expected.rid, course.moment.at))
    gap = left[CASH].broker - left[CASH].ours if CASH in left else ZERO
    if left.keys() == {CASH} and abs(gap) <= tolerance(course.now):
        why = f"the broker has {gap:+f} that nobody has explained yet"
        course.note(CashMoved("pending", gap, why, course.moment.at))
        del left[CASH]
    return tuple(left.values())


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
