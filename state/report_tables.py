"""A report's tables as people read them, whatever they are shown in."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from state.contributions import Contribution
from state.report import Report
from state.shortfall import Split

NOTHING: Final = "-"
LATELY: Final = 20  # sessions with orders whose shortfall is listed

Row = Sequence[str]


class Listing(msgspec.Struct, frozen=True):
    """A table: its columns' names, all empty where each row is a named figure, and its rows."""

    head: Row
    rows: tuple[Row, ...]


def result(told: Report) -> Listing:
    """Return what was earned."""
    m = told.metrics
    return figures(
        ("Equity at the start", money(m.start_equity)),
        ("Equity at the end", money(m.end_equity)),
        ("Put in, less taken out", money(m.flows)),
        ("Profit", money(m.profit)),
        ("of it dividends and adjustments", money(m.income)),
        ("Fees (already taken off)", money(m.fees)),
        ("Return, time-weighted", percent(m.total_return)),
        ("Return a year (CAGR)", percent(m.cagr)),
        ("Volatility a year", percent(m.volatility)),
        ("Sharpe", number(m.sharpe)),
        ("Sortino", number(m.sortino)),
        ("Calmar", number(m.calmar)),
    )


def risk(told: Report) -> Listing:
    """Return what was at stake."""
    m, taken = told.metrics, told.risk
    largest = NOTHING
    if taken.largest_position is not None:
        largest = f"{percent(taken.largest_weight)} {taken.largest_position}, {taken.largest_on}"
    return figures(
        ("Deepest drawdown", percent(m.max_drawdown)),
        ("Value at risk, 95 %, one session", percent(m.var_95)),
        ("Expected shortfall, 95 %", percent(m.cvar_95)),
        ("Best session", percent(m.best_session)),
        ("Worst session", percent(m.worst_session)),
        ("Largest position", largest),
        ("Most gross exposure", percent(taken.gross_max)),
        ("Most net exposure", percent(taken.net_max)),
    )


def baselines(told: Report) -> Listing:
    """Return the account beside what the plain strategies made of the same closes."""
    m = told.metrics
    rows = [("account", m.total_return, m.volatility, m.sharpe, m.max_drawdown)]
    rows += [
        (b.name, b.total_return, b.volatility, b.sharpe, b.max_drawdown) for b in told.baselines
    ]
    return Listing(
        ("", "return", "volatility", "Sharpe", "drawdown"),
        tuple((n, percent(r), percent(v), number(s), percent(d)) for n, r, v, s, d in rows)
        if told.baselines
        else (),
    )


def beliefs(told: Report) -> Listing:
    """Return what the mind believed, over the period; without rows where there was none."""
    mind = told.beliefs
    if mind is None:
        return Listing(("", ""), ())
    shares = ", ".join(f"{name} {percent(share)}" for name, share in mind.shares.items())
    last = mind.changes[-1]
    return figures(
        ("Closes thought about", str(mind.closes)),
        ("Models", ", ".join(model[:8] for model in mind.models)),
        ("Likeliest volatility", shares),
        ("Likeliest lately", f"{last.regime}, for {last.closes} closes"),
        ("Mean exposure preferred", number(mind.exposure)),
        ("Mean entropy, nats of 1.79", number(mind.entropy)),
        ("Mean surprise, nats a bar", number(mind.surprise)),
        ("Closes with a model that ceased to fit", str(mind.drifting)),
        ("Beliefs begun anew", str(mind.resets)),
    )


def execution(told: Report) -> Listing:
    """Return how orders fared."""
    m, orders = told.metrics, told.orders
    return figures(
        ("Orders submitted", str(orders.submitted)),
        *((f"orders {status.replace('_', ' ')}", str(n)) for status, n in orders.by_status.items()),
        *((f"denied: {code}", str(n)) for code, n in orders.denied.items()),
        *((f"refused: {code}", str(n)) for code, n in orders.refused.items()),
        ("Filled, by money", percent(orders.fill_ratio)),
        ("Slippage", basis_points(m.slippage_bps)),
        ("Implementation shortfall", basis_points(m.shortfall_bps)),
        ("Turnover", percent(m.turnover)),
        ("Turnover a year", percent(m.turnover_yearly)),
        ("Orders executed", str(m.trades)),
        ("of them reducing a position", str(m.closed_trades)),
        ("Win rate", percent(m.win_rate)),
        ("Profit factor", number(m.profit_factor)),
    )


def against(told: Report) -> Listing:
    """Return the comparison with the benchmark; no rows without one."""
    m, other = told.metrics, told.benchmark
    if other is None:
        return figures()
    return figures(
        (f"Return of {other.name}", percent(other.total_return)),
        ("its return a year", percent(other.cagr)),
        ("its volatility a year", percent(other.volatility)),
        ("its deepest drawdown", percent(other.max_drawdown)),
        ("Beta", number(m.beta)),
        ("Alpha a year", percent(m.alpha)),
        ("Correlation", number(m.correlation)),
        ("Tracking error a year", percent(m.tracking_error)),
        ("Information ratio", number(m.information_ratio)),
    )


def falls(told: Report) -> Listing:
    """Return the deepest falls from a peak."""
    return listing(
        ("Peak", "Trough", "Recovered", "Depth", "Sessions"),
        (
            (str(f.peak), str(f.trough), str(f.recovered or "not yet"), percent(f.depth),
             str(f.sessions))
            for f in told.underwater
        ),
    )  # fmt: skip


def symbols(told: Report) -> Listing:
    """Return what each symbol brought."""
    return listing(
        ("Symbol", "Quantity", "Value", "Weight", "Profit", "Fees", "Traded", "Executions"),
        (
            (s.symbol, f"{s.quantity:,f}", money(s.value), percent(s.weight), money(s.profit),
             money(s.fees), money(s.traded), str(s.executions))
            for s in told.by_symbol
        ),
    )  # fmt: skip


def strategies(told: Report) -> Listing:
    """Return what each strategy brought."""
    return contributed("Strategy", told.by_strategy)


def regimes(told: Report) -> Listing:
    """Return what the closes brought after each volatility was believed likeliest."""
    return contributed("Likeliest volatility", told.by_regime)


def contributed(what: str, contributions: Sequence[Contribution]) -> Listing:
    """Return contributions, a line each."""
    return listing(
        (what, "Sessions", "Profit", "A session"),
        (
            (one.name, str(one.sessions), money(one.profit), money(one.profit / one.sessions))
            for one in contributions
        ),
    )


def shortfall(told: Report) -> Listing:
    """Return what rebalances fell short of the kernel's, lately by session, and in all."""
    short = told.shortfall
    rows: list[tuple[str, int, Split]] = [
        (str(day.session), day.orders, day) for day in short.days[-LATELY:]
    ]
    rows += [("All of the period", short.orders, short.whole)] if short.orders else []
    return listing(
        ("Session", "Orders", "Delay", "Spread", "Cost", "Missed", "Fell short by"),
        (
            (name, str(orders), *map(money, (s.delay, s.spread, s.cost, s.missed, s.total)))
            for name, orders, s in rows
        ),
    )


def halts(told: Report) -> Listing:
    """Return the halts that were in force."""
    return listing(
        ("Scope", "From", "To", "Reason", "By"),
        (
            (h.scope, f"{h.at:%Y-%m-%d %H:%M}",
             f"{h.resumed_at:%Y-%m-%d %H:%M}" if h.resumed_at else "in force", h.reason, h.actor)
            for h in told.halts
        ),
    )  # fmt: skip


def flows(told: Report) -> Listing:
    """Return the cash that came and went."""
    return listing(
        ("At", "Kind", "Amount", "Reason"),
        ((f"{f.at:%Y-%m-%d %H:%M}", f.kind, money(f.amount), f.reason) for f in told.flows),
    )


def trades(told: Report) -> Listing:
    """Return the last orders that traded, the newest first."""
    return listing(
        ("First execution", "Order", "Symbol", "Side", "Quantity", "Price", "Notional", "Fees",
         "Cost, bps", "By"),
        (
            (f"{t.at:%Y-%m-%d %H:%M}" if t.at else NOTHING, t.order_id, t.symbol, t.side,
             f"{t.quantity:,f}", f"{t.price:,f}", money(t.notional), money(t.fees),
             NOTHING if t.slippage_bps is None else f"{t.slippage_bps:.1f}", t.source)
            for t in reversed(told.trades)
        ),
    )  # fmt: skip


def figures(*rows: tuple[str, str]) -> Listing:
    """Return named figures."""
    return listing(("", ""), rows)


def listing(head: Row, rows: Iterable[Row]) -> Listing:
    """Return a table."""
    return Listing(head, tuple(rows))


def money(value: Decimal | None) -> str:
    """Return an amount to the cent."""
    return NOTHING if value is None else f"{value:z,.2f}"


def percent(value: float | None, digits: int = 2) -> str:
    """Return a ratio in percent."""
    return NOTHING if value is None else f"{value:z.{digits}%}"


def number(value: float | None) -> str:
    """Return a figure with two decimals."""
    return NOTHING if value is None else f"{value:z.2f}"


def basis_points(value: float | None) -> str:
    """Return a cost in basis points."""
    return NOTHING if value is None else f"{value:z.1f} bps"
