"""A period's figures, worked by hand, and the reasons for those it has not."""

from datetime import timedelta
from decimal import Decimal as D

import pytest

from state.chronicle import chronicle
from state.metrics import Compared, Figures, Returns, compared, metrics, returns_of
from state.performance import Undefined
from state.period import Period
from tests.state.story import (
    AT_TUESDAY,
    FIRST,
    MONDAY,
    STORY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    bars,
    fill,
    order,
    recorded,
)


def figured(events=STORY, start=None, benchmark=None):
    told = chronicle(recorded(events), Period(start))
    returns, figures = returns_of(told), Figures()
    beside = None if benchmark is None else compared(told, returns, benchmark)
    return metrics(told, returns, beside, figures), figures.warnings()


def test_money_is_exact():
    whole, _ = figured()

    assert (whole.start_equity, whole.end_equity, whole.flows) == (D(0), D(15_262), D(15_000))
    assert (whole.profit, whole.income, whole.fees) == (D(262), D(25), D(3))


def test_the_return_is_net_of_flows():
    """Equity rose by 52.6 % since Monday, but 5,000 of it were put in."""
    whole, _ = figured()

    assert whole.total_return == pytest.approx(1.0058 * 15_262 / 15_058 - 1)
    assert (whole.best_session, whole.worst_session) == (pytest.approx(15_262 / 15_058 - 1), 0.0)


def test_a_later_period_begins_with_the_close_before_it():
    wednesday, _ = figured(start=WEDNESDAY)

    assert (wednesday.start_equity, wednesday.flows) == (D(10_058), D(5_000))
    assert wednesday.profit == D(204)
    assert wednesday.total_return == pytest.approx(204 / 15_058)


def test_execution_figures():
    """A.0 slipped 100 on 5,000, A.1 nothing on 1,600, B.0 gained 40 on 2,080; C.0 missed 10."""
    whole, _ = figured()

    assert (whole.trades, whole.closed_trades) == (3, 1)
    assert whole.slippage_bps == pytest.approx(60 / 8_680 * 10_000)
    assert whole.shortfall_bps == pytest.approx((60 + 3 + 10) / (8_680 + 780) * 10_000)
    assert whole.turnover == pytest.approx(0.67 + 2_120 / 15_058)
    assert whole.turnover_yearly == pytest.approx((0.67 + 2_120 / 15_058) * 252 / 3)
    assert whole.win_rate == 1.0


def test_what_is_undefined_is_none_and_said():
    whole, warnings = figured()

    assert (whole.sortino, whole.var_95, whole.profit_factor, whole.beta) == (None,) * 4
    assert warnings == [
        "undefined: sortino: no session lost",
        "undefined: calmar: there was no drawdown",
        "undefined: var_95, cvar_95: it takes 20 sessions with a return, and there are 3",
        "undefined: profit_factor: no closed trade lost",
        "undefined: alpha, beta, correlation, tracking_error, information_ratio: "
        "there is no benchmark to compare with",
    ]


def test_an_empty_journal_has_no_figure_and_one_reason_for_each():
    nothing, warnings = figured([])

    assert (nothing.total_return, nothing.turnover, nothing.trades) == (None, None, 0)
    assert (nothing.profit, nothing.end_equity) == (D(0), D(0))
    assert "undefined: turnover, turnover_yearly: there is no session" in warnings


def test_a_session_that_cannot_be_valued_leaves_the_period_without_returns():
    out_of_debt = [*FIRST, bars(TUESDAY, -5, -5, KO=50), bars(WEDNESDAY, 5, 5, KO=50)]
    broke, warnings = figured(out_of_debt, benchmark={MONDAY: 1.0, TUESDAY: 2.0, WEDNESDAY: 3.0})

    assert (broke.total_return, broke.max_drawdown, broke.beta) == (None, None, None)
    assert any(
        w.startswith("undefined: total_return, cagr") and w.endswith(
            "alpha, beta, correlation, tracking_error, information_ratio: "
            "on 2022-01-05 an account worth -5 has no rate of return"
        )
        for w in warnings
    )  # fmt: skip


def test_executions_without_equity_have_no_turnover():
    broke = [*FIRST, bars(TUESDAY, -5, -5, KO=50), *order("A.0", "KO", 1, 50, AT_TUESDAY),
             fill("A.0", "KO", 1, 50, AT_TUESDAY), bars(WEDNESDAY, -5, -5, KO=50)]  # fmt: skip
    worse, warnings = figured(broke)
    why = "on 2022-01-05 there were executions and no equity"

    assert worse.turnover is None
    assert f"undefined: turnover, turnover_yearly: {why}" in warnings


def test_sessions_without_money_have_no_return():
    unfunded = [FIRST[0], bars(MONDAY, 0, 0, KO=50)]

    assert returns_of(chronicle(recorded(unfunded), Period())) == Returns(())


def test_beside_a_benchmark():
    """Returns of 0.58 % and 1.3548 % beside 1 % and 2 %."""
    whole, _ = figured(benchmark={MONDAY: 100.0, TUESDAY: 101.0, WEDNESDAY: 103.02})
    ours, slope = 15_262 / 15_058 - 1, (15_262 / 15_058 - 1.0058) / 0.01

    assert whole.beta == pytest.approx(slope)
    assert whole.correlation == pytest.approx(1.0)
    mean = (0.0058 + ours) / 2 - slope * 0.015
    assert whole.alpha == pytest.approx((1 + mean) ** 252 - 1)
    assert whole.tracking_error == pytest.approx(
        abs((0.0058 - 0.01) - (ours - 0.02)) / 2**0.5 * 252**0.5
    )


@pytest.mark.parametrize(
    ("benchmark", "beside"),
    [
        pytest.param(
            {MONDAY: 100.0, WEDNESDAY: 110.0},
            Compared(
                (WEDNESDAY,),
                (pytest.approx(1.0058 * 15_262 / 15_058 - 1),),
                (pytest.approx(0.1),),
                1,
            ),
            id="a gap joins two sessions of ours",
        ),
        pytest.param(
            {MONDAY: 100.0, TUESDAY: -1.0, WEDNESDAY: 110.0, THURSDAY: 120.0},
            Compared(
                (WEDNESDAY,),
                (pytest.approx(1.0058 * 15_262 / 15_058 - 1),),
                (pytest.approx(0.1),),
                1,
            ),
            id="a price that is none is a gap",
        ),
        pytest.param({}, Compared((), (), (), 3), id="nothing in common"),
    ],
)
def test_only_sessions_that_both_have_are_compared(benchmark, beside):
    told = chronicle(recorded(STORY), Period())

    assert compared(told, returns_of(told), benchmark) == beside


def test_a_period_is_compared_from_the_close_before_it():
    told = chronicle(recorded(STORY), Period(WEDNESDAY))
    closes = {TUESDAY: 100.0, WEDNESDAY: 103.0, WEDNESDAY + timedelta(days=9): 1.0}

    assert compared(told, returns_of(told), closes) == Compared(
        (WEDNESDAY,), (pytest.approx(204 / 15_058),), (pytest.approx(0.03),), 0
    )


def test_reasons_are_said_once_with_all_they_explain():
    figures = Figures()

    def fail():
        raise Undefined("of the moon")

    assert figures.figure("a", fail) is None
    assert figures.figure("b", lambda: 2.0) == 2.0
    assert figures.figure("c", fail) is None
    assert figures.warnings() == ["undefined: a, c: of the moon"]
