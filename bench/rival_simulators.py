"""vectorbt and backtesting.py on orders that are given to them, in an environment of their own.

Run by bench/rivals.py: the orders' file as argument, a rival's name on each line of the input; one
line of JSON for each: CPU seconds, and the final equities. Knows nothing of the product.
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")


def vectorbt(given):
    """Every genome's book at once: a group of columns shares its cash."""
    import vectorbt

    sizes = given["sizes"]  # (T, genomes, N) units
    bars, genomes, count = sizes.shape
    columns = pd.MultiIndex.from_product([range(genomes), range(count)], names=["book", "symbol"])
    closes = pd.DataFrame(np.tile(given["closes"], (1, genomes)), columns=columns)
    orders = sizes.reshape(bars, genomes * count)
    began = time.process_time()
    book = vectorbt.Portfolio.from_orders(
        closes,
        size=np.where(orders == 0.0, np.nan, orders),
        fees=float(given["commission"]),
        slippage=float(given["spread"]),
        init_cash=float(given["initial"]),
        group_by="book",
        cash_sharing=True,
        call_seq="auto",
        freq="1D",
    )
    final = book.final_value()
    return time.process_time() - began, list(map(float, final))


def backtesting(given):
    """One book of one symbol, which is what it can hold; whole units, so of a cheap symbol."""
    from backtesting import Backtest, Strategy

    units, rate = given["units"], float(given["commission"])  # (T,) whole units

    class Orders(Strategy):
        def init(self):
            pass

        def next(self):
            size = int(units[len(self.data) - 1])
            if size > 0:
                self.buy(size=size)
            elif size < 0:
                self.sell(size=-size)

    prices = given["cheap"]
    days = pd.date_range("1990-01-01", periods=len(prices))
    frame = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), prices), index=days)
    began = time.process_time()
    test = Backtest(
        frame,
        Orders,
        cash=float(given["initial"]),
        commission=lambda size, price: abs(size) * price * rate,
        trade_on_close=True,
    )
    found = test.run()
    return time.process_time() - began, [float(found["_equity_curve"]["Equity"].iloc[-1])]


def main():
    """Answer each name with what it took and what it came to."""
    given = dict(np.load(sys.argv[1]))
    known = {"vectorbt": vectorbt, "backtesting": backtesting}
    for line in sys.stdin:
        seconds, final = known[line.strip()](given)
        print(json.dumps({"seconds": seconds, "final": final}), flush=True)


main()  # a script of another environment: no benchmark of its own, and nobody imports it
