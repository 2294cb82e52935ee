"""A report as Markdown, for people and for mail."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from state.report import Report

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NOTHING: Final = "-"


def markdown(told: Report) -> str:
    """Return the report as Markdown, the same text for the same report."""
    span = told.period
    when = f"{span.start} to {span.end}, {span.sessions} sessions" if span.start else "no session"
    parts = [
        f"# Report: {when}",
        f"Account {told.account or NOTHING}, {told.mode or NOTHING}, strategy "
        f"{told.strategy or NOTHING}, in {told.base_currency or NOTHING}. "
        f"Journal record {told.journal.seq} ({told.journal.hash[:16] or NOTHING}).",
        *section("Warnings", [f"- {warning}" for warning in told.warnings]),
        *section("Result", result(told)),
        *section("Risk", risk(told)),
        *section("Execution", execution(told)),
        *section("Against the benchmark", against(told)),
        *section("Months", months(told)),
        *section("Deepest falls", falls(told)),
        *section("Symbols", symbols(told)),
        *section("Halts", halts(told)),
        *section("Cash movements", flows(told)),
    ]
    return "\n\n".join(parts) + "\n"


def section(title: str, lines: Sequence[str]) -> list[str]:
    """Return a titled part; one without lines is left out."""
    return [f"## {title}", "\n".join(lines)] if lines else []


def result(told: Report) -> list[str]:
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


def risk(told: Report) -> list[str]:
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


def execution(told: Report) -> list[str]:
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


def against(told: Report) -> list[str]:
    """Return the comparison with the benchmark; nothing without one."""
    m, other = told.metrics, told.benchmark
    if other is None:
        return []
    return figures(
        (f"Return of {cell(other.name)}", percent(other.total_return)),
        ("its return a year", percent(other.cagr)),
        ("its volatility a year", percent(other.volatility)),
        ("its deepest drawdown", percent(other.max_drawdown)),
        ("Beta", number(m.beta)),
        ("Alpha a year", percent(m.alpha)),
        ("Correlation", number(m.correlation)),
        ("Tracking error a year", percent(m.tracking_error)),
        ("Information ratio", number(m.information_ratio)),
    )


def months(told: Report) -> list[str]:
    """Return the monthly returns, a year to a line."""
    returns = dict(told.monthly)
    years = sorted({month[:4] for month in returns})
    return table(
        ("", *MONTHS),
        (
            (year, *(percent(returns.get(f"{year}-{m:02}"), 1) for m in range(1, 13)))
            for year in years
        ),
    )


def falls(told: Report) -> list[str]:
    """Return the deepest falls from a peak."""
    return table(
        ("Peak", "Trough", "Recovered", "Depth", "Sessions"),
        (
            (str(f.peak), str(f.trough), str(f.recovered or "not yet"), percent(f.depth),
             str(f.sessions))
            for f in told.underwater
        ),
    )  # fmt: skip


def symbols(told: Report) -> list[str]:
    """Return what each symbol brought."""
    return table(
        ("Symbol", "Quantity", "Value", "Weight", "Profit", "Fees", "Traded", "Executions"),
        (
            (s.symbol, f"{s.quantity:,f}", money(s.value), percent(s.weight), money(s.profit),
             money(s.fees), money(s.traded), str(s.executions))
            for s in told.by_symbol
        ),
    )  # fmt: skip


def halts(told: Report) -> list[str]:
    """Return the halts that were in force."""
    return table(
        ("Scope", "From", "To", "Reason", "By"),
        (
            (h.scope, f"{h.at:%Y-%m-%d %H:%M}",
             f"{h.resumed_at:%Y-%m-%d %H:%M}" if h.resumed_at else "in force", h.reason, h.actor)
            for h in told.halts
        ),
    )  # fmt: skip


def flows(told: Report) -> list[str]:
    """Return the cash that came and went."""
    return table(
        ("At", "Kind", "Amount", "Reason"),
        ((f"{f.at:%Y-%m-%d %H:%M}", f.kind, money(f.amount), f.reason) for f in told.flows),
    )


def figures(*rows: tuple[str, str]) -> list[str]:
    """Return a table of named figures."""
    return table(("", ""), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table's lines, the first column to the left; none without rows."""
    body = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    rule = "|".join(["---", *["---:"] * (len(head) - 1)])
    return [f"| {' | '.join(head)} |", f"|{rule}|", *body] if body else []


def cell(text: str) -> str:
    """Return text that can't break a table: people write reasons."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


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
