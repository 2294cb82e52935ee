"""What a period brought: performance, risk, execution. The same records give the same bytes."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from state import execution_quality as quality
from state import performance as stats
from state import series
from state.answers import plain
from state.attribution import SymbolResult, by_symbol
from state.benchmark import BenchmarkResult, alone
from state.chronicle import Chronicle, Flow, Halt, chronicle
from state.contributions import Contribution
from state.distribution import Distribution, distribution
from state.evolution_answers import verdicts
from state.instrument import Symbol
from state.metrics import Compared, Figures, Metrics, Returns, compared, metrics, returns_of
from state.performance import YEAR, Baseline, Underwater
from state.period import Period
from state.record import Recorded
from state.regimes import Beliefs, believed
from state.rolling import Rolled, rolling
from state.settings import Limits
from state.shortfall import Shortfall
from state.trades import Trade, trades
from state.trailing import Trailing, trailing

WORST: Final = 5  # falls from a peak that are listed
DIGITS: Final = 9  # of a drawdown in the series


class Span(msgspec.Struct, frozen=True):
    """The first and the last session of a report; None when there is none."""

    sessions: int
    start: date | None = msgspec.field(name="from", default=None)
    end: date | None = msgspec.field(name="to", default=None)


class OrderCounts(msgspec.Struct, frozen=True):
    """What became of the orders submitted in the period, and what was refused before.

    `fill_ratio` is by money; `delay_seconds` the mean from decision to first execution, on the
    market's clock; `denied` counts orders the gate stopped, `refused` commands, both by code.
    """

    submitted: int
    by_status: Mapping[str, int]
    fill_ratio: float | None
    delay_seconds: float | None
    denied: Mapping[str, int]
    refused: Mapping[str, int]


class RiskTaken(msgspec.Struct, frozen=True):
    """The most at stake at any close: signed fractions of equity, beside the limits at the end."""

    largest_position: Symbol | None
    largest_weight: float
    largest_on: date | None
    gross_max: float
    net_max: float
    limits: Limits | None


class Place(msgspec.Struct, frozen=True):
    """The last journal record that the report knows: its number and its chain hash."""

    seq: int
    hash: str


class Report(msgspec.Struct, frozen=True):
    """A period's report. Series are [time, value] at the last close of each session.

    The first `equity` is that of the last close before the period. `drawdown` is of the returns,
    so that cash which comes or goes does not show in it, and is a positive fraction. `trades` are
    the last 250 orders that traded. `convergence` has each generation of the newest run,
    and the best return for risk in it.
    """

    period: Span
    as_of: datetime | None
    journal: Place
    account: str | None
    base_currency: str | None
    mode: str | None
    strategy: str
    metrics: Metrics
    equity: tuple[tuple[datetime, Decimal], ...]
    drawdown: tuple[tuple[datetime, float], ...]
    monthly: tuple[tuple[str, float], ...]
    underwater: tuple[Underwater, ...]
    by_symbol: tuple[SymbolResult, ...]
    orders: OrderCounts
    evolution: Mapping[str, object]
    benchmark: BenchmarkResult | None
    risk: RiskTaken
    halts: tuple[Halt, ...]
    flows: tuple[Flow, ...]
    warnings: tuple[str, ...]
    exposure: series.Exposure = series.Exposure()
    trades: tuple[Trade, ...] = ()
    beliefs: Beliefs | None = None
    baselines: tuple[Baseline, ...] = ()
    shortfall: Shortfall = Shortfall()
    convergence: tuple[tuple[int, float], ...] = ()
    by_strategy: tuple[Contribution, ...] = ()
    by_regime: tuple[Contribution, ...] = ()
    distribution: Distribution = Distribution(None, None, None, 0, 0, ())
    rolling: tuple[Rolled, ...] = ()
    trailing: tuple[Trailing, ...] = ()


def report(
    records: Iterable[Recorded],
    period: Period,
    benchmark: Mapping[date, float] | None = None,
    benchmark_name: str = "index",
) -> Report:
    """Return the report over a period; `records` are all of the journal's, from its beginning.

    `benchmark` maps sessions to closes. Only closes are valued: what happened after the last one
    belongs to the next session, and a warning says so.
    """
    told, figures = chronicle(records, period), Figures()
    start, sessions = told.now.start, told.sessions
    returns = returns_of(told)
    beside = None if benchmark is None else compared(told, returns, benchmark)
    figured = metrics(told, returns, beside, figures)
    orders = counted(told, figures)
    against = None
    if beside is not None and benchmark is not None:
        against = alone(benchmark_name, benchmark, beside, told, figures)
    return Report(
        period=Span(len(sessions), sessions[0].session, sessions[-1].session)
        if sessions
        else Span(0),
        as_of=sessions[-1].at if sessions else None,
        journal=Place(told.last.seq, told.last.hash.hex()) if told.last else Place(0, ""),
        account=start.account if start else None,
        base_currency=start.base_currency if start else None,
        mode=start.mode if start else None,
        strategy=told.now.strategy or (start.strategy if start else ""),
        metrics=figured,
        equity=tuple((s.at, plain(s.equity)) for s in told.based),
        drawdown=fallen(told, returns),
        monthly=tuple(stats.monthly(returns.days).items()),
        underwater=worst_falls(told, returns),
        by_symbol=by_symbol(told),
        orders=orders,
        evolution=verdicts(told.now.evolution),
        benchmark=against,
        risk=risk_taken(told, start.limits if start else None),
        halts=tuple(told.halts),
        flows=tuple(replace(flow, amount=plain(flow.amount)) for flow in told.flows),
        warnings=(*notes(told, returns, beside), *figures.warnings()),
        exposure=series.exposure(sessions),
        trades=trades(told.placed.values()),
        beliefs=believed([(s.at, s.outlook) for s in sessions if s.outlook is not None]),
        shortfall=told.measured.told(told.now),
        convergence=converged(told),
        by_strategy=told.contributed.by_strategy(),
        by_regime=told.contributed.by_regime(),
        distribution=distribution(returns.days),
        rolling=rolling(returns.days, {s.session: s.at for s in told.sessions}, beside),
        trailing=trailing(returns.days, beside, told.base.session if told.base else None),
    )


def to_json(told: Report) -> bytes:
    """Return the report as one line of JSON, the same bytes for the same report."""
    return msgspec.json.encode(told, order="deterministic")


def fallen(told: Chronicle, returns: Returns) -> tuple[tuple[datetime, float], ...]:
    """Return the drawdown at each session's close."""
    at = {s.session: s.at for s in told.sessions}
    falls = stats.drawdowns(r for _, r in returns.days)
    return tuple(
        (at[session], round(fall, DIGITS))
        for (session, _), fall in zip(returns.days, falls, strict=True)
    )


def worst_falls(told: Chronicle, returns: Returns) -> tuple[Underwater, ...]:
    """Return the deepest falls from a peak, deepest first."""
    if not returns.days:
        return ()
    before = told.base.session if told.base else returns.days[0][0]
    falls = stats.underwater(returns.days, before)
    return tuple(sorted(falls, key=lambda fall: (-fall.depth, fall.peak))[:WORST])


def counted(told: Chronicle, figures: Figures) -> OrderCounts:
    """Return what became of the orders."""
    placed = tuple(told.placed.values())
    return OrderCounts(
        submitted=len(placed),
        by_status=quality.by_status(placed),
        fill_ratio=figures.figure("fill_ratio", lambda: quality.fill_ratio(placed)),
        delay_seconds=figures.figure("delay_seconds", lambda: quality.delay(placed)),
        denied=dict(sorted(told.denied.items())),
        refused=dict(sorted(told.refused.items())),
    )


def converged(told: Chronicle) -> tuple[tuple[int, float], ...]:
    """Return the best return for risk of each generation that the newest run bred for money."""
    newest = list(told.bred.values())[-1:]
    return tuple(
        (generation, round(best.get("return for risk", 0.0), 6))
        for generations in newest
        for generation, best in sorted(generations.items())
    )


def risk_taken(told: Chronicle, limits: Limits | None) -> RiskTaken:
    """Return the most that was at stake at any close."""
    sessions = told.sessions
    heaviest = max(sessions, key=lambda s: abs(s.weight), default=None)
    held = heaviest if heaviest is not None and heaviest.heaviest else None
    return RiskTaken(
        largest_position=held.heaviest if held else None,
        largest_weight=held.weight if held else 0.0,
        largest_on=held.session if held else None,
        gross_max=max((s.gross for s in sessions), default=0.0),
        net_max=max((s.net for s in sessions), key=abs, default=0.0),
        limits=limits,
    )


def notes(told: Chronicle, returns: Returns, beside: Compared | None) -> list[str]:
    """Return what a reader has to know before believing the figures."""
    said = []
    if not told.sessions:
        said.append("no session closed in this period")
    start = told.now.start
    if start is not None and start.mode == "replay":
        said.append(
            "survivorship: prices are replayed; the bundled ones are of companies that are large "
            "and listed today, which flatters every return here"
        )
    if 0 < len(returns.days) < YEAR:
        said.append(
            f"yearly figures are extrapolated from {len(returns.days)} sessions, "
            f"less than a year of {YEAR}"
        )
    if told.late:
        said.append(
            "executions and cash movements after the last close, in no figure yet: "
            f"{told.late}; `tm portfolio` shows them"
        )
    if unsettled := sum(placed.order.open for placed in told.placed.values()):
        said.append(f"orders of this period still open: {unsettled}")
    if beside is not None and beside.missing:
        said.append(f"sessions without a close of the benchmark: {beside.missing}")
    return said
