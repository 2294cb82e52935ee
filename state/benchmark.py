"""The benchmark beside a report: its own figures, and what the account's money would be there."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from state import performance as stats
from state import series
from state.chronicle import Chronicle
from state.metrics import Compared, Figures


class BenchmarkResult(msgspec.Struct, frozen=True):
    """The benchmark's own figures, over the `returns` that the account's were compared with.

    `series` is its level at some of the closes, 1 at the first; `worth` what the account's money
    would be worth in it, cash that came and went included. `years` are its returns by year.
    """

    name: str
    returns: int
    total_return: float | None
    cagr: float | None
    volatility: float | None
    max_drawdown: float | None
    series: tuple[tuple[datetime, float], ...] = ()
    worth: tuple[tuple[datetime, float], ...] = ()
    years: tuple[tuple[str, float], ...] = ()


def alone(
    name: str,
    benchmark: Mapping[date, float],
    beside: Compared,
    told: Chronicle,
    figures: Figures,
) -> BenchmarkResult:
    """Return the benchmark's own figures, over the returns that the account's are compared with."""

    def figure(what: str, work: Callable[[Sequence[float]], float]) -> float | None:
        return figures.figure(f"benchmark.{what}", lambda: work(beside.theirs))

    return BenchmarkResult(
        name=name,
        returns=len(beside.theirs),
        total_return=figure("total_return", stats.total_return),
        cagr=figure("cagr", stats.cagr),
        volatility=figure("volatility", stats.volatility),
        max_drawdown=figure("max_drawdown", stats.max_drawdown),
        series=series.beside(told.based, benchmark),
        worth=series.put_in(told.based, benchmark),
        years=stats.yearly(zip(beside.days, beside.theirs, strict=True)),
    )
