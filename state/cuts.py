"""How far limits, the day's turnover and the cash cut the trades that a rebalance wants."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from state.book import TEN_THOUSAND, Book, cost, fraction, with_trade
from state.fitting import Wish, fitted
from state.goal import Goal
from state.guards.budget import turnover_left
from state.instrument import EXACT, MICRO, ONE, ZERO, Symbol, amount
from state.settings import Execution, Limits
from state.snapshot import Snapshot


class Trade(msgspec.Struct, frozen=True):
    """A trade towards a goal: signed `quantity`, from an `effective` holding.

    `distance` is how far that holding is from its goal, in money, never negative.
    """

    goal: Goal
    effective: Decimal
    distance: Decimal
    quantity: Decimal
    notes: tuple[str, ...] = ()

    @property
    def symbol(self) -> Symbol:
        """Return what is traded."""
        return self.goal.instrument.symbol

    @property
    def worth(self) -> Decimal:
        """Return the size in money, never negative."""
        return abs(amount(self.quantity, self.goal.price))

    @property
    def closing(self) -> Decimal:
        """Return the signed part that only brings the holding nearer zero."""
        if self.effective * self.quantity >= 0:
            return ZERO
        return min(abs(self.quantity), abs(self.effective)).copy_sign(self.quantity)

    @property
    def opening(self) -> Decimal:
        """Return the signed part that adds to the holding, or begins one."""
        return self.quantity - self.closing

    @property
    def exits(self) -> bool:
        """Return whether it leaves nothing."""
        return not self.effective + self.quantity

    def wish(self, *, opening: bool) -> Wish:
        """Return one part of this trade as a wish, whichever way."""
        size, distance = abs(self.closing), self.distance
        if opening:
            distance -= abs(amount(self.closing, self.goal.price))
            size = abs(self.opening)
        return Wish(self.goal.instrument, self.goal.price, size, distance)

    def sized(self, quantity: Decimal, note: str) -> "Trade":
        """Return the trade with another quantity, and the reason if it is one."""
        if quantity == self.quantity:
            return self
        return replace(self, quantity=quantity, notes=(*self.notes, note))


def per_order(trade: Trade, limits: Limits) -> Trade:
    """Return the trade cut to what one order may be; the rest waits for the next rebalance."""
    size, lots = abs(trade.quantity), trade.goal.instrument.whole_lots
    for most, value, setting in (
        (limits.max_order_notional, trade.worth, "risk.max_order_notional"),
        (limits.max_order_quantity, size, "risk.max_order_quantity"),
    ):
        if value > most:
            part = EXACT.divide(most, value)
            cut = lots(EXACT.multiply(size, part)).copy_sign(trade.quantity)
            return per_order(trade.sized(cut, f"cut to {setting}, the rest later"), limits)
    return trade


def within_day(now: Snapshot, trades: Sequence[Trade], limits: Limits) -> tuple[list[Trade], bool]:
    """Return the trades cut in proportion to what is left of the day's turnover.

    Also whether they are the first investment, and need its exemption.
    """
    day = now.day
    if day is None:
        return list(trades), False
    first = not now.invested
    total = sum((trade.worth for trade in trades), ZERO)
    left = turnover_left(day, limits, exempt=first or day.exempt)
    exempt = first and total > turnover_left(day, limits, exempt=False)
    if total <= left:
        return list(trades), exempt
    part = max(EXACT.divide(left, total), ZERO)
    note = f"cut to {part:.4f} of itself by risk.max_day_turnover"
    return [
        trade.sized(trade.goal.instrument.whole_lots(EXACT.multiply(trade.quantity, part)), note)
        for trade in trades
    ], exempt


def affordable(
    book: Book, trades: Sequence[Trade], execution: Execution, limits: Limits
) -> list[Trade]:
    """Return the trades cut to what the exposure limits and the cash allow.

    What closes goes first, sells before buys, so that what opens finds the room they make.
    """
    made = {trade.symbol: ZERO for trade in trades}
    notes: dict[Symbol, str] = {}
    for opening, sign in ((False, -1), (False, 1), (True, -1), (True, 1)):
        wishes = {
            trade.symbol: trade.wish(opening=opening)
            for trade in trades
            if (trade.opening if opening else trade.closing) * sign > 0
            and (not opening or made[trade.symbol] == trade.closing)
        }
        sizes = {symbol: wish.size for symbol, wish in wishes.items()}
        if opening:
            wishes = within_weight(book, wishes, sign, limits)
        budget, setting = room(book, len(wishes), sign, execution, limits, opening=opening)
        if budget is None:
            got = {symbol: wish.size for symbol, wish in wishes.items()}
        else:
            least = execution.min_trade if opening else ZERO
            drift = EXACT.multiply(fraction(execution.band), book.equity) if opening else ZERO
            got = fitted(wishes, budget, least, drift)
        for symbol, wanted in sizes.items():
            size = got.get(symbol, ZERO)
            if size < wanted:
                notes[symbol] = f"cut to {setting}"
            made[symbol] += size * sign
            book = with_trade(book, symbol, size * sign)
    return [
        trade.sized(made[trade.symbol], notes.get(trade.symbol, ""))
        for trade in trades
        if made[trade.symbol]
    ]


def within_weight(
    book: Book, wishes: Mapping[Symbol, Wish], sign: int, limits: Limits
) -> dict[Symbol, Wish]:
    """Return the wishes to open cut so that no holding, if all fills, outgrows its weight."""
    spent = cost(sum((wish.worth(wish.size) for wish in wishes.values()), ZERO), book.cost_bps)
    most = EXACT.multiply(fraction(limits.max_position_weight), book.least_equity - spent)
    cut = {}
    for symbol, wish in wishes.items():
        stake = book.stake(symbol)
        there = stake.held + stake.buying if sign > 0 else stake.selling - stake.held
        space = wish.instrument.whole_lots(EXACT.divide(most, wish.price) - there)
        cut[symbol] = replace(wish, size=min(wish.size, max(space, ZERO)))
    return cut


def room(
    book: Book, count: int, sign: int, execution: Execution, limits: Limits, *, opening: bool
) -> tuple[Decimal | None, str]:
    """Return for how much money may be traded, and which setting says so; None for no bound.

    Where there are costs, a micro per order is left for their rounding.
    """
    rate = EXACT.divide(fraction(book.cost_bps), TEN_THOUSAND)
    rounding = count * MICRO if rate else ZERO
    bounds: list[tuple[Decimal, str]] = []
    if opening:
        net = book.high if sign > 0 else -book.low
        for limit, there, setting in (
            (limits.max_gross, book.gross, "risk.max_gross"),
            (limits.max_net, net, "risk.max_net"),
        ):
            most = fraction(limit)
            space = EXACT.multiply(most, book.least_equity - rounding) - there
            bounds.append((EXACT.divide(space, ONE + EXACT.multiply(most, rate)), setting))
    if sign > 0 and not limits.margin:
        kept = fraction(execution.cash_reserve) * book.equity if opening else ZERO
        bounds.append((EXACT.divide(book.cash - rounding - kept, ONE + rate), "the cash there is"))
    return min(bounds, default=(None, ""))
