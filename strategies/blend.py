"""Several strategies, each with capital of its own: what they hold, and who is trusted with more.

Every member trades a book of nobody's money by its own weights, on every close, after costs. What
the account should hold is the sum of what the members want, by their capital. Nothing here depends
on what the account really holds, so that closes alone lead to the same again, in a backtest and
after a restart.
"""

from collections.abc import Collection, Sequence
from math import exp, isfinite, sqrt
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from state.blended import Share
from strategies.shadow_book import Book, capped, closed, opened, ordering
from strategies.simplex import bounded
from strategies.terms import Terms

Array = NDArray[np.float64]

FEWEST: Final = 20  # returns that make a volatility
NEWEST: Final = 1.0 - 0.5 ** (1.0 / 60.0)  # weight of the newest return in a member's variance
CLIP: Final = 6.0  # standard deviations: more of one bar is no more evidence
SEED: Final = 1e-6  # capital that evidence works on where there is none


class Rule(msgspec.Struct, frozen=True):
    """What a member may have: fractions of equity, and of its own book."""

    name: str
    weight: float  # capital it begins with
    least: float
    most: float
    max_drawdown: float


class Plan(msgspec.Struct, frozen=True):
    """How a blend is put together; `adapt` is how fast evidence moves capital, 0 never."""

    rules: tuple[Rule, ...]
    adapt: float
    terms: Terms  # money is 1 at the beginning


class Member(msgspec.Struct, frozen=True):
    """A member after a close."""

    share: Share
    book: Book
    wanted: Array  # (N,) weights, fractions of its own equity


def begun(plan: Plan, count: int) -> tuple[Member, ...]:
    """Return the members before the first bar of `count` symbols."""
    return tuple(
        Member(Share(rule.name, rule.weight), opened(count, 1.0), np.zeros(count))
        for rule in plan.rules
    )


def met(
    plan: Plan, members: Sequence[Member], closes: Array, halted: Collection[str]
) -> tuple[Member, ...]:
    """Return the members after a bar of (N,) `closes`, NaN where there is none.

    halted  names of those that somebody halted, or their own losses did

    Orders of the bar before fill at these closes. Then each book's return is weighed by the
    volatility known before it, and capital moves to who did better for the risk: the exponentiated
    gradient of Helmbold, Schapire, Singer & Warmuth ("On-line portfolio selection using
    multiplicative updates", Mathematical Finance 8(4), 1998) on those, kept within bounds.
    A member whose halt was lifted counts its losses afresh.
    """
    seen = [
        marked(rule, member, closed(member.book, closes, closes, plan.terms), rule.name in halted)
        for rule, member in zip(plan.rules, members, strict=True)
    ]
    if not plan.adapt:
        return tuple(seen)
    gains = [
        exp(plan.adapt * (now.share.score - was.share.score))
        for was, now in zip(members, seen, strict=True)
    ]
    shares = np.array([max(member.share.capital, SEED) for member in seen]) * np.array(gains)
    capital = bounded(
        shares,
        np.array([rule.least for rule in plan.rules]),
        np.array([rule.most for rule in plan.rules]),
        sum(rule.weight for rule in plan.rules),
    )
    return tuple(
        replace(member, share=replace(member.share, capital=float(each)))
        for member, each in zip(seen, capital, strict=True)
    )


def marked(rule: Rule, member: Member, book: Book, halted: bool) -> Member:
    """Return a member with its book after a bar, and what that is evidence of."""
    was = member.share
    invested = bool((book.units != 0.0).any())
    earned = book.equity / was.equity - 1.0 if was.equity > 0.0 else 0.0
    score, variance, count = was.score, was.variance, was.count
    if count >= FEWEST and variance > 0.0:
        score += min(max(earned / sqrt(variance), -CLIP), CLIP)
    if invested and isfinite(earned):
        count += 1
        variance += (earned * earned - variance) * max(NEWEST, 1.0 / count)
    resumed = was.halted and not halted
    peak = book.equity if resumed else max(was.peak, book.equity)
    share = replace(
        was,
        score=score,
        earned=earned,
        equity=book.equity,
        cash=book.cash,
        peak=peak,
        variance=variance,
        count=count,
    )
    fell = not halted and share.drawdown >= rule.max_drawdown
    share = replace(share, halted=halted or fell, fell=fell)
    return Member(share, book, member.wanted)


def asked(plan: Plan, members: Sequence[Member], wishes: Sequence[Array]) -> tuple[Member, ...]:
    """Return the members after each said what it wants, (N,) fractions of its own equity.

    A halted one goes on in its book: that is how it may earn its capital back.
    """
    answer = []
    for member, wish in zip(members, wishes, strict=True):
        wanted = capped(wish, plan.terms)
        book = ordering(member.book, wanted, plan.terms)
        answer.append(Member(member.share, book, wanted))
    return tuple(answer)


def together(members: Sequence[Member]) -> Array:
    """Return (N,) what the account should hold, fractions of equity; a halted member's is cash."""
    total = np.zeros(len(members[0].wanted))
    for member in members:
        if not member.share.halted:
            total = total + member.share.capital * member.wanted
    return total


def packed(members: Sequence[Member]) -> bytes:
    """Return the rows of `state.blended.Blended.memory`."""
    rows = [members[0].book.last]
    for member in members:
        rows += [member.book.units, member.book.ordered, member.wanted]
    return np.ascontiguousarray(rows, dtype="<f8").tobytes()


def unpacked(shares: Sequence[Share], memory: bytes, columns: Sequence[int]) -> tuple[Member, ...]:
    """Return the members of `packed`; raise ValueError where the bytes don't fit.

    columns  for each symbol of now its place among those of then, -1 for a new one. What is no
             longer among them was sold at its last price.
    """
    numbers = np.frombuffer(memory, dtype="<f8").astype(np.float64)
    table = numbers.reshape(3 * len(shares) + 1, -1)
    place = np.array(columns, dtype=np.int64)
    known = place >= 0
    gone = np.setdiff1d(np.arange(table.shape[1]), place)

    def here(row: Array) -> Array:
        answer = np.zeros(len(place))
        answer[known] = row[place[known]]
        return answer

    members = []
    for n, share in enumerate(shares):
        units, ordered, wanted = table[3 * n + 1 : 3 * n + 4]
        cash = share.cash
        if len(gone):
            cash += float((units[gone] * table[0][gone]).sum())
        kept = replace(share, cash=cash)
        book = Book(here(units), here(ordered), here(table[0]), cash, share.equity)
        members.append(Member(kept, book, here(wanted)))
    return tuple(members)
