"""Targets to orders: what is traded, in which order, and why not more."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.apply import apply, replay
from state.case import Proposed
from state.denial import Code
from state.event import (
    BarsClosed,
    CashMoved,
    OrderFilled,
    OrderSubmitted,
    Reconciled,
    Started,
    TurnoverExempted,
)
from state.instrument import Instrument
from state.quote import Bar
from state.rebalance import lines, propose
from state.risk import check
from state.settings import Execution, Limits
from state.snapshot import Snapshot, exposures
from tests.given import CLOSE, MOMENT, MONDAY, TUESDAY, start

PRICES = {"GE": D(10), "KO": D(50), "PG": D(100), "XOM": D("330.33")}
FREE = Execution(band=0.0, min_trade=D(0), cash_reserve=0.0)
WIDE = Limits(
    max_position_weight=1.0,
    max_gross=1.0,
    max_order_notional=D(10**9),
    max_day_turnover=100.0,
    max_orders_per_minute=1000,
)


def account(*events, held=None, cash=100_000, prices=PRICES, limits=WIDE, lot=1, **run):
    """Return an account that holds what is `held`, and then `cash` besides."""
    holdings = {symbol: D(str(quantity)) for symbol, quantity in (held or {}).items()}
    worth = sum((q * prices[s] for s, q in holdings.items()), D(0))
    instruments = tuple(Instrument(symbol, lot=D(str(lot))) for symbol in PRICES)
    fills = [
        OrderFilled(f"h{s}", "", s, q, prices[s], D(0), CLOSE, CLOSE) for s, q in holdings.items()
    ]
    bars = tuple(Bar(symbol, price) for symbol, price in prices.items())
    equity = D(cash) + worth
    begun = Started(start(limits, instruments=instruments, **run), CLOSE)
    opening = [begun, CashMoved("initial", equity, "", CLOSE), Reconciled((), CLOSE), *fills]
    close = BarsClosed(CLOSE, MONDAY, bars, equity, D(cash), 0.0, 0.0)
    return replay(Snapshot(), [*opening, close, *events])


def traded(now, trades):
    """Return `now` after the lines filled at their prices, at the estimated cost."""
    for n, line in enumerate(trades):
        name = f"r{now.seq}-{n}"
        fill = OrderFilled(
            name, "", line.symbol, line.quantity, line.price, line.cost, CLOSE, CLOSE
        )
        now = apply(now, fill)
    return now


def orders(now, targets, execution=FREE, limits=WIDE, only=()):
    return {
        each.symbol: int(each.quantity) for each in lines(now, targets, execution, limits, only)
    }


def reason(now, targets, execution=FREE, limits=WIDE):
    (line,) = lines(now, targets, execution, limits)
    return line.reason


@pytest.mark.parametrize(
    ("held", "targets", "settings", "expected"),
    [
        pytest.param({}, {"KO": 0.5}, {}, {"KO": 1000}, id="a first purchase"),
        pytest.param({"KO": 1000}, {"KO": 0.5, "PG": 0.25}, {}, {"KO": 500, "PG": 375}, id="more"),
        pytest.param({"KO": 1000}, {"KO": 0.1}, {}, {"KO": -700}, id="less"),
        pytest.param({"KO": 1000}, {}, {}, {"KO": -1000}, id="no target means none"),
        pytest.param({"KO": 1000}, {"KO": 1 / 3}, {}, {}, id="at target"),
        pytest.param({}, {"XOM": 0.0033}, {}, {}, id="less than a lot"),
        pytest.param(
            {"KO": 1000}, {"KO": 0.35}, {"band": 0.02}, {}, id="within the band: left alone"
        ),
        pytest.param(
            {"KO": 1000}, {"KO": 0.354}, {"band": 0.02}, {"KO": 62}, id="outside: to the target"
        ),
        pytest.param({"KO": 20}, {"KO": 0}, {"band": 0.1}, {"KO": -20}, id="an exit has no band"),
        pytest.param(
            {"KO": 2}, {"KO": 0}, {"min_trade": D(1000)}, {"KO": -2}, id="and no smallest size"
        ),
        pytest.param(
            {"KO": 1000}, {"KO": 0.34}, {"min_trade": D(1001)}, {}, id="too small to trade"
        ),
        pytest.param(
            {"KO": 1000}, {"KO": 0.34}, {"min_trade": D(1000)}, {"KO": 20}, id="just large enough"
        ),
        pytest.param({}, {"KO": 1.0}, {"cash_reserve": 0.1}, {"KO": 1800}, id="less the reserve"),
    ],
)
def test_orders_are_the_distance_to_the_targets(held, targets, settings, expected):
    assert orders(account(held=held), targets, replace(FREE, **settings)) == expected


def test_sells_come_first_then_buys_the_largest_first():
    now = account(held={"KO": 400, "PG": 300}, cash=0)

    trades = lines(now, {"GE": 0.3, "XOM": 0.7}, FREE, WIDE)

    assert [line.symbol for line in trades] == ["PG", "KO", "XOM", "GE"]
    assert [line.quantity < 0 for line in trades] == [True, True, False, False]


def test_fractions_are_traded_where_the_lot_is_one():
    (line,) = lines(account(lot="0.001"), {"XOM": 0.1}, FREE, WIDE)

    assert line.quantity == D("30.272")  # 10,000 / 330.33 = 30.27275...


def test_what_is_no_whole_lot_is_closed_to_the_last_unit():
    assert lines(account(held={"KO": "10.5"}), {}, FREE, WIDE)[0].quantity == D("-10.5")


def test_what_is_on_order_counts_as_held():
    waiting = OrderSubmitted("R.0", "R", "KO", D(600), D(50), None, "manual", TUESDAY, CLOSE)

    assert orders(account(waiting), {"KO": 0.5}) == {"KO": 400}


def test_a_line_says_where_it_stands_where_it_goes_and_what_it_costs():
    (line,) = lines(account(held={"KO": 1000}, cash=50_000, cost_bps=3.0), {"KO": 0.25}, FREE, WIDE)

    assert (line.current_weight, line.target_weight) == (0.5, 0.25)
    assert (line.quantity, line.price, line.notional) == (D(-500), D(50), D(25_000))
    assert line.cost == D("7.5")
    assert line.reason == "-0.2500 of equity from the target"


def test_a_proposal_adds_its_lines_up():
    found = propose(account(held={"KO": 1000}, cash=50_000, cost_bps=3.0), {"PG": 0.25}, FREE, WIDE)

    assert found.equity == D(100_000)
    assert found.turnover == pytest.approx(0.749)
    assert found.cost == sum(line.cost for line in found.lines) == D("22.47")
    assert "exit, the target is 0" in found.lines[0].reason


@pytest.mark.parametrize(
    ("limits", "targets", "quantity", "why"),
    [
        ({"max_position_weight": 0.2}, {"KO": 0.3}, 400, "clipped to risk.max_position_weight"),
        ({"max_gross": 0.2}, {"KO": 0.4}, 400, "scaled by 0.5000 to risk.max_gross"),
        ({"max_order_notional": D(5_000)}, {"KO": 0.3}, 100, "cut to risk.max_order_notional"),
        ({"max_order_quantity": D(99)}, {"KO": 0.3}, 99, "cut to risk.max_order_quantity"),
        (
            {"max_day_turnover": 0.1},
            {"KO": 0.3},
            200,
            "cut to 0.4000 of itself by risk.max_day_tur",
        ),
    ],
)
def test_a_limit_cuts_the_order_and_says_so(limits, targets, quantity, why):
    now = replace(account(held={"KO": 100}, cash=95_000), invested=True)
    tight = replace(WIDE, **limits)

    (line,) = lines(now, targets, FREE, tight)

    assert line.quantity == quantity - (0 if "order" in why or "day" in why else 100)
    assert why in line.reason


def test_one_lot_beyond_an_orders_limit_is_no_order():
    assert lines(account(), {"XOM": 0.5}, FREE, replace(WIDE, max_order_notional=D(330))) == ()


def test_the_days_turnover_is_shared_by_sells_and_buys():
    now = replace(account(held={"KO": 1000}, cash=50_000), invested=True)
    now = replace(now, day=replace(now.day, turnover=D(10_000)))

    found = propose(now, {"PG": 0.5}, FREE, replace(WIDE, max_day_turnover=0.5))

    assert {each.symbol: each.quantity for each in found.lines} == {"KO": -400, "PG": 200}
    assert not found.exempt


def test_when_the_days_turnover_is_spent_nothing_is_planned():
    now = replace(account(held={"KO": 1000}, cash=50_000), invested=True)
    now = replace(now, day=replace(now.day, turnover=D(60_000)))

    assert lines(now, {"PG": 0.5}, FREE, replace(WIDE, max_day_turnover=0.5)) == ()


@pytest.mark.parametrize(("most", "exempt"), [(0.5, True), (1.0, False)])
def test_the_first_investment_is_let_past_the_days_turnover_once(most, exempt):
    limits = replace(WIDE, max_day_turnover=most)

    found = propose(account(limits=limits), {"KO": 0.8}, FREE, limits)

    assert [line.quantity for line in found.lines] == [1600]
    assert found.exempt is exempt


def test_without_a_close_there_is_no_days_budget():
    now = replace(account(), day=None)

    assert orders(now, {"KO": 0.5}, limits=replace(WIDE, max_day_turnover=0.0)) == {"KO": 1000}


def test_a_purchase_is_cut_to_the_cash_that_sells_leave():
    """GE stays above its target, within the band: the purchases have to make do with the rest."""
    now = account(held={"GE": 5200, "KO": 960}, cash=0)
    execution, limits = replace(FREE, band=0.05), replace(WIDE, max_gross=2.0, max_net=2.0)

    trades = lines(now, {"GE": 0.5, "PG": 0.25, "XOM": 0.25}, execution, limits)

    assert {line.symbol: line.quantity for line in trades} == {"KO": -960, "PG": 241, "XOM": 72}
    assert traded(now, trades).ledger.cash == D("116.24")
    assert "cut to the cash there is" in trades[1].reason


def test_a_purchase_is_cut_to_the_exposure_that_is_left():
    now = account(held={"GE": 5200}, cash=48_000)
    limits = replace(WIDE, max_gross=0.6)

    (line,) = lines(now, {"GE": 0.5, "PG": 0.1}, replace(FREE, band=0.05), limits)

    assert (line.symbol, line.quantity) == ("PG", 80)
    assert "cut to risk.max_gross" in line.reason


def test_costs_are_part_of_the_exposure_that_is_left():
    now = account(held={"GE": 5196}, cash=48_040, cost_bps=100.0)
    limits = replace(WIDE, max_gross=0.6)

    (line,) = lines(now, {"GE": 0.5, "PG": 0.1}, replace(FREE, band=0.05), limits)

    assert line.quantity == 79  # 8,040 / (1 + 0.6 * 0.01) = 7,992


def test_a_purchase_leaves_the_reserve_alone():
    now = account(held={"GE": 5200}, cash=48_000)
    execution = replace(FREE, band=0.1, cash_reserve=0.1)

    (line,) = lines(now, {"GE": 0.5, "PG": 0.5}, execution, WIDE)

    assert line.quantity == 380
    assert "cut to the cash there is" in line.reason


def test_a_sale_on_its_way_is_no_room_for_a_purchase():
    selling = OrderSubmitted("R.0", "R", "KO", D(-100), D(50), None, "manual", TUESDAY, CLOSE)
    now = account(selling, held={"KO": 400}, cash=80_000)

    assert orders(now, {"KO": 0.2}, limits=replace(WIDE, max_position_weight=0.2)) == {}
    assert orders(now, {"KO": 0.2}, limits=replace(WIDE, max_position_weight=0.21)) == {"KO": 20}
    assert orders(now, {"KO": 0.2}) == {"KO": 100}


def test_an_overdrawn_account_sells_what_is_above_its_target_whatever_the_band():
    overdrawn = account(held={"KO": 1020, "PG": 500}, cash=-1000)
    not_so = account(held={"KO": 1020, "PG": 500}, cash=1000)
    targets, wide = {"KO": 0.49, "PG": 0.5}, replace(FREE, band=0.1)

    assert orders(overdrawn, targets, wide) == {"KO": -40}
    assert orders(overdrawn, targets, wide, replace(WIDE, margin=True)) == {}
    assert orders(not_so, targets, wide) == {}


def test_only_some_symbols_are_traded_when_asked_so():
    now = account(held={"KO": 1000}, cash=50_000)

    found = propose(now, {"PG": 0.25, "KOO": 0.1, "GE": 0.2}, FREE, WIDE, only=("PG", "XOM"))

    assert [line.symbol for line in found.lines] == ["PG"]
    assert found.denied == ()


def test_what_can_not_be_planned_is_reported_beside_what_can():
    found = propose(account(), {"KOO": 0.1, "KO": 0.5}, FREE, WIDE)

    assert [line.symbol for line in found.lines] == ["KO"]
    assert [denial.code for denial in found.denied] == [Code.UNKNOWN_SYMBOL]


def test_an_unpriced_holding_leaves_nothing_to_plan_with():
    now = account(held={"KO": 100})
    now = replace(now, marks={"PG": now.marks["PG"]})

    found = propose(now, {"PG": 0.5}, FREE, WIDE)

    assert found.lines == ()
    assert [denial.code for denial in found.denied] == [Code.NO_PRICE]
    assert "KO" in found.denied[0].message


def test_without_equity_there_is_nothing_to_invest():
    found = propose(account(held={"KO": 100}, cash=-5_000), {"PG": 0.5}, FREE, WIDE)

    assert found.lines == ()
    assert [denial.code for denial in found.denied] == [Code.GROSS_EXPOSURE]


SHORTS = replace(WIDE, allow_short=True, margin=True)


@pytest.mark.parametrize(
    ("held", "targets", "expected"),
    [
        pytest.param({}, {"KO": -0.5}, {"KO": -1000}, id="opening a short"),
        pytest.param({"KO": 100}, {"KO": -0.5}, {"KO": -1100}, id="crossing zero downwards"),
        pytest.param({"KO": -100}, {"KO": 0.5}, {"KO": 1100}, id="crossing zero upwards"),
        pytest.param({"KO": -1000}, {"KO": -0.1}, {"KO": 800}, id="covering some"),
        pytest.param({"KO": -1000}, {}, {"KO": 1000}, id="covering all"),
    ],
)
def test_shorts_are_traded_where_they_are_allowed(held, targets, expected):
    worth = sum(q * PRICES[s] for s, q in held.items())

    assert orders(account(held=held, cash=100_000 - worth), targets, limits=SHORTS) == expected


def test_a_short_is_covered_as_far_as_the_cash_goes_and_nothing_opens_before_that():
    limits = replace(SHORTS, margin=False)
    now = account(held={"KO": -1000, "GE": 6000}, cash=10_000)
    targets = {"KO": 0.5, "GE": 1.0}

    (line,) = lines(now, targets, FREE, limits, only=("KO",))

    assert line.quantity == 200
    assert "cut to the cash there is" in line.reason


# Properties, over accounts of four symbols in all conditions.

WEIGHTS = st.dictionaries(st.sampled_from(sorted(PRICES)), st.floats(0, 0.6))
PERCENT = st.sampled_from([0.0, 0.005, 0.02])


@st.composite
def situations(draw, short=False):
    """Return (account, targets, execution, limits)."""
    limits = Limits(
        max_position_weight=draw(st.sampled_from([0.3, 1.0])),
        max_gross=draw(st.sampled_from([0.5, 1.0, 1.5])),
        max_net=draw(st.sampled_from([0.4, 1.0])),
        max_order_notional=draw(st.sampled_from([D(20_000), D(10**9)])),
        max_order_quantity=draw(st.sampled_from([D(300), D(10**9)])),
        max_day_turnover=draw(st.sampled_from([0.2, 100.0])),
        margin=draw(st.booleans()),
        allow_short=short,
        max_orders_per_minute=1000,
    )
    execution = Execution(
        band=draw(PERCENT),
        min_trade=draw(st.sampled_from([D(0), D(500)])),
        cash_reserve=draw(PERCENT),
    )
    size = st.integers(-300 if short else 0, 600)
    held = draw(st.dictionaries(st.sampled_from(sorted(PRICES)), size))
    now = account(
        held=held,
        cash=draw(st.sampled_from([-500, 0, 1000, 100_000])),
        limits=limits,
        lot=draw(st.sampled_from(["1", "0.01", "10"])),
        cost_bps=draw(st.sampled_from([0.0, 5.0])),
    )
    now = replace(now, invested=draw(st.booleans()))
    weights = draw(WEIGHTS)
    if short:
        weights = {s: w if draw(st.booleans()) else -w for s, w in weights.items()}
    return now, weights, execution, limits


@given(situations())
def test_cash_never_goes_below_the_reserve_for_a_purchase(situation):
    now, _, execution, limits = situation
    after = traded(now, lines(*situation))

    if not limits.margin:
        reserve = D(str(execution.cash_reserve)) * max(now.equity, D(0))
        assert after.ledger.cash >= min(reserve, now.ledger.cash)


@given(situations())
def test_exposure_never_grows_past_its_limits(situation):
    now, _, _, limits = situation
    trades = lines(*situation)
    after = traded(now, trades)
    (gross_was, net_was), (gross, net) = exposures(now), exposures(after)

    assert gross <= max(D(str(limits.max_gross)) * after.equity, gross_was)
    assert net <= max(D(str(limits.max_net)) * after.equity, net_was)
    for line in trades:
        if line.quantity > 0:
            worth = after.ledger.held(line.symbol) * line.price
            assert worth <= D(str(limits.max_position_weight)) * after.equity


@given(situations(short=True))
def test_a_trade_goes_towards_its_target_and_never_past(situation):
    now, *asked = situation
    now = replace(now, start=replace(now.start, cost_bps=0.0))
    for line in lines(now, *asked):
        was = now.ledger.held(line.symbol) * line.price
        to = was + line.quantity * line.price
        goal = D(str(line.target_weight)) * now.equity
        cent = D("0.01")

        assert min(was, goal) - cent <= to <= max(was, goal) + cent


@given(situations())
def test_where_nothing_limits_a_target_is_reached_to_a_lot(situation):
    now, targets, _, _ = situation
    now = replace(now, start=replace(now.start, cost_bps=0.0))
    free = replace(WIDE, margin=True, max_gross=100, max_net=100, max_position_weight=100)
    trades = lines(now, targets, FREE, free)
    after = traded(now, trades)

    if now.equity > 0:
        for symbol, price in PRICES.items():
            goal = D(format(targets.get(symbol, 0.0), ".9f")) * now.equity
            lot = now.instruments[symbol].lot
            assert abs(goal - after.ledger.held(symbol) * price) < lot * price
        assert lines(after, targets, FREE, free) == ()


@given(situations())
def test_a_plan_that_was_filled_leaves_nothing_to_do(situation):
    """Not so where an order's or a day's limit cut the plan: then the rest follows later."""
    now, targets, execution, limits = situation
    now = replace(now, start=replace(now.start, cost_bps=0.0))
    whole = replace(
        limits, max_order_notional=D(10**9), max_order_quantity=D(10**9), max_day_turnover=100.0
    )
    after = traded(now, lines(now, targets, execution, whole))

    assert lines(after, targets, execution, whole) == ()


@given(situations(short=True), st.randoms(use_true_random=False))
def test_the_order_of_the_targets_changes_nothing(situation, shuffled):
    now, targets, execution, limits = situation
    names = list(targets)
    shuffled.shuffle(names)

    assert lines(*situation) == lines(now, {s: targets[s] for s in names}, execution, limits)


@given(situations(short=True))
def test_sells_come_first(situation):
    signs = [line.quantity > 0 for line in lines(*situation)]

    assert signs == sorted(signs)


@given(situations())
def test_the_gate_lets_every_line_of_a_plan_through(situation):
    now, *_ = situation
    found = propose(*situation)
    assert found.exempt <= (not now.invested)
    if found.exempt:
        now = apply(now, TurnoverExempted(MONDAY, CLOSE))
    for n, line in enumerate(found.lines):
        order = Proposed(f"R.{n}", line.symbol, line.quantity, None, "rebalance")
        assert check(now, order, MOMENT) is None
        made = OrderSubmitted(
            order.order_id, "R", line.symbol, line.quantity, line.price, None, "rebalance",
            TUESDAY, CLOSE,
        )  # fmt: skip
        now = apply(now, made)
