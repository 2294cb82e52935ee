"""A report's tables of its returns: by year, by horizon, and their shape."""

from state.report import Report
from state.report_tables import NOTHING, Listing, figures, listing, number, percent


def years(told: Report) -> Listing:
    """Return what each calendar year brought, and the benchmark; the first and last may be part."""
    theirs = dict(told.benchmark.years) if told.benchmark else {}
    name = told.benchmark.name if told.benchmark else NOTHING
    return listing(
        ("Year", "Account", name, "Beyond it"),
        (
            (year, percent(ours), percent(theirs.get(year)),
             percent(ours - theirs[year] if year in theirs else None))
            for year, ours in yearly(told).items()
        ),
    )  # fmt: skip


def lately(told: Report) -> Listing:
    """Return what the last months and years brought, and the benchmark."""
    name = told.benchmark.name if told.benchmark else NOTHING
    return listing(
        ("The last", "Since", "Account", name, "Beyond it"),
        (
            (t.of, str(t.since), percent(t.ours), percent(t.theirs),
             percent(None if t.theirs is None else t.ours - t.theirs))
            for t in told.trailing
        ),
    )  # fmt: skip


def yearly(told: Report) -> dict[str, float]:
    """Return the account's return by calendar year, its months linked."""
    factors: dict[str, float] = {}
    for month, gain in told.monthly:
        factors[month[:4]] = factors.get(month[:4], 1.0) * (1 + gain)
    return {year: factor - 1 for year, factor in factors.items()}


def spreads(told: Report) -> Listing:
    """Return how the returns of each horizon are spread."""
    return listing(
        ("Of a", "Count", "Worst", "5 %", "Median", "Mean", "95 %", "Best", "Above zero"),
        (
            (s.of, str(s.count), percent(s.worst), percent(s.low), percent(s.median),
             percent(s.mean), percent(s.high), percent(s.best), percent(s.won, 1))
            for s in told.distribution.spreads
        ),
    )  # fmt: skip


def shape(told: Report) -> Listing:
    """Return the shape of the sessions' returns; no rows without one."""
    d = told.distribution
    if not d.spreads:
        return figures()
    return figures(
        ("Sharpe above zero, probability", percent(d.probabilistic_sharpe)),
        ("Omega, won over lost", number(d.omega)),
        ("Ulcer index", percent(d.ulcer_index)),
        ("Skew", number(d.skew)),
        ("Kurtosis, beyond a normal one", number(d.kurtosis)),
        ("Tail ratio, 95 % over 5 %", number(d.tail_ratio)),
        ("Most sessions won in a row", str(d.won_in_a_row)),
        ("Most sessions lost in a row", str(d.lost_in_a_row)),
    )
