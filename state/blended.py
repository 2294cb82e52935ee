"""The strategy `blend` after a close: its members' capital, their books, and who is halted."""

from collections.abc import Container
from datetime import datetime
from struct import unpack_from

import msgspec

from state.instrument import Symbol

STRATEGY = "blend"
SCOPE = "strategy:"  # of a member's halt
DIGITS = 9  # of a weight


class Share(msgspec.Struct, frozen=True):
    """One member of a blend. Its book is of nobody's money and began with an equity of 1.

    `capital` is the fraction of equity that follows it; while it is `halted` that is in cash.
    `earned` is its book's return over the last bar, `score` the sum of such returns, each in
    standard deviations; `count` and `variance` are of them. `fell` says that its drawdown has just
    reached what halts it.
    """

    name: str
    capital: float
    score: float = 0.0
    earned: float = 0.0
    equity: float = 1.0
    cash: float = 1.0
    peak: float = 1.0
    variance: float = 0.0
    count: int = 0
    halted: bool = False
    fell: bool = False

    @property
    def drawdown(self) -> float:
        """Return how far its book is below its best, a fraction; 1 of a book that has nothing."""
        return 1.0 - self.equity / self.peak if self.equity > 0.0 < self.peak else 1.0


class Blended(msgspec.Struct, frozen=True):
    """A blend after the close `at`: all it goes on from. `digest` is of how it is configured.

    `memory` are rows of 64-bit floats, little-endian, a number for each symbol: the last prices,
    then for each member the units held, those ordered, and the weights wanted.
    """

    digest: str
    at: datetime
    symbols: tuple[Symbol, ...]
    shares: tuple[Share, ...]
    memory: bytes


class MemberAnswer(msgspec.Struct, frozen=True):
    """A member of a blend: its fraction of equity, and its own book, which began with 1.

    `score` is the sum of its book's returns in standard deviations: the evidence that moves
    capital. While it is `halted` its capital is in cash.
    """

    name: str
    capital: float
    score: float
    equity: float
    drawdown: float
    halted: bool


def parts(blend: Blended) -> dict[str, dict[Symbol, float]]:
    """Return what each member wants of each symbol, fractions of the account's equity."""
    count, answer = len(blend.symbols), {}
    for n, share in enumerate(blend.shares):
        wanted = unpack_from(f"<{count}d", blend.memory, 8 * count * (3 * n + 3))
        capital = 0.0 if share.halted else share.capital
        weights = (round(capital * weight, DIGITS) for weight in wanted)
        answer[share.name] = dict(zip(blend.symbols, weights, strict=True))
    return answer


def scope_of(member: str) -> str:
    """Return the scope of a member's halt."""
    return f"{SCOPE}{member}"


def halted_in(blend: Blended | None) -> tuple[str, ...]:
    """Return the members whose capital is in cash after a close."""
    return tuple(one.name for one in blend.shares if one.halted) if blend else ()


def members(blend: Blended | None, halts: Container[str]) -> tuple[MemberAnswer, ...]:
    """Return the members of a blend as people read them; `halts` are the scopes in force."""
    return tuple(
        MemberAnswer(
            one.name,
            round(one.capital, DIGITS),
            round(one.score, DIGITS),
            round(one.equity, DIGITS),
            round(one.drawdown, DIGITS),
            scope_of(one.name) in halts,
        )
        for one in (blend.shares if blend else ())
    )
