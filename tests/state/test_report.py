"""A period's report: the fields programs read, and the same bytes every time."""

from datetime import date, timedelta
from decimal import Decimal as D

import msgspec
import pytest
from msgspec.structs import replace

from state.chronicle import Flow, Halt
from state.event import CashMoved, Started
from state.instrument import Instrument
from state.performance import Underwater
from state.period import Period
from state.report import report, to_json
from tests.state.story import (
    AT_MONDAY,
    AT_TUESDAY,
    AT_WEDNESDAY,
    FIRST,
    MONDAY,
    START,
    STORY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    bars,
    close_of,
    fill,
    noon_of,
    recorded,
)

INDEX = {MONDAY: 100.0, TUESDAY: 101.0, WEDNESDAY: 103.02}


def reported(events=STORY, start=None, end=None, benchmark=None):
    return report(recorded(events), Period(start, end), benchmark, "S&P 500")


def test_a_report_on_the_wire():
    wire = msgspec.json.decode(to_json(reported(benchmark=INDEX)))
    seq = len(STORY)

    assert wire["period"] == {"from": "2022-01-03", "to": "2022-01-05", "sessions": 3}
    assert wire["as_of"] == "2022-01-05T21:00:00Z"
    assert wire["journal"] == {"seq": seq, "hash": f"{seq:02x}" * 32}
    assert (wire["account"], wire["base_currency"], wire["mode"]) == ("DEMO", "USD", "paper")
    assert wire["strategy"] == "inverse_volatility"
    assert wire["equity"] == [
        ["2022-01-03T21:00:00Z", "10000"],
        ["2022-01-04T21:00:00Z", "10058"],
        ["2022-01-05T21:00:00Z", "15262"],
    ]
    assert wire["drawdown"] == [[point[0], 0.0] for point in wire["equity"]]
    assert wire["monthly"] == [["2022-01", pytest.approx(1.0058 * 15_262 / 15_058 - 1)]]
    assert [row["symbol"] for row in wire["by_symbol"]] == ["KO", "XOM"]
    assert wire["orders"] == {
        "submitted": 4,
        "by_status": {"filled": 3, "live": 1},
        "fill_ratio": pytest.approx(8_680 / 9_460),
        "delay_seconds": 20 * 3600.0,
        "denied": {"ORDER_NOTIONAL": 1},
        "refused": {"NO_TARGETS": 1},
    }
    assert wire["evolution"] == {}
    assert wire["benchmark"] == {
        "name": "S&P 500",
        "returns": 2,
        "total_return": pytest.approx(0.0302),
        "cagr": pytest.approx(1.0302**126 - 1),
        "volatility": pytest.approx(0.01 / 2**0.5 * 252**0.5),
        "max_drawdown": 0.0,
        "series": [
            ["2022-01-03T21:00:00Z", 1.0],
            ["2022-01-04T21:00:00Z", 1.01],
            ["2022-01-05T21:00:00Z", 1.0302],
        ],
        "worth": [
            ["2022-01-03T21:00:00Z", 10_000.0],
            ["2022-01-04T21:00:00Z", 10_100.0],
            ["2022-01-05T21:00:00Z", 15_302.0],
        ],
        "years": [["2022", pytest.approx(0.0302)]],
    }
    assert wire["risk"]["limits"]["max_order_notional"] == "200000"
    assert {key: value for key, value in wire["risk"].items() if key != "limits"} == {
        "largest_position": "KO",
        "largest_weight": pytest.approx(5_200 / 10_058),
        "largest_on": "2022-01-04",
        "gross_max": 0.6721,
        "net_max": 0.6721,
    }
    assert [flow["amount"] for flow in wire["flows"]] == ["10000", "5000", "25"]
    assert wire["halts"][0]["resumed_by"] == "ops"


def test_the_contracts_metrics_are_all_there():
    promised = {
        *("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown"),
        *("var_95", "cvar_95", "turnover", "fees", "trades", "win_rate", "profit_factor"),
        *("slippage_bps", "beta", "tracking_error"),
    }

    assert promised <= set(msgspec.json.decode(to_json(reported()))["metrics"])


def test_the_first_equity_of_a_period_is_the_last_close_before_it():
    wednesday = reported(start=WEDNESDAY)

    assert wednesday.equity == ((AT_TUESDAY, D(10_058)), (AT_WEDNESDAY, D(15_262)))
    assert (wednesday.period.start, wednesday.period.end, wednesday.period.sessions) == (
        WEDNESDAY,
        WEDNESDAY,
        1,
    )
    assert [at for at, _ in wednesday.drawdown] == [AT_WEDNESDAY]


def test_regenerating_gives_identical_bytes():
    assert to_json(reported(benchmark=INDEX)) == to_json(
        report(iter(recorded(STORY)), Period(), dict(reversed(INDEX.items())), "S&P 500")
    )


def test_a_finished_period_is_the_same_however_much_happens_later():
    later = [*STORY, CashMoved("withdraw", D(-9), "", AT_WEDNESDAY), bars(THURSDAY, 1, 1, KO=1)]

    assert to_json(reported(end=TUESDAY)) == to_json(reported(later, end=TUESDAY))


def test_a_deposit_does_not_change_the_returns():
    def with_cash(*moves):
        opened = [*FIRST, *moves]
        put_in = sum(move.amount for move in moves)
        return reported(
            [*opened, bars(TUESDAY, 10_000 + put_in, 10_000 + put_in, KO=60)]
        ).metrics.total_return

    assert with_cash() == 0.0
    assert with_cash(CashMoved("deposit", D(5_000), "", AT_MONDAY)) == 0.0


def test_losses_are_positive_and_dated():
    down = [*FIRST, bars(TUESDAY, 9_000, 9_000, KO=50), bars(WEDNESDAY, 9_900, 9_900, KO=50)]
    told = reported(down)

    assert told.metrics.max_drawdown == pytest.approx(0.1)
    assert told.metrics.worst_session == pytest.approx(-0.1)
    assert [depth for _, depth in told.drawdown] == [0.0, 0.1, 0.01]
    assert told.underwater == (Underwater(MONDAY, TUESDAY, None, pytest.approx(0.1), 2),)


def test_only_the_deepest_falls_are_listed_deepest_first():
    equity, events, day = 10_000.0, list(FIRST), MONDAY
    for depth in (0.03, 0.07, 0.01, 0.02, 0.06, 0.05, 0.04):
        for factor in (1 - depth, 1 / (1 - depth) * 1.001):
            equity, day = equity * factor, day + timedelta(days=1)
            events.append(bars(day, f"{equity:.6f}", 0, KO=50))

    depths = [fall.depth for fall in reported(events).underwater]
    assert depths == pytest.approx([0.07, 0.06, 0.05, 0.04, 0.03], abs=1e-6)


def test_drawdown_and_falls_begin_with_the_base_of_the_period():
    down = [*FIRST, bars(TUESDAY, 9_000, 9_000, KO=50)]

    assert reported(down, start=TUESDAY).underwater[0].peak == MONDAY


def test_the_largest_net_exposure_may_be_short():
    short = [*FIRST, bars(TUESDAY, 10_000, 15_000, gross=0.5, net=-0.5, KO=50)]
    less = bars(WEDNESDAY, 10_000, 8_000, gross=0.2, net=0.2, KO=50)

    assert reported([*short, less]).risk.net_max == -0.5


def test_an_empty_journal_reports_nothing_and_says_so():
    nothing = reported([])

    assert (nothing.account, nothing.mode, nothing.strategy, nothing.as_of) == (None,) * 2 + (
        "",
        None,
    )
    assert (nothing.equity, nothing.drawdown, nothing.underwater, nothing.by_symbol) == ((),) * 4
    assert (nothing.period.start, nothing.period.end, nothing.period.sessions) == (None, None, 0)
    assert (nothing.journal.seq, nothing.journal.hash) == (0, "")
    assert (nothing.risk.largest_position, nothing.risk.limits) == (None, None)
    assert "no session closed in this period" in nothing.warnings


def test_replayed_prices_are_warned_of_as_survivors():
    replayed = [Started(replace(START, mode="replay"), noon_of(MONDAY)), *STORY[1:]]

    assert any(w.startswith("survivorship") for w in reported(replayed).warnings)
    assert not any(w.startswith("survivorship") for w in reported().warnings)


def test_what_a_reader_has_to_know_is_said():
    late = [*STORY, fill("C.0", "XOM", 5, 70, noon_of(THURSDAY))]
    warnings = reported(late, benchmark={TUESDAY: 1.0, WEDNESDAY: 1.1}).warnings

    assert warnings[:4] == (
        "yearly figures are extrapolated from 3 sessions, less than a year of 252",
        "executions and cash movements after the last close, in no figure yet: 1; "
        "`tm portfolio` shows them",
        "orders of this period still open: 1",
        "sessions without a close of the benchmark: 1",
    )


def test_a_year_of_sessions_is_not_extrapolated():
    year = [bars(MONDAY + timedelta(days=n), 10_000 + n, 10_000, KO=50) for n in range(1, 253)]

    assert not any("extrapolated" in w for w in reported([*FIRST, *year]).warnings)


def test_the_strategy_that_spoke_last_and_the_limits_of_the_last_start_are_told():
    spoke = replace(bars(THURSDAY, 15_262, 10_442, KO=54, XOM=79), strategy="volatility_target")
    again = Started(replace(START, limits=replace(START.limits, max_gross=0.5)), AT_WEDNESDAY)
    told = reported([*STORY, again, spoke])

    assert told.strategy == "volatility_target"
    assert told.risk.limits is not None
    assert told.risk.limits.max_gross == 0.5


def test_flows_and_halts_are_plain():
    wednesday = reported(start=WEDNESDAY)

    assert wednesday.flows[0] == Flow(AT_TUESDAY, "deposit", D(5_000), "savings")
    assert b'"5000"' in msgspec.json.encode(wednesday.flows)
    assert isinstance(wednesday.halts[0], Halt)


def test_thirty_three_years_fit_into_a_frame():
    """8,313 sessions, amounts of ten digits: JSON of less than 1 MiB, which is a frame's limit."""
    closes = [
        bars(date(1990, 1, 2) + timedelta(days=n), f"{228_803_908 + n % 977}.144321", 0, KO=50)
        for n in range(8_313)
    ]
    funded = [FIRST[0], CashMoved("initial", closes[0].equity, "", close_of(date(1989, 12, 29)))]

    assert len(to_json(reported([*funded, *closes]))) < 900_000


def test_symbols_with_nothing_held_and_nothing_done_are_left_out():
    more = replace(START, instruments=(Instrument("KO"), Instrument("PEP"), Instrument("XOM")))

    assert len(reported([Started(more, noon_of(MONDAY)), *STORY[1:]]).by_symbol) == 2
