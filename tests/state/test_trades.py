"""The orders that traded, with what each cost beside its decision."""

from decimal import Decimal as D

from state.period import Period
from state.report import report
from state.trades import MOST, trades
from tests.state.story import STORY, recorded


def told():
    return report(recorded(STORY), Period())


def test_the_trades_of_the_story():
    by_symbol = {(t.symbol, t.side): t for t in told().trades}
    bought, sold = by_symbol["KO", "buy"], by_symbol["KO", "sell"]

    assert len(told().trades) == told().metrics.trades == 3
    assert (bought.quantity, bought.price, bought.notional, bought.fees) == (
        D(100), D(51), D(5_100), D(1)
    )  # fmt: skip
    assert bought.slippage_bps == 200.0  # decided at 50, bought at 51
    assert sold.slippage_bps == -192.31  # decided at 52, sold at 53


def test_fees_add_up_to_the_reports():
    assert sum(t.fees for t in told().trades) == told().metrics.fees


def test_only_the_last_ones_are_listed():
    from state.chronicle import chronicle

    placed = [p for p in chronicle(recorded(STORY), Period()).placed.values() if p.order.filled]

    assert len(trades(placed * MOST)) == MOST
