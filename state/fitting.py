"""Sharing a budget out over purchases, in whole lots."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from state.instrument import EXACT, ONE, ZERO, Instrument, Symbol


class Wish(msgspec.Struct, frozen=True):
    """A trade somebody wants: `size` in whole lots, never negative, at a price.

    `distance` is how far the holding is from its target, in money: not quite what the lots come to.
    """

    instrument: Instrument
    price: Decimal
    size: Decimal
    distance: Decimal

    def worth(self, size: Decimal) -> Decimal:
        """Return what `size` units cost, unrounded."""
        return EXACT.multiply(size, self.price)

    def affordable(self, money: Decimal) -> Decimal:
        """Return the whole lots that `money` pays for."""
        return self.instrument.whole_lots(EXACT.divide(money, self.price))


def fitted(
    wishes: Mapping[Symbol, Wish], budget: Decimal, least: Decimal, drift: Decimal
) -> dict[Symbol, Decimal]:
    """Return the sizes to trade, together worth at most `budget`, each worth at least `least`.

    All wishes are cut in the same proportion. What whole lots leave over goes round again, at last
    to one wish after the other, for as long as something is still worth trading: `drift` away
    or more, and `least` in size. So the same question after the answer was traded has no
    further answer, and a rebalance that ran out of money doesn't nibble.
    """
    got: dict[Symbol, Decimal] = {}
    while True:
        open_wishes = {
            symbol: (wish, left)
            for symbol, wish in wishes.items()
            if (left := wish.size - got.get(symbol, ZERO)) > 0
            and wish.worth(left) >= least
            and wish.distance - wish.worth(got.get(symbol, ZERO)) >= drift
        }
        total = sum((wish.worth(left) for wish, left in open_wishes.values()), ZERO)
        if total <= 0 or budget <= 0:
            return got
        part = min(ONE, EXACT.divide(budget, total))
        more: dict[Symbol, Decimal] = {}
        for symbol, (wish, left) in open_wishes.items():
            size = wish.instrument.whole_lots(EXACT.multiply(left, part))
            if size and wish.worth(size) >= least:
                more[symbol] = size
        if not more:
            more = in_turn(open_wishes, budget, least)
        if not more:
            return got
        for symbol, size in more.items():
            got[symbol] = got.get(symbol, ZERO) + size
            budget -= wishes[symbol].worth(size)


def in_turn(
    wishes: Mapping[Symbol, tuple[Wish, Decimal]], budget: Decimal, least: Decimal
) -> dict[Symbol, Decimal]:
    """Return what `budget` still serves when the wishes come one by one, the largest first."""
    got: dict[Symbol, Decimal] = {}
    largest_first = sorted(
        wishes.items(), key=lambda item: (-item[1][0].worth(item[1][1]), item[0])
    )
    for symbol, (wish, left) in largest_first:
        size = min(wish.affordable(budget), wish.instrument.whole_lots(left))
        if size and wish.worth(size) >= least:
            got[symbol] = size
            budget -= wish.worth(size)
    return got
