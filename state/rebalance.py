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

from state.book import Book, book_of, cost, fraction
from state.cuts import Trade, affordable, per_order, within_day
from state.denial import Code, Denial
from state.goal import Goal, goals
from state.instrument import EXACT, ZERO, Symbol, amount, ratio
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
