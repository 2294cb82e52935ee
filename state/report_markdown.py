"""A report as Markdown, for people and for mail."""

from collections.abc import Sequence
from typing import Final

from state import report_tables as tables
from state.report import Report
from state.report_evolution import genes, promoted, runs, tests
from state.report_returns import lately, shape, spreads, years
from state.report_tables import NOTHING, Listing, percent

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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
        *section("Result", table(tables.result(told))),
        *section("Risk", table(tables.risk(told))),
        *section("Execution", table(tables.execution(told))),
        *section("Against the kernel, in money", table(tables.shortfall(told))),
        *section("Against the benchmark", table(tables.against(told))),
        *section("Against the baselines", table(tables.baselines(told))),
        *section("Months", table(months(told))),
        *section("Years", table(years(told))),
        *section("The last months and years, of several a year", table(lately(told))),
        *section("How returns were spread", table(spreads(told))),
        *section("Their shape", table(shape(told))),
        *section("Deepest falls", table(tables.falls(told))),
        *section("Symbols", table(tables.symbols(told))),
        *section("Strategies", table(tables.strategies(told))),
        *section("Regimes", table(tables.regimes(told))),
        *section("Beliefs", table(tables.beliefs(told))),
        *section("Evolution", table(runs(told))),
        *section("The newest verdict", table(tests(told))),
        *section("Genes that mattered", table(genes(told))),
        *section("Put in charge", table(promoted(told))),
        *section("Halts", table(tables.halts(told))),
        *section("Cash movements", table(tables.flows(told))),
    ]
    return "\n\n".join(parts) + "\n"


def section(title: str, lines: Sequence[str]) -> list[str]:
    """Return a titled part; one without lines is left out."""
    return [f"## {title}", "\n".join(lines)] if lines else []


def months(told: Report) -> Listing:
    """Return the monthly returns, a year to a line."""
    returns = dict(told.monthly)
    years = sorted({month[:4] for month in returns})
    return tables.listing(
        ("", *MONTHS),
        (
            (year, *(percent(returns.get(f"{year}-{m:02}"), 1) for m in range(1, 13)))
            for year in years
        ),
    )


def table(listing: Listing) -> list[str]:
    """Return a table's lines, the first column to the left; none without rows."""
    body = [f"| {' | '.join(map(cell, row))} |" for row in listing.rows]
    rule = "|".join(["---", *["---:"] * (len(listing.head) - 1)])
    return [f"| {' | '.join(listing.head)} |", f"|{rule}|", *body] if body else []


def cell(text: str) -> str:
    """Return text that can't break a table: people write reasons."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())
