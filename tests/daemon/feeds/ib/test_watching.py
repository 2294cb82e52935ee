from datetime import UTC, date, datetime
from decimal import Decimal as D

from daemon.calendar import open_calendar
from daemon.feeds.ib.watching import Watching
from state.quote import Bar, Quote

XNYS = open_calendar("XNYS", first=date(2021, 1, 1), last=date(2021, 12, 31))
MONDAY = date(2021, 3, 1)  # 14:30 to 21:00


def at(hour, minute=0):
    return datetime(2021, 3, 1, hour, minute, tzinfo=UTC)


def quote(hour, price, symbol="KO"):
    return Quote(symbol, at(hour), last=D(price))


def watched(since, *quotes):
    watching = Watching(XNYS)
    watching.live(since)
    for one in quotes:
        watching.take(one)
    return watching


def test_a_session_seen_from_its_open_to_its_close_makes_bars():
    watching = watched(at(14), quote(15, "50"), quote(17, "52"), quote(20, "51"))
    (day,) = watching.bars(MONDAY, ["KO"])
    assert (day.session, day.bar) == (MONDAY, Bar("KO", D(51), D(50), D(52), D(50)))


def test_one_of_which_the_beginning_was_not_seen_makes_none():
    assert not watched(at(15), quote(16, "50")).bars(MONDAY, ["KO"])


def test_one_with_a_break_makes_none():
    watching = watched(at(14), quote(15, "50"))
    watching.broken()
    watching.live(at(16))
    watching.take(quote(17, "51"))
    assert not watching.bars(MONDAY, ["KO"])


def test_one_without_a_price_of_every_symbol_makes_none():
    assert not watched(at(14), quote(15, "50")).bars(MONDAY, ["KO", "PG"])


def test_a_quote_of_a_closed_market_is_none():
    assert not Watching(XNYS).take(quote(22, "50"))
