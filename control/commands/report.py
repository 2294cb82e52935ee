"""`tm report`."""

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer

from control import output, protocol
from control.client import NoReply
from control.protocol import Exit, Fault, Reply
from control.render import Ink, facts, number, percent, rounded, text
from control.session import PATIENT, Session, session

if TYPE_CHECKING:
    from state.report import Report


def report(
    context: typer.Context,
    period: Annotated[
        Literal["1d", "1w", "mtd", "qtd", "ytd", "all"],
        typer.Option("--period", metavar="1d|1w|mtd|qtd|ytd|all", help="Up to the last session."),
    ] = "all",
    start: Annotated[str | None, typer.Option("--from", metavar="D", help="First day.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="D", help="Last day.")] = None,
    form: Annotated[
        Literal["json", "md", "html", "csv"] | None,
        typer.Option(
            "--format", metavar="json|md|html|csv", help="The whole report, to --output or here."
        ),
    ] = None,
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="NAME", help="One plot as PNG, to --output.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option("--journal", metavar="FILE", help="A file, with no daemon.")
    ] = None,
) -> None:
    """Show performance, risk and execution quality.

    The same journal and period give the same bytes. With --format and --output the file holds the
    report itself; without --format it holds the whole answer. An HTML report is one file that
    loads nothing. Plots: equity, drawdown, years, rolling-sharpe, rolling-volatility,
    rolling-beta, spread, exposure, weights, beliefs, symbols, shortfall, front, convergence,
    samples.

    Example: tm report --period ytd --format html --output report.html

    Exit codes: 0 made, 3 cannot reach the daemon, 5 no bar has closed yet, 7 no such period, 8 no
    such journal, 12 the journal is damaged.
    """
    now = session(context)
    asked = protocol.Report(period, start, end)
    reply = made(asked, Path(journal)) if journal else now.ask(asked, timeout=PATIENT)
    if not reply.ok or (form is None and plot is None):
        now.finish(reply, page)
    told(now, reply, drawn(reply.data, plot) if plot else formatted(reply.data, form or "json"))


def told(now: Session, reply: Reply, content: bytes) -> None:
    """Write a formatted report to its file, or to stdout, and end."""
    path = now.options.output
    if path is None:
        if now.options.json or now.options.xcom:
            now.finish(reply, page)
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        raise typer.Exit(reply.exit)
    try:
        output.write_file(path, content)
    except OSError as e:
        message = f"--output {path} was not written: {e.strerror}"
        raise NoReply(Exit.INVALID, "OUTPUT_FAILED", message, "name another file") from e
    now.finish(reply, page, kept=True)


def formatted(data: Mapping[str, Any], form: str) -> bytes:
    """Return a report as JSON, Markdown, HTML or CSV."""
    from state.report import to_json

    whole = reported(data)
    match form:
        case "html":
            from control.report_html import html

            return html(whole).encode()
        case "csv":
            from state.report_csv import to_csv

            return to_csv(whole).encode()
        case "md":
            from state.report_markdown import markdown

            return markdown(whole).encode()
        case _:
            return to_json(whole).rstrip() + b"\n"


def drawn(data: Mapping[str, Any], name: str) -> bytes:
    """Return one plot of a report as PNG."""
    from control.plots.drawing import png
    from control.plots.report_plots import PLOTS

    if name not in PLOTS:
        message = f"--plot {name!r} is not one of {', '.join(PLOTS)}"
        raise NoReply(Exit.USAGE, "USAGE", message, "name one of them")
    return png(PLOTS[name][1](reported(data)))


def reported(data: Mapping[str, Any]) -> "Report":
    """Return what a reply holds as the report it is."""
    from state.report import Report

    return msgspec.convert(data, Report, strict=False)


def made(asked: protocol.Report, path: Path) -> Reply:
    """Return the report from a journal's file, the same as a daemon on it would make."""
    from control.benchmark import NAME, benchmark
    from control.journal_file import reading
    from state.chain import load
    from state.history import records
    from state.period import Period, UnknownPeriod
    from state.report import report

    with reading(path) as db:
        now, head = load(db)
        try:
            period = Period.named(asked.period, asked.start, asked.end, now.session)
        except UnknownPeriod as e:
            fault = Fault("PERIOD", str(e), "see `tm report --help`")
            return Reply("report", False, "invalid", Exit.INVALID, error=fault)
        found = report(records(db), period, benchmark(), NAME)
    data = msgspec.to_builtins(found) | {"head": head.noted()}
    return Reply(
        "report", True, "completed", Exit.DONE, found.as_of, head.seq, data, warnings=found.warnings
    )


def page(reply: Reply, ink: Ink) -> str:
    """Return the figures that matter most."""
    data: Mapping[str, Any] = reply.data
    figures, span = data["metrics"], data["period"]
    return facts(
        [
            ("period", f"{text(span['from'])} to {text(span['to'])}, {span['sessions']} sessions"),
            ("account", f"{text(data.get('account'))}, {text(data.get('strategy'))}"),
            ("equity", grown(figures)),
            ("flows", rounded(figures["flows"])),
            ("return", percent(figures["total_return"])),
            ("CAGR", percent(figures["cagr"])),
            ("volatility", percent(figures["volatility"])),
            ("Sharpe", number(figures["sharpe"])),
            ("Sortino", number(figures["sortino"])),
            ("drawdown", percent(figures["max_drawdown"])),
            ("VaR 95", percent(figures["var_95"])),
            ("turnover", percent(figures["turnover"])),
            ("fees", rounded(figures["fees"])),
            ("trades", str(figures["trades"])),
            ("slippage", f"{number(figures['slippage_bps'])} bps"),
            ("beta", number(figures.get("beta"))),
            ("tracking", percent(figures.get("tracking_error"))),
        ]
    )


def grown(figures: Mapping[str, Any]) -> str:
    """Return what the equity went from and to; a book that began in the period, of what it had."""
    start, end = figures["start_equity"], figures["end_equity"]
    if Decimal(start):
        return f"{rounded(start)} to {rounded(end)}"
    return f"{rounded(end)}, of {rounded(figures['flows'])} put in"
