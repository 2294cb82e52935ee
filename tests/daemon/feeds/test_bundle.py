"""What ORIGIN.md says of the bundled prices is so."""

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal as D
from pathlib import Path

import numpy as np
import pytest

import daemon.feeds
from daemon.calendar import open_calendar
from daemon.clock import FakeClock, MarketClock
from daemon.feeds.bundle import BUNDLED, INDEX, STOCKS, NotBundled, benchmark, bundled
from daemon.feeds.price_file import read_prices
from daemon.feeds.replay import ReplayFeed
from state.settings import Feed, Replay

XNYS = open_calendar("XNYS")
SHAPES = {
    STOCKS: (8313, 20),
    INDEX: (8313, 1),
    "sp500_ohlcv_daily": (5031, 1),
    "nasdaq_ohlcv_daily": (5031, 1),
}


@pytest.mark.parametrize("name", BUNDLED)
def test_the_days_are_exactly_the_sessions(name):
    table = read_prices(bundled(name))

    assert table.days == XNYS.sessions_between(table.days[0], table.days[-1])
    assert table.close.shape == SHAPES[name]


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.asyncio
async def test_none_of_the_bars_is_refused(name):
    table = read_prices(bundled(name))
    clock = FakeClock(datetime(2025, 3, 3, tzinfo=UTC))
    feed = ReplayFeed(
        table,
        Replay(start=date(1990, 1, 1), pace=0),
        max_jump=Feed().max_jump,
        calendar=XNYS,
        clock=clock,
        market=MarketClock(clock, follows_feed=True),
    )
    bars = []

    async def deliver(close):
        bars.extend((close.session, bar) for bar in close.bars)

    await feed.run(deliver)

    assert feed.refused == {}
    assert bars == [(day, bar) for row, day in enumerate(table.days) for bar in table.bars(row)]
    assert len(bars) == table.close.size


def test_the_stocks_are_as_rough_as_their_origin_says():
    table = read_prices(bundled())
    closes = table.close / 1e6
    moves = np.abs(closes[1:] / closes[:-1] - 1)

    assert closes.size == 166_260
    assert (closes < 1).sum() == 5_694
    assert closes.min() == 0.098
    assert (moves > 0.20).sum() == 88
    assert moves.max() < Feed().max_jump
    assert (table.open, table.volume) == (None, None)


def test_the_indices_have_real_ranges_and_volumes():
    table = read_prices(bundled("sp500_ohlcv_daily"))

    assert (table.high > table.low).mean() > 0.99
    assert (table.volume > 0).all()


def test_prices_are_exactly_those_of_the_file():
    table = read_prices(bundled())
    header, *rows = gzip.decompress(bundled().read_bytes()).decode().splitlines()

    assert header.split(",")[1:] == list(table.symbols)
    for row, line in enumerate(rows):
        day, *closes = line.split(",")
        assert table.days[row].isoformat() == day
        assert [bar.close for bar in table.bars(row)] == [D(close) for close in closes]


def test_the_benchmark_is_the_index():
    closes = benchmark()

    assert list(closes) == read_prices(bundled()).days
    assert (closes[date(1990, 1, 2)], closes[date(2022, 12, 28)]) == (D("359.69"), D("3783.22"))


def test_what_is_not_bundled_is_said_to_be_not():
    with pytest.raises(NotBundled, match="'us_bonds' is not bundled; what is: us_stocks_daily"):
        bundled("us_bonds")


def test_each_file_has_an_origin():
    folder = Path(daemon.feeds.__file__).parent / "bundled"
    origin = (folder / "ORIGIN.md").read_text()

    assert {file.name for file in folder.glob("*.gz")} == {f"{name}.csv.gz" for name in BUNDLED}
    assert all(f"`{name}.csv.gz`" in origin for name in BUNDLED)
