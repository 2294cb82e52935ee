"""What the paper market charges: prices, fees, chance, as a specification."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from daemon.brokers.execution_model import (
    affordable,
    bar_price,
    fee,
    first_part,
    luck,
    quote_price,
    terms,
)
from state.instrument import Instrument, amount
from state.quote import Bar, Quote
from state.settings import Paper

BUY, SELL = 1, -1
NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
EXACT = terms(Paper(commission_bps=0, slippage_bps=0, spread_bps=0))
SLIPPING = terms(Paper(commission_bps=0, slippage_bps=20, spread_bps=20))  # 0.3 % in all
KO = Instrument("KO")


def ohlc(opening, high, low, closing):
    return Bar("KO", D(closing), D(opening), D(high), D(low))


def closing_at(price):
    return Bar("KO", D(price))


DAY = ohlc(50, 52, 47, 51)


@pytest.mark.parametrize(
    ("bar", "side", "limit", "whole", "price"),
    [
        pytest.param(DAY, BUY, None, True, "50", id="at the open, if the order was there by then"),
        pytest.param(DAY, BUY, None, False, "51", id="at the close, if the open was before it"),
        pytest.param(closing_at(51), SELL, None, True, "51", id="at the close, if that is all"),
        pytest.param(DAY, BUY, "50", True, "50", id="a limit at the open trades there"),
        pytest.param(DAY, BUY, "55", True, "50", id="better than the limit is better"),
        pytest.param(DAY, BUY, "48", True, "48", id="a limit the bar falls to trades at it"),
        pytest.param(DAY, BUY, "47", True, "47", id="a limit the bar just touches trades"),
        pytest.param(DAY, BUY, "46.99", True, None, id="a limit under the low doesn't"),
        pytest.param(DAY, SELL, "52", True, "52", id="a sale rises to its limit"),
        pytest.param(DAY, SELL, "52.01", True, None, id="and not above the high"),
        pytest.param(DAY, SELL, "49", True, "50", id="a sale under the market gets the market"),
        pytest.param(DAY, BUY, "48", False, None, id="a range from before the order is not its"),
        pytest.param(closing_at(51), BUY, "51", True, "51", id="closes only: the close decides"),
        pytest.param(closing_at(51), BUY, "50.99", True, None, id="closes only: or doesn't"),
    ],
)
def test_where_an_order_trades_in_a_bar(bar, side, limit, whole, price):
    found = bar_price(bar, side, limit and D(limit), EXACT, whole=whole)
    assert found == (price and D(price))


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [
        pytest.param(BUY, None, "50.15", id="a purchase pays half the spread and the slippage"),
        pytest.param(SELL, None, "49.85", id="a sale gets that much less"),
        pytest.param(BUY, "50.10", "50.10", id="but never more than its limit"),
        pytest.param(SELL, "49.90", "49.90", id="nor less"),
    ],
)
def test_what_crossing_the_spread_costs(side, limit, price):
    assert bar_price(DAY, side, limit and D(limit), SLIPPING, whole=True) == D(price)


QUOTE = Quote("KO", NOON, bid=D("49.9"), ask=D("50.1"), last=D(50))


@pytest.mark.parametrize(
    ("quote", "side", "limit", "price"),
    [
        pytest.param(QUOTE, BUY, None, "50.2002", id="a purchase takes the ask, and slips"),
        pytest.param(QUOTE, SELL, None, "49.8002", id="a sale hits the bid"),
        pytest.param(QUOTE, BUY, "50.1", "50.1", id="a limit at the ask trades at it"),
        pytest.param(QUOTE, BUY, "50.09", None, id="a limit under the ask waits"),
        pytest.param(QUOTE, SELL, "49.91", None, id="a limit over the bid waits"),
        pytest.param(Quote("KO", NOON, last=D(50)), BUY, None, "50.15", id="the last, if alone"),
        pytest.param(Quote("KO", NOON, bid=D(50)), BUY, None, None, id="nobody offers"),
    ],
)
def test_where_an_order_trades_by_a_quote(quote, side, limit, price):
    assert quote_price(quote, side, limit and D(limit), SLIPPING) == (price and D(price))


@pytest.mark.parametrize(
    ("value", "charged", "due"),
    [
        pytest.param(50_000, 0, "5", id="a basis point of the notional"),
        pytest.param(500, 0, "1", id="but the minimum at least"),
        pytest.param(1_000, 1, "0", id="and that once for an order, not for each execution"),
        pytest.param(50_000, 1, "4", id="a later execution owes the rest"),
    ],
)
def test_commission(value, charged, due):
    charging = terms(Paper(commission_bps=1, commission_min=D(1)))
    assert fee(charging, D(value), D(charged)) == D(due)


def test_a_basis_point_is_exact_however_floats_are_stored():
    assert terms(Paper(commission_bps=0.1)).commission == D("0.00001")


prices = st.decimals("0.01", "5000", places=4)
lots = st.sampled_from([D(1), D(100), D("0.001")])


@given(st.decimals(0, 100_000, places=2), prices, st.integers(1, 10_000), lots)
def test_no_more_is_bought_than_cash_pays_and_no_lot_less(cash, price, wanted, lot):
    charging = terms(Paper(commission_bps=2.5, commission_min=D("0.35")))
    wanted *= lot

    def cost(quantity):
        paid = amount(quantity, price)
        return paid + fee(charging, paid, D(0))

    bought = affordable(cash, price, wanted, Instrument("KO", lot=lot), charging)
    assert 0 <= bought <= wanted
    assert bought % lot == 0
    assert not bought or cost(bought) <= cash
    assert bought == wanted or cost(bought + lot) > cash


def test_an_odd_lot_that_is_too_dear_leaves_the_whole_ones():
    assert affordable(D(500), D(50), D("10.5"), KO, EXACT) == 10


@given(st.integers(1, 10_000), lots, st.integers(0, 10**6))
def test_a_part_is_some_lots_and_not_all_unless_one_lot_is_all(count, lot, seed):
    partial = terms(Paper(partial_fill_rate=1, seed=seed))
    part = first_part(count * lot, luck(partial, "TM1.A.0"), Instrument("KO", lot=lot))
    assert part % lot == 0
    assert lot <= part
    assert part < count * lot or count == 1


def test_an_order_has_its_own_luck_whatever_the_others_do():
    half = terms(Paper(reject_rate=0.5, partial_fill_rate=0.5, seed=7))
    assert [luck(half, f"TM1.{i}.0") for i in range(100)] == [
        luck(half, f"TM1.{i}.0") for i in reversed(range(100))
    ][::-1]


def test_another_seed_is_another_luck():
    one, other = (terms(Paper(reject_rate=0.5, seed=seed)) for seed in (1, 2))
    refs = [f"TM1.{i}.0" for i in range(64)]
    assert [luck(one, r) for r in refs] != [luck(other, r) for r in refs]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_rates_are_what_they_say(rate):
    """Of 4,000 orders; four standard deviations are 0.032 at most."""
    chances = terms(Paper(reject_rate=rate, partial_fill_rate=rate, seed=3))
    drawn = [luck(chances, f"TM1.{i}.0") for i in range(4_000)]
    for happened in ([d.rejected for d in drawn], [d.partial for d in drawn]):
        assert abs(sum(happened) / 4_000 - rate) <= (0.032 if 0 < rate < 1 else 0)


@given(prices, prices, prices, prices, prices, st.sampled_from([BUY, SELL]), st.booleans())
def test_a_limit_is_never_passed(a, b, c, d, limit, side, whole):
    low, first, second, high = sorted([a, b, c, d])
    price = bar_price(ohlc(first, high, low, second), side, limit, SLIPPING, whole=whole)
    assume(price is not None)
    assert price <= limit if side == BUY else price >= limit
