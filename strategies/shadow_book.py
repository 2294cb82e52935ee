"""A book of nobody's money: what weights would have earned, after costs, fills and bands."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.terms import Terms

Array = NDArray[np.float64]


class Book(msgspec.Struct, frozen=True):
    """What is held after a close, and what the next bar fills. (N,) each but money."""

    units: Array
    ordered: Array  # units, signed; whatever the next bar has no price for is let go
    last: Array  # prices, 0 where there never was one
    cash: float
    equity: float  # at the last close

    @property
    def held(self) -> Array:
        """Return (N,) the fraction of equity in each."""
        if not self.equity > 0.0:
            return np.zeros(len(self.units))
        return np.asarray(self.units * self.last / self.equity)


def opened(count: int, money: float) -> Book:
    """Return a book of `count` symbols that holds nothing but money."""
    nothing = np.zeros(count)
    return Book(nothing, nothing, nothing, money, money)


def closed(book: Book, fills: Array, closes: Array, terms: Terms) -> Book:
    """Return a book after a bar: orders filled at (N,) `fills`, holdings worth (N,) `closes`.

    Costs are a fraction of price against every fill, and of what was traded.
    """
    units, cash = book.units, book.cash
    filled = np.isfinite(fills) & (book.ordered != 0.0)
    if filled.any():
        price = fills * np.where(book.ordered > 0.0, 1.0 + terms.spread, 1.0 - terms.spread)
        worth = np.where(filled, book.ordered * price, 0.0)
        cash -= float(worth.sum() + np.abs(worth).sum() * terms.commission)
        units = units + np.where(filled, book.ordered, 0.0)
    last = np.where(np.isfinite(closes), closes, book.last)
    return Book(units, np.zeros(len(units)), last, cash, cash + float((units * last).sum()))


def capped(weights: Array, terms: Terms) -> Array:
    """Return (N,) weights within the caps: each cut, then all scaled alike."""
    weights = np.clip(weights, -terms.max_weight, terms.max_weight)
    gross = float(np.abs(weights).sum())
    return weights * min(1.0, terms.max_gross / gross) if gross > 0.0 else weights


def ordering(book: Book, weights: Array, terms: Terms) -> Book:
    """Return a book that has ordered what takes it to (N,) `weights`, the near left alone."""
    if not book.equity > 0.0:
        return book
    apart = np.abs(weights - book.held)
    trades = (apart >= terms.order_band) & (apart * book.equity >= terms.min_trade)
    trades = (trades | ((weights == 0.0) & (book.units != 0.0))) & (book.last > 0.0)
    wanted = weights * book.equity / np.where(book.last > 0.0, book.last, 1.0) - book.units
    return msgspec.structs.replace(book, ordered=np.where(trades, wanted, 0.0))
