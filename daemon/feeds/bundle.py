"""The prices that come with the daemon; bundled/ORIGIN.md says where each file is from."""

import csv
import gzip
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

STOCKS: Final = "us_stocks_daily"
INDEX: Final = "sp500_index_daily"
BUNDLED: Final = (STOCKS, INDEX, "sp500_ohlcv_daily", "nasdaq_ohlcv_daily")

FLATTERING: Final = (
    "bundled prices are of companies that survived until 2022: they flatter every long strategy"
)


class NotBundled(LookupError):
    """No bundled file of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not bundled; what is: {', '.join(BUNDLED)}")


def bundled(name: str = STOCKS) -> Path:
    """Return the path of a bundled file of daily prices; raises NotBundled."""
    if name not in BUNDLED:
        raise NotBundled(name)
    return Path(__file__).with_name("bundled") / f"{name}.csv.gz"


def benchmark() -> Mapping[date, Decimal]:
    """Return the closes of the S&P 500 index, dividends not included, by session."""
    with gzip.open(bundled(INDEX), "rt", encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        next(rows)
        return {date.fromisoformat(day): Decimal(close) for day, close in rows}
