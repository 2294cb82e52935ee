"""A report's figures, and why some of them are not to be had."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

import msgspec

from state import execution_quality as quality
from state import performance as stats
from state.answers import plain
from state.chronicle import Chronicle
from state.instrument import ZERO
from state.performance import YEAR, Undefined


class Metrics(msgspec.Struct, frozen=True):
    """The figures of a period. None is a figure that it does not have; a warning says why.

    Returns are time-weighted, net of flows and after fees, and yearly where that is usual. Losses
    (`max_drawdown`, `var_95`, `cvar_95`) are positive numbers. `turnover` is the sum of traded
    notional over equity. `trades` are orders that were executed, `closed_trades` those that reduced
    a position, which is what `win_rate` and `profit_factor` are about. `slippage_bps` is a cost.
    """

    start_equity: Decimal
    end_equity: Decimal
    profit: Decimal
    flows: Decimal
    income: Decimal
    fees: Decimal
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float | None
    var_95: float | None
    cvar_95: float | None
    best_session: float | None
    worst_session: float | None
    turnover: float | None
    turnover_yearly: float | None
    trades: int
    closed_trades: int
    win_rate: float | None
    profit_factor: float | None
    slippage_bps: float | None
    shortfall_bps: float | None
    alpha: float | None
    beta: float | None
    correlation: float | None
    tracking_error: float | None
    information_ratio: float | None


class Returns(msgspec.Struct, frozen=True):
    """The return of each session; `undefined` says why there is none of the whole."""

    days: tuple[tuple[date, float], ...]
    undefined: str = ""

    @property
    def series(self) -> list[float]:
        """Return the returns in order; raise Undefined when one of them is not to be had."""
        if self.undefined:
            raise Undefined(self.undefined)
        return [r for _, r in self.days]


class Compared(msgspec.Struct, frozen=True):
    """Returns of the account and the benchmark between the sessions that both have.

    `days` are the sessions that each return ends with.
    """

    days: tuple[date, ...]
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    missing: int  # sessions without a close of the benchmark


class Figures:
    """Works figures out, and keeps why some can't be."""

    def __init__(self) -> None:
        self._undefined: dict[str, list[str]] = {}

    def figure(self, name: str, work: Callable[[], float]) -> float | None:
        """Return what `work` gives, or None with the reason kept under `name`."""
        try:
            return work()
        except Undefined as why:
            self._undefined.setdefault(str(why), []).append(name)
            return None

    def warnings(self) -> list[str]:
        """Return one warning per reason."""
        return [f"undefined: {', '.join(names)}: {why}" for why, names in self._undefined.items()]


def returns_of(told: Chronicle) -> Returns:
    """Return each session's return, from the first that had money."""
    for session in told.sessions:
        if session.undefined:
            return Returns((), f"on {session.session} {session.undefined}")
    return Returns(tuple((s.session, s.growth - 1) for s in told.sessions if s.growth is not None))


def compared(told: Chronicle, returns: Returns, benchmark: Mapping[date, float]) -> Compared:
    """Return the account's returns beside the benchmark's; a gap in either joins its sessions."""
    worth = 1.0
    points = [(told.base.session, worth)] if told.base else []
    for session, r in returns.days:
        worth *= 1 + r
        points.append((session, worth))
    both = [(d, w, benchmark[d]) for d, w in points if benchmark.get(d, 0.0) > 0 and w > 0]
    pairs = list(pairwise(both))
    return Compared(
        tuple(after[0] for _, after in pairs),
        tuple(after[1] / before[1] - 1 for before, after in pairs),
        tuple(after[2] / before[2] - 1 for before, after in pairs),
        len(points) - len(both),
    )


def metrics(
    told: Chronicle, returns: Returns, beside: Compared | None, figures: Figures
) -> Metrics:
    """Return the figures of what happened; `beside` is None without a benchmark."""
    figure = figures.figure
    before, after = told.opening.ledger, told.closing.ledger
    start = told.base.equity if told.base else ZERO
    end = told.sessions[-1].equity if told.sessions else start
    flows = after.flows - before.flows
    placed = tuple(told.placed.values())
    profits = tuple(told.profits.values())

    def of(work: Callable[[Sequence[float]], float]) -> Callable[[], float]:
        return lambda: work(returns.series)

    def versus(work: Callable[[Sequence[float], Sequence[float]], float]) -> Callable[[], float]:
        return lambda: work(*pair(returns, beside))

    return Metrics(
        start_equity=plain(start),
        end_equity=plain(end),
        profit=plain(end - start - flows),
        flows=plain(flows),
        income=plain(after.income - before.income),
        fees=plain(after.fees - before.fees),
        total_return=figure("total_return", of(stats.total_return)),
        cagr=figure("cagr", of(stats.cagr)),
        volatility=figure("volatility", of(stats.volatility)),
        sharpe=figure("sharpe", of(stats.sharpe)),
        sortino=figure("sortino", of(stats.sortino)),
        calmar=figure("calmar", of(stats.calmar)),
        max_drawdown=figure("max_drawdown", of(stats.max_drawdown)),
        var_95=figure("var_95", of(stats.value_at_risk)),
        cvar_95=figure("cvar_95", of(stats.expected_shortfall)),
        best_session=figure("best_session", of(stats.best)),
        worst_session=figure("worst_session", of(stats.worst)),
        turnover=figure("turnover", lambda: turnover(told)),
        turnover_yearly=figure(
            "turnover_yearly", lambda: turnover(told) * YEAR / len(told.sessions)
        ),
        trades=len(told.orders_executed),
        closed_trades=len(profits),
        win_rate=figure("win_rate", lambda: stats.win_rate(profits)),
        profit_factor=figure("profit_factor", lambda: stats.profit_factor(profits)),
        slippage_bps=figure("slippage_bps", lambda: quality.slippage_bps(placed)),
        shortfall_bps=figure("shortfall_bps", lambda: quality.shortfall_bps(placed)),
        alpha=figure("alpha", versus(stats.alpha)),
        beta=figure("beta", versus(stats.beta)),
        correlation=figure("correlation", versus(stats.alike)),
        tracking_error=figure("tracking_error", versus(stats.tracking_error)),
        information_ratio=figure("information_ratio", versus(stats.information_ratio)),
    )


def pair(returns: Returns, beside: Compared | None) -> tuple[Sequence[float], Sequence[float]]:
    """Return both series of returns, or raise Undefined."""
    if returns.undefined:
        raise Undefined(returns.undefined)
    if beside is None:
        raise Undefined("there is no benchmark to compare with")
    return beside.ours, beside.theirs


def turnover(told: Chronicle) -> float:
    """Return the sum of traded notional over the equity it was traded at."""
    if not told.sessions:
        raise Undefined("there is no session")
    total = 0.0
    for session in told.sessions:
        if session.traded is None:
            raise Undefined(f"on {session.session} there were executions and no equity")
        total += session.traded
    return total
