"""Targets to orders, purely: what a rebalance would trade, and why not more.

A mapping of targets is complete: what is held and not named in it has the target 0. From targets to
trades, in this order:

1. Targets become exact decimals at 1e-9, are clipped to `max_position_weight` (to 0 where shorts
   are not allowed), and are scaled together to `max_gross`, `max_net` and, without margin, to what
   `cash_reserve` leaves (`state.goal`).
2. A symbol whose effective holding (held and on order) is less than `band` of equity away from its
   target is left alone, and so is a trade worth less than `min_trade`; a full exit is always made.
   While cash is overdrawn the band does not protect what is above its target.
3. Sizes are cut to whole lots, never past the target; to `max_order_notional` and
   `max_order_quantity` (the rest waits for the next rebalance); and all together to what is left of
   `max_day_turnover`. The first investment of an empty book is exempt from that once.
4. What closes comes first. What opens is then cut to the exposure, and without margin to the cash,
   that open orders, the reserve, the plan's own sells and estimated costs leave (`state.fitting`).

The gate judges every line again and has the last word.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from state.book import TEN_THOUSAND, Book, book_of, cost, fraction, with_trade
from state.denial import Code, Denial
from state.fitting import Wish, fitted
from state.goal import Goal, goals
from state.guards.budget import turnover_left
from state.instrument import EXACT, MICRO, ONE, ZERO, Symbol, amount, ratio
from state.plan import PlanLine
from state.settings import Execution, Limits
from state.snapshot import Snapshot


class Proposal(msgspec.Struct, frozen=True):
    """What a rebalance would do. `turnover` is a fraction of equity; money in base currency.

    `denied` are the symbols that could not be planned at all, and why; `unmet` those off their
    targets that limits, turnover or cash leave no room to trade at all. `exempt` says that the plan
    is the first investment of an empty book and needs its one exemption from `max_day_turnover`.
    """

    lines: tuple[PlanLine, ...] = ()
    denied: tuple[Denial, ...] = ()
    unmet: tuple[Symbol, ...] = ()
    equity: Decimal = ZERO
    turnover: float = 0.0
    cost: Decimal = ZERO
    exempt: bool = False


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


def lines(
    now: Snapshot,
    targets: Mapping[Symbol, float],
    execution: Execution,
    limits: Limits,
    only: Sequence[Symbol] = (),
) -> tuple[PlanLine, ...]:
    """Return the trades that bring the book to `targets`; see `propose`."""
    return propose(now, targets, execution, limits, only).lines


def propose(
    now: Snapshot,
    targets: Mapping[Symbol, float],
    execution: Execution,
    limits: Limits,
    only: Sequence[Symbol] = (),
) -> Proposal:
    """Return the trades that bring the book to `targets` (fractions of equity, negative short).

    Sells come first, then buys, each the largest first. `only` leaves all other symbols alone.
    Trades are planned at the last prices; a holding without one leaves nothing to plan with.
    """
    book = book_of(now)
    if refusal := unplannable(book):
        return Proposal(denied=(refusal,), equity=book.equity)
    aims, denied = goals(now, book, targets, execution, limits)
    if only:
        aims = {symbol: goal for symbol, goal in aims.items() if symbol in only}
        denied = tuple(denial for denial in denied if denial.subject in only)
    apart = drifted(book, aims, execution, limits)
    wanted = [per_order(trade, limits) for trade in apart]
    wanted, exempt = within_day(now, wanted, limits)
    wanted = [trade for trade in wanted if trade.quantity and worthwhile(trade, execution)]
    trades = affordable(book, wanted, execution, limits)
    ordered = sorted(trades, key=lambda trade: (trade.quantity > 0, -trade.worth, trade.symbol))
    planned = tuple(line(book, trade) for trade in ordered)
    made = {trade.symbol for trade in trades}
    return Proposal(
        lines=planned,
        denied=denied,
        unmet=tuple(trade.symbol for trade in apart if trade.symbol not in made),
        equity=book.equity,
        turnover=ratio(sum((each.notional for each in planned), ZERO), book.equity),
        cost=sum((each.cost for each in planned), ZERO),
        exempt=exempt and bool(planned),
    )


def unplannable(book: Book) -> Denial | None:
    """Return why nothing can be planned: equity is unknown, or gone."""
    if book.unpriced:
        names = ", ".join(sorted(book.unpriced))
        return Denial(
            Code.NO_PRICE,
            names,
            "none",
            "a price",
            f"equity is not known: no price of {names}, which is held or on order",
            "wait for its first price: see feed in `tm status`",
        )
    if book.least_equity <= 0:
        return Denial(
            Code.GROSS_EXPOSURE,
            "account",
            str(book.least_equity),
            "0",
            f"equity is {book.least_equity:,.2f}: there is nothing to invest",
            "deposit (`tm cash deposit`), or close what is held (`tm halt --flatten`)",
        )
    return None


def drifted(
    book: Book, aims: Mapping[Symbol, Goal], execution: Execution, limits: Limits
) -> list[Trade]:
    """Return the trades, in whole lots, of what is further from its goal than `band`.

    Goals are shares of the equity that is left when these very trades have been paid for.
    """
    band = EXACT.multiply(fraction(execution.band), book.equity)
    overdrawn = not limits.margin and book.cash < 0
    apart: list[tuple[Goal, Decimal, Decimal]] = []
    traded = ZERO
    for symbol, goal in aims.items():
        effective = book.stake(symbol).effective
        distance = EXACT.multiply(goal.weight, book.equity) - amount(effective, goal.price)
        exits = bool(effective) and not goal.weight
        if exits or abs(distance) >= band or (overdrawn and distance < 0):
            apart.append((goal, effective, abs(distance)))
            traded += abs(distance)
    equity = book.least_equity - cost(traded, book.cost_bps)
    trades = []
    for goal, effective, distance in apart:
        quantity = -effective
        if goal.weight:
            wanted = EXACT.divide(EXACT.multiply(goal.weight, equity), goal.price)
            quantity = goal.instrument.whole_lots(wanted - effective)
        trade = Trade(goal, effective, distance, quantity)
        if quantity and worthwhile(trade, execution):
            trades.append(trade)
    return trades


def worthwhile(trade: Trade, execution: Execution) -> bool:
    """Return whether a trade is large enough to be made."""
    return trade.exits or trade.worth >= execution.min_trade


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


def line(book: Book, trade: Trade) -> PlanLine:
    """Return a trade as people and programs read it."""
    goal, worth = trade.goal, trade.worth
    now = amount(trade.effective, goal.price)
    short_of = goal.weight - EXACT.divide(now, book.equity)
    why = "exit, the target is 0" if trade.exits else f"{short_of:+.4f} of equity from the target"
    return PlanLine(
        symbol=trade.symbol,
        current_weight=ratio(now, book.equity),
        target_weight=float(goal.weight),
        quantity=trade.quantity,
        price=goal.price,
        notional=worth,
        cost=cost(worth, book.cost_bps),
        reason="; ".join((why, *goal.notes, *trade.notes)),
    )
