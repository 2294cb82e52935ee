"""A report as one HTML file: nothing is loaded from anywhere, and it prints and darkens well."""

from html import escape
from typing import Final

from control.plots.drawing import svg
from control.plots.report_plots import PLOTS
from control.report_style import STYLE
from state import report_tables as tables
from state.report import Report
from state.report_evolution import bred, genes, promoted, runs, tests
from state.report_markdown import MONTHS
from state.report_returns import lately, shape, spreads, years
from state.report_tables import NOTHING, Listing, money, number, percent

CARDS: Final = (
    ("Return", "total_return", percent),
    ("A year (CAGR)", "cagr", percent),
    ("Volatility", "volatility", percent),
    ("Sharpe", "sharpe", number),
    ("Sortino", "sortino", number),
    ("Deepest drawdown", "max_drawdown", percent),
    ("Fees", "fees", money),
)


def html(told: Report) -> str:
    """Return the report as HTML, the same text for the same report."""
    span = told.period
    whose = told.account or "No account"
    title = f"{whose}: {span.start} to {span.end}" if span.start else whose
    falls = table("Deepest falls", tables.falls(told))
    rolled = ("rolling-sharpe", "rolling-volatility", "rolling-beta")
    parts = [
        header(told, title),
        warnings(told),
        cards(told),
        section("Equity", plot(told, "equity"), plot(told, "drawdown"), falls),
        section(
            "Returns",
            months(told),
            plot(told, "years"),
            table("Return by calendar year", years(told)),
            table("The last months and years; of several, a year", lately(told)),
            table("Result", tables.result(told)),
        ),
        section(
            "Half a year at a time",
            *(plot(told, name) for name in rolled if told.rolling),
        ),
        section(
            "How returns were spread",
            plot(told, "spread"),
            table("Sessions, and sessions linked", spreads(told)),
            table("Shape of the sessions' returns", shape(told)),
        ),
        section("Exposure", plot(told, "exposure"), plot(told, "weights"), limits(told)),
        section("Risk", table("What was at stake", tables.risk(told))),
        section("Beliefs", *beliefs(told)),
        section("Symbols", plot(told, "symbols"), table("By symbol", tables.symbols(told))),
        section(
            "Strategies and regimes",
            table("Profit by the strategy whose targets were in force", tables.strategies(told)),
            table("Profit by what was believed at the close before", tables.regimes(told)),
        ),
        section(
            "Execution",
            table("How orders fared", tables.execution(told)),
            plot(told, "shortfall"),
            table("What rebalances fell short of the kernel by", tables.shortfall(told)),
            trades(told),
        ),
        section("Against the benchmark", table("Comparison", tables.against(told))),
        section(
            "Against the baselines",
            table("Plain strategies on the same closes, at the same costs", tables.baselines(told)),
        ),
        section("Evolution", *evolution(told)),
        section("Halts", table("Halts", tables.halts(told))),
        section("Cash movements", table("Cash that came and went", tables.flows(told))),
        footer(told),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body>\n</html>\n"
    )


def header(told: Report, title: str) -> str:
    """Return whose report it is."""
    about = (
        f"{told.period.sessions} sessions, {told.mode or NOTHING}, strategy "
        f"{told.strategy or NOTHING}, in {told.base_currency or NOTHING}"
    )
    return f"<header><h1>{escape(title)}</h1><p>{escape(about)}</p></header>"


def warnings(told: Report) -> str:
    """Return what a reader has to know first."""
    said = "".join(f"<li>{escape(warning)}</li>" for warning in told.warnings)
    return f'<aside aria-label="Warnings"><ul>{said}</ul></aside>' if said else ""


def cards(told: Report) -> str:
    """Return the figures that matter most."""
    rows = [(name, form(getattr(told.metrics, field))) for name, field, form in CARDS]
    rows.insert(0, ("Equity at the end", money(told.metrics.end_equity)))
    inner = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in rows)
    return f'<dl class="cards">{inner}</dl>'


def section(title: str, *parts: str) -> str:
    """Return a titled part; one without content is left out."""
    inner = "\n".join(filter(None, parts))
    return f"<section><h2>{escape(title)}</h2>\n{inner}</section>" if inner else ""


def beliefs(told: Report) -> tuple[str, ...]:
    """Return what the mind believed; nothing where there was none."""
    if told.beliefs is None:
        return ()
    return plot(told, "beliefs"), table("Over the period", tables.beliefs(told))


def evolution(told: Report) -> tuple[str, ...]:
    """Return what was bred, and what the gate said of it; nothing where there was no run."""
    if not bred(told):
        return ()
    return (
        plot(told, "front"),
        plot(told, "convergence") if told.convergence else "",
        plot(told, "samples"),
        table("Runs, their candidates' Sharpe ratios, and the gate", runs(told)),
        table("The newest verdict", tests(told)),
        table("Genes that mattered in the newest run", genes(told)),
        table("Put in charge", promoted(told)),
    )


def plot(told: Report, name: str) -> str:
    """Return one plot with its caption; nothing when there is no session to plot."""
    if not told.period.sessions:
        return ""
    label, drawing = PLOTS[name]
    drawn = svg(drawing(told), name, label)
    return f"<figure>{drawn}<figcaption>{escape(label)}</figcaption></figure>"


def months(told: Report) -> str:
    """Return the monthly returns, a year to a line, shaded by how large they are."""
    returns = dict(told.monthly)
    if not returns:
        return ""
    largest = max(map(abs, returns.values())) or 1.0
    body = []
    for year in sorted({month[:4] for month in returns}):
        factor, cells = 1.0, []
        for n in range(1, 13):
            value = returns.get(f"{year}-{n:02}")
            factor *= 1 + (value or 0.0)
            cells.append(shaded(value, largest))
        body.append(
            f'<tr><th scope="row">{year}</th>{"".join(cells)}'
            f"<td><b>{percent(factor - 1, 1)}</b></td></tr>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Year", *MONTHS, "All"))
    return (
        '<div class="wide"><table class="months"><caption>Return by month</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def shaded(value: float | None, largest: float) -> str:
    """Return a cell of the monthly table."""
    if value is None:
        return "<td></td>"
    depth = round(45 * abs(value) / largest)
    colour = "gain" if value >= 0 else "loss"
    return (
        f'<td style="background:color-mix(in srgb,var(--{colour}) {depth}%,transparent)">'
        f"{percent(value, 1)}</td>"
    )


def limits(told: Report) -> str:
    """Return the most that was at stake beside what the gate allows."""
    allowed, taken = told.risk.limits, told.risk
    if allowed is None:
        return ""
    rows = [
        ("Gross exposure", taken.gross_max, allowed.max_gross),
        ("Net exposure", abs(taken.net_max), allowed.max_net),
        ("Largest position", abs(taken.largest_weight), allowed.max_position_weight),
        ("Drawdown", told.metrics.max_drawdown or 0.0, allowed.max_drawdown),
        ("Loss in a session", max(0.0, -(told.metrics.worst_session or 0.0)), allowed.max_day_loss),
    ]
    body = "".join(
        f'<tr><th scope="row">{name}</th><td>{percent(most)}</td><td>{percent(limit)}'
        f'</td><td><meter min="0" max="1" high="0.9" value="{used(most, limit):.3f}" '
        f'aria-label="{name}, share of the limit used"></meter></td></tr>'
        for name, most, limit in rows
    )
    return (
        '<div class="wide"><table><caption>Risk against its limits</caption><thead><tr>'
        '<th scope="col">What</th><th scope="col">Most</th><th scope="col">Limit at the end</th>'
        f'<th scope="col">Used</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def used(most: float, limit: float) -> float:
    """Return which share of a limit was used, at most 1; a limit of 0 is used up by anything."""
    return min(1.0, most / limit) if limit else float(most > 0)


def trades(told: Report) -> str:
    """Return the last orders that traded, folded away."""
    caption = f"The last {len(told.trades)} of {told.metrics.trades} orders that traded"
    rows = table(caption, tables.trades(told))
    return f"<details><summary>{caption}</summary>{rows}</details>" if rows else ""


def table(caption: str, listing: Listing) -> str:
    """Return a table, or nothing without rows."""
    if not listing.rows:
        return ""
    heading = "".join(f'<th scope="col">{escape(name)}</th>' for name in listing.head)
    top = f"<thead><tr>{heading}</tr></thead>" if any(listing.head) else ""
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in listing.rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>{top}'
        f"<tbody>{body}</tbody></table></div>"
    )


def footer(told: Report) -> str:
    """Return from which record of the journal the report was made."""
    return (
        f"<footer>Made from journal record {told.journal.seq}, chain hash "
        f"<code>{escape(told.journal.hash) or NOTHING}</code>. The same journal and period "
        "give the same bytes. Past results, and those of a replay above all, promise nothing."
        "</footer>"
    )
