"""Statistics of returns: beside another library, and beside tables worked by hand."""

from datetime import date
from decimal import Decimal as D

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import performance
from state.performance import Undefined, Underwater, Valuation


def random_returns(seed, sessions=700):
    """Return returns with fat tails and a drift, as a market's are."""
    return (np.random.default_rng(seed).standard_t(4, sessions) * 0.01 + 0.0004).tolist()


def series(returns):
    return pd.Series(returns, index=pd.bdate_range("2015-01-02", periods=len(returns)))


ALONE = [
    pytest.param(performance.total_return, empyrical.cum_returns_final, id="total return"),
    pytest.param(performance.cagr, empyrical.annual_return, id="cagr"),
    pytest.param(performance.volatility, empyrical.annual_volatility, id="volatility"),
    pytest.param(performance.sharpe, empyrical.sharpe_ratio, id="sharpe"),
    pytest.param(performance.sortino, empyrical.sortino_ratio, id="sortino"),
    pytest.param(performance.calmar, empyrical.calmar_ratio, id="calmar"),
    pytest.param(performance.max_drawdown, lambda r: -empyrical.max_drawdown(r), id="max drawdown"),
    pytest.param(
        performance.value_at_risk, lambda r: -empyrical.value_at_risk(r), id="value at risk"
    ),
    pytest.param(
        performance.expected_shortfall,
        lambda r: -empyrical.conditional_value_at_risk(r),
        id="expected shortfall",
    ),
    pytest.param(performance.best, max, id="best"),
    pytest.param(performance.worst, min, id="worst"),
]
BESIDE = [
    pytest.param(performance.beta, empyrical.beta, id="beta"),
    pytest.param(performance.alpha, empyrical.alpha, id="alpha"),
    pytest.param(performance.alike, lambda r, b: np.corrcoef(r, b)[0, 1], id="correlation"),
    pytest.param(
        performance.tracking_error,
        lambda r, b: empyrical.annual_volatility(r - b),
        id="tracking error",
    ),
    pytest.param(
        performance.information_ratio,
        lambda r, b: empyrical.excess_sharpe(r, b) * np.sqrt(252),
        id="information ratio",
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), ALONE)
@pytest.mark.parametrize("sessions", [20, 21, 252, 1000])
def test_a_figure_is_what_another_library_says(ours, theirs, sessions):
    for seed in range(5):
        returns = random_returns(seed, sessions)
        assert ours(returns) == pytest.approx(theirs(series(returns)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), BESIDE)
def test_a_comparison_is_what_another_library_says(ours, theirs):
    for seed in range(5):
        benchmark = random_returns(seed)
        noise = random_returns(seed + 100)
        returns = [0.8 * b + 0.5 * n for b, n in zip(benchmark, noise, strict=True)]
        expected = theirs(series(returns), series(benchmark))
        assert ours(returns, benchmark) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.lists(st.floats(-0.2, 0.2).map(lambda r: round(r, 4)), min_size=20, max_size=60))
def test_on_any_returns_the_losses_agree_with_another_library(returns):
    assert performance.max_drawdown(returns) == pytest.approx(
        -empyrical.max_drawdown(series(returns)), abs=1e-12
    )
    assert performance.value_at_risk(returns) == pytest.approx(
        -empyrical.value_at_risk(series(returns)), abs=1e-12
    )
    assert performance.expected_shortfall(returns) == pytest.approx(
        -empyrical.conditional_value_at_risk(series(returns)), abs=1e-12
    )


def test_months_are_what_another_library_says():
    returns = series(random_returns(1))
    theirs = empyrical.aggregate_returns(returns, "monthly")
    days = [(day.date(), r) for day, r in returns.items()]

    assert performance.monthly(days) == pytest.approx(
        {f"{year}-{month:02}": r for (year, month), r in theirs.items()}
    )


def valuations(*pairs):
    return [Valuation(D(value), D(flow)) for value, flow in pairs]


@pytest.mark.parametrize(
    ("points", "factor"),
    [
        pytest.param([(100, 0), (110, 0)], 1.1, id="no flow: end over beginning"),
        pytest.param(  # naively (220 / 100 - 1 = 120 %) the deposit would be profit
            [(100, 0), (110, 100), (231, 0)], 1.1 * 1.1, id="a deposit is not profit"
        ),
        pytest.param(  # naively (40 / 100 - 1 = -60 %) the withdrawal would be a loss
            [(100, 0), (80, -40), (40, 0)], 0.8, id="a withdrawal is not a loss"
        ),
        pytest.param(  # the money came before the fall, and that is not the manager's doing
            [(100, 0), (150, 1000), (575, 0)], 1.5 * 0.5, id="when it came does not count"
        ),
        pytest.param([(0, 0), (0, 1000), (1050, 0)], 1.05, id="nothing, then funded"),
        pytest.param([(100, -100), (0, 0), (0, 50), (55, 0)], 1.1, id="emptied, then funded"),
        pytest.param([(100, 0), (-20, 0)], -0.2, id="more than all was lost"),
        pytest.param([(7, 0)], 1.0, id="one valuation is no time"),
    ],
)
def test_growth_is_net_of_flows(points, factor):
    assert performance.time_weighted(valuations(*points)) == pytest.approx(factor)


@pytest.mark.parametrize(
    "points", [[(0, 0), (5, 0)], [(-20, 0), (-10, 0)], [(10, -30), (0, 0)]], ids=str
)
def test_growth_from_nothing_or_debt_is_undefined(points):
    with pytest.raises(Undefined, match="has no rate of return"):
        performance.time_weighted(valuations(*points))


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 500)), min_size=1, max_size=12),
    st.integers(1, 1000),
)
def test_deposits_never_change_what_was_earned(moves, start):
    """The same market, with money coming in between or not, has the same growth."""
    worth, points, market = D(start), [], 1.0
    points.append(Valuation(worth))
    for percent, deposit in moves:
        worth = worth * (100 + percent) / 100
        market *= 1 + percent / 100
        points.append(Valuation(worth, D(deposit)))
        worth += deposit
    assert performance.time_weighted(points) == pytest.approx(market)


NO_RETURNS = [
    (performance.total_return, []),
    (performance.cagr, []),
    (performance.volatility, [0.1]),
    (performance.sharpe, [0.1]),
    (performance.sortino, []),
    (performance.max_drawdown, []),
    (performance.calmar, []),
    (performance.value_at_risk, [0.1] * 19),
    (performance.expected_shortfall, [0.1] * 19),
    (performance.best, []),
    (performance.worst, []),
]


@pytest.mark.parametrize(
    ("figure", "returns"), NO_RETURNS, ids=lambda x: getattr(x, "__name__", str(x)[:40])
)
def test_too_few_returns_have_no_figure(figure, returns):
    with pytest.raises(Undefined, match=f"there are {len(returns)}"):
        figure(returns)


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (lambda: performance.cagr([0.5, -1.5]), "the account ended at -0.75 times its start"),
        (lambda: performance.cagr([1e4]), "is no number"),
        (lambda: performance.sharpe([0.01, 0.01, 0.01]), "every session's return is the same"),
        (lambda: performance.sortino([0.01, 0.02]), "no session lost"),
        (lambda: performance.calmar([0.01, 0.02]), "there was no drawdown"),
        (lambda: performance.beta([0.1, 0.2], [0.3, 0.3]), "the benchmark did not move"),
        (lambda: performance.beta([0.1], [0.3]), "it takes 2 sessions"),
        (lambda: performance.alpha([-2.0, -2.1], [0.1, 0.2]), "cannot be compounded"),
        (lambda: performance.alike([0.1, 0.1], [0.1, 0.2]), "every session's return is the same"),
        (lambda: performance.tracking_error([], []), "it takes 2 sessions"),
        (lambda: performance.information_ratio([0.1, 0.2], [0.1, 0.2]), "never differed"),
        (lambda: performance.win_rate([]), "no trade closed a position"),
        (lambda: performance.profit_factor([]), "no trade closed a position"),
        (lambda: performance.profit_factor([D(3), D(0)]), "no closed trade lost"),
    ],
)
def test_what_the_numbers_cannot_say_is_undefined(work, why):
    with pytest.raises(Undefined, match=why):
        work()


def test_series_of_different_lengths_are_not_compared():
    with pytest.raises(ValueError, match="2 returns beside 3"):
        performance.beta([0.1, 0.2], [0.1, 0.2, 0.3])


def test_a_drawdown_is_counted_from_the_start_too():
    assert performance.drawdowns([-0.1, 0.1, 0.2, -0.5]) == pytest.approx([0.1, 0.01, 0.0, 0.5])


def test_falls_from_a_peak_are_dated():
    days = [date(2022, 1, day) for day in (3, 4, 5, 6, 7, 10, 11)]
    returns = [0.1, -0.2, -0.1, 0.5, 0.01, -0.3, 0.1]
    falls = performance.underwater(list(zip(days, returns, strict=True)), date(2021, 12, 31))

    assert falls == [
        Underwater(days[0], days[2], days[3], pytest.approx(0.28), 3),
        Underwater(days[4], days[5], None, pytest.approx(0.3), 2),
    ]


def test_a_fall_on_the_first_day_began_before_it():
    days = [(date(2022, 1, 3), -0.1), (date(2022, 1, 4), 0.2)]

    assert performance.underwater(days, date(2021, 12, 31)) == [
        Underwater(date(2021, 12, 31), date(2022, 1, 3), date(2022, 1, 4), pytest.approx(0.1), 2)
    ]


def test_without_a_fall_there_is_none():
    assert performance.underwater([(date(2022, 1, 3), 0.1)], date(2021, 12, 31)) == []


@pytest.mark.parametrize(
    ("profits", "rate", "factor"),
    [
        pytest.param([30, -10], 0.5, 3.0, id="one won, one lost"),
        pytest.param([30, 20, -10, -15], 0.5, 2.0, id="sums, not counts"),
        pytest.param([30, 0, -10], 1 / 3, 3.0, id="breaking even is not winning"),
        pytest.param([-10], 0.0, 0.0, id="all lost"),
    ],
)
def test_closed_trades(profits, rate, factor):
    closed = [D(profit) for profit in profits]

    assert performance.win_rate(closed) == pytest.approx(rate)
    assert performance.profit_factor(closed) == pytest.approx(factor)
