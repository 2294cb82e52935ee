"""The bundled index beside which a report is put. It is data: the daemon need not be loaded."""

import csv
import gzip
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

NAME: Final = "S&P 500"
FILE: Final = Path(__file__).parents[1] / "daemon/feeds/bundled/sp500_index_daily.csv.gz"


def benchmark() -> Mapping[date, float]:
    """Return the index's closes by session, as the daemon's own reports have them."""
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        next(rows)
        return {date.fromisoformat(day): float(close) for day, close in rows}
