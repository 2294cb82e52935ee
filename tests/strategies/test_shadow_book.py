"""A book of nobody's money: it trades at the next bar, pays for it, and leaves the near alone."""

import numpy as np
import pytest

from strategies.shadow_book import Book, capped, closed, opened, ordering
from strategies.terms import Terms

TERMS = Terms(spread=0.01, commission=0.0, order_band=0.05, min_trade=0.0, initial=1.0)
BOTH = np.array([10.0, 20.0])


def holding(weights):
    """Return a book that wanted weights at a close, and had them filled at the next, the same."""
    book = closed(opened(2, 1.0), BOTH, BOTH, TERMS)
    return closed(ordering(book, np.array(weights), TERMS), BOTH, BOTH, TERMS)


def test_an_order_fills_at_the_next_bar_and_costs():
    book = closed(opened(2, 1.0), BOTH, BOTH, TERMS)
    book = ordering(book, np.array([0.5, 0.0]), TERMS)
    assert book.held.tolist() == [0.0, 0.0]

    book = closed(book, np.array([11.0, 20.0]), np.array([12.0, 20.0]), TERMS)
    assert book.units.tolist() == pytest.approx([0.05, 0.0])
    assert book.cash == pytest.approx(1.0 - 0.05 * 11.0 * 1.01)
    assert book.equity == pytest.approx(book.cash + 0.05 * 12.0)
    assert book.ordered.tolist() == [0.0, 0.0]


def test_what_has_no_price_is_not_traded_and_keeps_its_worth():
    book = ordering(holding([0.5, 0.25]), np.array([0.5, 0.0]), TERMS)
    after = closed(book, np.array([10.0, np.nan]), np.array([10.0, np.nan]), TERMS)

    assert after.units.tolist() == book.units.tolist()
    assert after.equity == pytest.approx(book.equity)


@pytest.mark.parametrize(
    ("wanted", "trades"),
    [
        pytest.param(0.54, False, id="within the band"),
        pytest.param(0.56, True, id="beyond it"),
        pytest.param(0.0, True, id="a full exit, however small"),
    ],
)
def test_what_is_near_its_target_is_left_alone(wanted, trades):
    units = np.array([0.05 if wanted else 0.001, 0.0])
    cash = 1.0 - float(units @ BOTH)
    book = ordering(Book(units, 0 * units, BOTH, cash, 1.0), np.array([wanted, 0.04]), TERMS)

    assert bool(book.ordered[0]) == trades
    assert book.ordered[1] == 0.0


def test_a_ruined_book_trades_no_more():
    book = closed(holding([-1.0, 0.0]), np.array([30.0, 20.0]), np.array([30.0, 20.0]), TERMS)

    assert book.equity < 0.0
    assert not book.held.any()
    assert not ordering(book, np.array([1.0, 1.0]), TERMS).ordered.any()


def test_weights_are_cut_and_then_scaled_alike():
    terms = Terms(max_weight=0.5, max_gross=0.6)

    assert capped(np.array([0.9, -0.3, 0.4]), terms) == pytest.approx([0.25, -0.15, 0.2])
