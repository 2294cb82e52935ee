"""What each strategy brought, and each regime: the profit between two closes, by what held before.

A session's profit is the change of equity, flows taken out. It counts for the strategy whose
targets were in force at the close before, and for the volatility that was believed likeliest there.
A blend's is split: each member has what its part of the targets that were last traded earned, and
what the account made otherwise, by costs, bands, drift and lots, is the rest. The sums are the
account's profit exactly.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from state.answers import plain
from state.blended import STRATEGY, Blended, parts
from state.event import BarsClosed
from state.instrument import ZERO, Symbol, amount
from state.outlook import Outlook
from state.outlook import outlook as seen
from state.snapshot import Snapshot

NOBODY = "none"


class Contribution(msgspec.Struct, frozen=True):
    """What the closes under one name brought; `sessions` counts them."""

    name: str
    sessions: int = 0
    profit: Decimal = ZERO


class Contributed:
    """Adds up profits, close by close; those before `begin` only leave what held."""

    def __init__(self) -> None:
        self._equity = self._flows = ZERO
        self._strategy = NOBODY
        self._before: BarsClosed | None = None
        self._outlook: Outlook | None = None
        self._newest: Blended | None = None
        self._trading: Blended | None = None  # what orders since the last close are by
        self._held: dict[str, dict[Symbol, float]] = {}
        self._strategies: dict[str, Contribution] = {}
        self._regimes: dict[str, Contribution] = {}

    def closed(
        self, now: Snapshot, event: BarsClosed, outlook: Outlook | None, *, counts: bool
    ) -> None:
        """Take a close that `now` is the account after; it `counts` when it is of the period."""
        if counts:
            profit = event.equity - self._equity - (now.ledger.flows - self._flows)
            for name, part in self._parts(now, profit):
                add(self._strategies, name, part)
            add(self._regimes, self._regime(), profit)
        self._equity, self._flows = event.equity, now.ledger.flows
        self._strategy = named(now)
        self._before, self._outlook = event, outlook
        if self._trading is not None:
            self._held, self._trading = parts(self._trading), None
        if event.targets is not None:
            self._newest = event.blend

    def by_strategy(self) -> tuple[Contribution, ...]:
        """Return what each strategy brought, by its name; a genome in charge is part of it."""
        return told(self._strategies)

    def by_regime(self) -> tuple[Contribution, ...]:
        """Return what each likeliest volatility brought, by its name."""
        return told(self._regimes)

    def ordered(self) -> None:
        """Take note that the newest targets are being traded: the next close is the first to."""
        self._trading = self._newest

    def _parts(self, now: Snapshot, profit: Decimal) -> Iterator[tuple[str, Decimal]]:
        """Yield what each member of a blend brought of a profit, or the strategy all of it."""
        if self._strategy != STRATEGY:
            yield self._strategy, profit
            return
        rest = profit
        moves = {
            symbol: float(mark.price / mark.before) - 1.0
            for symbol, mark in now.marks.items()
            if mark.bars == now.bars and mark.before
        }
        for name, weights in self._held.items():
            earned = sum(weight * moves.get(symbol, 0.0) for symbol, weight in weights.items())
            part = amount(self._equity, Decimal(repr(earned)))
            rest -= part
            yield f"{STRATEGY}: {name}", part
        yield f"{STRATEGY}: rest", rest

    def _regime(self) -> str:
        """Return what was believed at the close before."""
        if self._outlook is None and self._before is not None and self._before.belief is not None:
            self._outlook = seen(self._before.belief)
        return self._outlook.regime if self._outlook is not None else NOBODY


def named(now: Snapshot) -> str:
    """Return whose targets are in force after a close."""
    if now.targets is None:
        return NOBODY
    champion = now.evolution.champion if now.strategy != STRATEGY else None
    return f"{now.strategy} {champion.genome_id[:8]}" if champion else now.strategy or NOBODY


def add(sums: dict[str, Contribution], name: str, profit: Decimal) -> None:
    """Add a session's profit to a name's."""
    one = sums.get(name, Contribution(name))
    sums[name] = Contribution(name, one.sessions + 1, one.profit + profit)


def told(sums: dict[str, Contribution]) -> tuple[Contribution, ...]:
    """Return the sums in the order of their names."""
    every = sorted(sums.values(), key=lambda one: one.name)
    return tuple(msgspec.structs.replace(one, profit=plain(one.profit)) for one in every)
