"""What a report plots: each takes the report and draws on one pair of axes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from math import nan
from statistics import fmean
from typing import TYPE_CHECKING, Final

from control.plots.drawing import INK, SERIES, Draw
from control.plots.evolution_plots import convergence, front, samples
from state.belief import VOLATILITIES
from state.report import Report
from state.report_returns import yearly
from state.series import deepest, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS: Final = 1500  # of a line; more than any screen has columns for it
TENFOLD: Final = 10
SHADED: Final = 5  # falls less than a fifth as deep as the deepest are not
EPOCH: Final = date(1970, 1, 1)
BINS: Final = 12  # of a distribution, to each side of zero
STACKED: Final = len(SERIES) - 1  # symbols with an area of their own; the rest are one


def equity(told: Report) -> Draw:
    """Draw what the account was worth, and the same money in the benchmark; falls are shaded.

    What grew tenfold is drawn on a logarithmic scale: equal distances are equal returns.
    """
    kept = thinned(told.equity, POINTS)
    worth = [float(value) for _, value in kept]
    other = told.benchmark
    same = other.worth if other is not None else ()
    known = [*worth, *(money for _, money in same)]
    last = kept[-1][0].date() if kept else None

    def draw(axes: "Axes") -> None:
        axes.xaxis_date()
        for fall in told.underwater:
            if SHADED * fall.depth < told.underwater[0].depth:
                continue  # beside the deepest it is none
            axes.axvspan(
                day(fall.peak), day(fall.recovered or last or fall.trough),
                color=SERIES[1], alpha=0.1, linewidth=0,
            )  # fmt: skip
        axes.plot(times(kept), worth, color=SERIES[0], label="account")
        if other is not None and same:
            axes.plot(times(same), [money for _, money in same], color=SERIES[6], label=other.name)
            axes.legend(loc="upper left")
        if known and 0 < TENFOLD * min(known) <= max(known):
            axes.set_yscale("log", subs=[2, 5])
            axes.yaxis.set_minor_formatter(grouped)
        axes.set_ylabel(told.base_currency or "")
        axes.yaxis.set_major_formatter(grouped)

    return draw


def drawdown(told: Report) -> Draw:
    """Draw how far below its peak the account was; of many sessions the deepest, none is lost."""
    kept = deepest(told.drawdown, POINTS)

    def draw(axes: "Axes") -> None:
        axes.xaxis_date()
        below = [-100 * fall for _, fall in kept]
        axes.fill_between(times(kept), below, color=SERIES[1], alpha=0.35, linewidth=0)
        axes.plot(times(kept), below, color=SERIES[1])
        axes.set_ylabel("% below its peak")

    return draw


def years(told: Report) -> Draw:
    """Draw what each calendar year brought, its months linked; the first and last may be parts."""
    gains = {year: 100 * gain for year, gain in yearly(told).items()}
    other = told.benchmark
    theirs = {year: 100 * gain for year, gain in other.years} if other is not None else {}
    beside = [(n, theirs[year]) for n, year in enumerate(gains) if year in theirs]
    wide = 0.4 if beside else 0.8
    aside = (0.8 - wide) / 2  # from the middle of its year

    def draw(axes: "Axes") -> None:
        colours = [SERIES[0] if gain >= 0 else SERIES[1] for gain in gains.values()]
        at = [n - aside for n in range(len(gains))]
        axes.bar(at, list(gains.values()), wide, color=colours, label="account")
        if other is not None and beside:
            at = [n + aside for n, _ in beside]
            marks = [gain for _, gain in beside]
            axes.bar(at, marks, wide, color=SERIES[6], label=other.name)
            axes.legend(handles=axes.containers, loc="lower right", ncols=2)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xticks(range(len(gains)), list(gains), rotation=60)
        axes.set_ylabel("% in the year")

    return draw


def spread(told: Report) -> Draw:
    """Draw how many months brought how much, and their mean."""
    gains = [100 * gain for _, gain in told.monthly]
    widest = max(map(abs, gains), default=0.0) or 1.0
    edges = [widest * (n / BINS) for n in range(-BINS, BINS + 1)]  # no bar is of losses and gains

    def draw(axes: "Axes") -> None:
        axes.set_xlabel("% in a month; dotted, the mean")
        axes.set_ylabel("months")
        if gains:
            axes.hist(gains, bins=edges, color=SERIES[0])
            axes.axvline(fmean(gains), color=INK, linewidth=0.8, linestyle=":")

    return draw


def rolling_sharpe(told: Report) -> Draw:
    """Draw the Sharpe ratio of the last half year."""
    return rolled([(r.at, r.sharpe) for r in told.rolling], "Sharpe ratio a year", 0.0)


def rolling_volatility(told: Report) -> Draw:
    """Draw the volatility of the last half year."""
    return rolled([(r.at, 100 * r.volatility) for r in told.rolling], "% a year", None)


def rolling_beta(told: Report) -> Draw:
    """Draw the beta of the last half year."""
    return rolled([(r.at, r.beta) for r in told.rolling], "of the benchmark's move", 1.0)


def rolled(points: Sequence[tuple[datetime, float | None]], what: str, line: float | None) -> Draw:
    """Draw a figure that went on; a gap where it is not known, and a line at what divides it."""

    def draw(axes: "Axes") -> None:
        axes.xaxis_date()
        at = days(moment for moment, _ in points)
        axes.plot(at, [nan if y is None else y for _, y in points], color=SERIES[0])
        if line is not None:
            axes.axhline(line, color=INK, linewidth=0.8, linestyle=":")
        axes.set_ylabel(what)

    return draw


def exposure(told: Report) -> Draw:
    """Draw gross and net exposure, with the limit on the gross one."""
    held = told.exposure

    def draw(axes: "Axes") -> None:
        axes.xaxis_date()
        at = days(held.at)
        axes.plot(at, [100 * x for x in held.gross], color=SERIES[0], label="gross")
        axes.plot(at, [100 * x for x in held.net], color=SERIES[1], label="net", ls="--")
        if told.risk.limits is not None:
            axes.axhline(100 * told.risk.limits.max_gross, color=INK, linewidth=0.8, linestyle=":")
        axes.set_ylabel("% of equity")
        axes.legend(loc="lower left", ncols=2)

    return draw


def weights(told: Report) -> Draw:
    """Draw the shares of the symbols that were largest on average; the rest together."""
    held = told.exposure
    largest = sorted(range(len(held.symbols)), key=lambda m: -sum(abs(w[m]) for w in held.weights))
    own, rest = sorted(largest[:STACKED]), largest[STACKED:]
    areas = [[100 * abs(row[m]) for row in held.weights] for m in own]
    labels = [held.symbols[m] for m in own]
    if rest:
        areas.append([100 * sum(abs(row[m]) for m in rest) for row in held.weights])
        labels.append(f"{len(rest)} others")

    colours = SERIES[: len(own)] + SERIES[-1:]

    def draw(axes: "Axes") -> None:
        axes.xaxis_date()
        if areas:
            axes.stackplot(days(held.at), areas, labels=labels, colors=colours)
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        axes.set_ylabel("% of equity")

    return draw


def symbols(told: Report) -> Draw:
    """Draw what each symbol made, best first."""
    made = sorted(
        ((row.symbol, float(row.profit)) for row in told.by_symbol if row.profit is not None),
        key=lambda pair: (-pair[1], pair[0]),
    )

    def draw(axes: "Axes") -> None:
        colours = [SERIES[0] if profit >= 0 else SERIES[1] for _, profit in made]
        axes.bar([name for name, _ in made], [profit for _, profit in made], color=colours)
        axes.tick_params(axis="x", rotation=60)
        axes.set_ylabel(told.base_currency or "")
        axes.yaxis.set_major_formatter(grouped)

    return draw


def shortfalls(told: Report) -> Draw:
    """Draw what each order cost against the price it was decided at."""
    cost = [(t.at, t.slippage_bps) for t in told.trades if t.at and t.slippage_bps is not None]

    def draw(axes: "Axes") -> None:
        axes.xaxis_date()
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.scatter(days(at for at, _ in cost), [bps for _, bps in cost], s=9, color=SERIES[0])
        axes.set_ylabel("bps, a cost when above 0")

    return draw


def beliefs(told: Report) -> Draw:
    """Draw which volatility was believed in, and the exposure it led to; nothing without a mind."""
    mind = told.beliefs

    def draw(axes: "Axes") -> None:
        axes.xaxis_date()
        axes.set_ylabel("probability, %")
        if mind is None:
            return
        at = days(mind.at)
        areas = [[100 * (row[n] or 0.0) for row in mind.series] for n in range(3)]
        colours = [SERIES[2], SERIES[4], SERIES[1]]
        axes.stackplot(at, areas, labels=VOLATILITIES, colors=colours, alpha=0.6)
        axes.plot(at, [100 * (row[4] or 0.0) for row in mind.series], color=INK, label="exposure")
        axes.set_ylim(0, 100)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    return draw


PLOTS: Final[Mapping[str, tuple[str, Callable[[Report], Draw]]]] = {
    "equity": (
        "Equity, and the same money in the benchmark; shaded, the deepest falls",
        equity,
    ),
    "drawdown": ("Drawdown", drawdown),
    "years": (
        "Return by calendar year, in grey the benchmark's; the first and the last may be parts",
        years,
    ),
    "rolling-sharpe": ("Sharpe ratio of the last 126 sessions", rolling_sharpe),
    "rolling-volatility": ("Volatility of the last 126 sessions", rolling_volatility),
    "rolling-beta": ("Beta to the benchmark over the last 126 sessions", rolling_beta),
    "spread": ("How the months were spread", spread),
    "exposure": ("Gross and net exposure; dotted, the limit on gross", exposure),
    "weights": ("Shares of equity, by symbol", weights),
    "beliefs": ("Volatility believed in, mean of all symbols, and the exposure preferred", beliefs),
    "symbols": ("Profit after fees, by symbol", symbols),
    "shortfall": ("Cost of each order against its decision", shortfalls),
    "front": ("The newest front of evolution; a diamond, the candidate", front),
    "convergence": ("The newest run, generation by generation", convergence),
    "samples": ("Candidates in and out of sample, the oldest run first", samples),
}


def times(series: Sequence[tuple[datetime, object]]) -> list[float]:
    """Return the moments of a series as an axis of dates counts them."""
    return days(at for at, _ in series)


def day(session: date) -> float:
    """Return a day as an axis of dates counts it."""
    return float((session - EPOCH).days)


def days(moments: Iterable[datetime]) -> list[float]:
    """Return moments in days since 1970, which is matplotlib's epoch."""
    return [at.timestamp() / 86_400 for at in moments]


def grouped(value: float, _: float) -> str:
    """Return an axis label with its thousands apart."""
    return f"{value:,.0f}"
