from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.calendar import open_calendar
from daemon.feeds.bar_check import Level, Memory, Refusal
from daemon.feeds.gathering import Gathering
from daemon.feeds.market_message import DayBar
from state.quote import Bar, Missed, Quote

XNYS = open_calendar("XNYS", first=date(2021, 1, 1), last=date(2021, 12, 31))
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2021, 3, day) for day in (1, 2, 3, 4))
LATER = datetime(2021, 12, 1, tzinfo=UTC)
GRACE = 60.0


def gathering(*symbols, follows=True, after=None, **words):
    words = {"max_jump": 0.5, "grace": GRACE} | words
    return Gathering(symbols or ("KO", "PG"), XNYS, follows_feed=follows, after=after, **words)


def bar(symbol, session=MONDAY, close=50):
    return DayBar(session, Bar(symbol, D(close)))


def quote(symbol, at, last=50):
    return Quote(symbol, at, last=D(last))


def at(session, minutes):
    """So many minutes after the open."""
    return XNYS.open_of(session) + timedelta(minutes=minutes)


def taken(one, *said, wall=LATER):
    return [
        one.take_bar(each, wall) if isinstance(each, DayBar) else one.take_quote(each, wall)
        for each in said
    ]


def closes(one, wall=LATER, mono=0.0):
    found = []
    while (close := one.due(wall, mono)) is not None:
        found.append(close)
    return found


def test_a_close_is_due_as_soon_as_each_symbol_has_its_bar():
    one = gathering()
    taken(one, bar("PG"))
    assert closes(one) == []

    taken(one, bar("KO"))
    (close,) = closes(one)

    assert (close.session, close.at) == (MONDAY, XNYS.close_of(MONDAY))
    assert [b.symbol for b in close.bars] == ["KO", "PG"]
    assert close.missed == ()


def test_who_has_gone_on_to_a_later_session_is_not_waited_for():
    one = gathering(after=date(2021, 2, 26))
    taken(one, bar("KO"), bar("KO", TUESDAY), bar("PG", TUESDAY))
    first, second = closes(one)

    assert first.missed == (Missed(MONDAY, ("PG",)),)
    assert second.missed == ()


def test_by_the_feeds_clock_a_close_waits_its_grace_after_a_later_session_began():
    one = gathering()
    taken(one, bar("KO"), bar("KO", TUESDAY))

    assert closes(one, mono=100.0) == []
    assert closes(one, mono=100.0 + GRACE - 0.1) == []
    assert [c.session for c in closes(one, mono=100.0 + GRACE)] == [MONDAY]


def test_by_the_walls_clock_a_close_waits_its_grace_after_the_market_closed():
    one = gathering(follows=False)
    end = XNYS.close_of(MONDAY)
    taken(one, bar("KO"), wall=end)

    assert closes(one, wall=end) == []
    assert closes(one, wall=end + timedelta(seconds=GRACE - 1), mono=GRACE) == []
    (close,) = closes(one, wall=end + timedelta(seconds=GRACE), mono=GRACE)
    assert close.missed == (Missed(MONDAY, ("PG",)),)


def test_after_an_outage_the_bars_of_a_session_long_closed_are_waited_for_too():
    one = gathering(follows=False)
    taken(one, bar("KO"))
    assert closes(one, mono=500.0) == []

    taken(one, bar("PG"))
    (close,) = closes(one, mono=500.1)
    assert [b.symbol for b in close.bars] == ["KO", "PG"]


def test_sessions_of_which_nothing_came_are_gaps_of_every_symbol():
    one = gathering(after=MONDAY)
    taken(one, bar("KO", THURSDAY), bar("PG", THURSDAY))
    (close,) = closes(one)

    both = ("KO", "PG")
    assert close.missed == (Missed(TUESDAY, both), Missed(WEDNESDAY, both))
    assert (one.missed, one.missed_at) == (4, WEDNESDAY)


def test_a_gap_is_reported_once():
    one = gathering(after=MONDAY)
    taken(one, bar("KO", WEDNESDAY), bar("PG", WEDNESDAY))
    closes(one)
    taken(one, bar("KO", THURSDAY), bar("PG", THURSDAY))

    assert [c.missed for c in closes(one)] == [()]


def test_the_first_session_ever_has_no_gap_before_it():
    one = gathering()
    taken(one, bar("KO", THURSDAY), bar("PG", THURSDAY))

    assert closes(one)[0].missed == ()


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        pytest.param(bar("KO", TUESDAY), Refusal.DUPLICATE, id="waits already"),
        pytest.param(bar("KO", MONDAY), Refusal.DUPLICATE, id="was decided"),
        pytest.param(bar("PG", MONDAY), Refusal.OUT_OF_ORDER, id="comes after it was given up"),
        pytest.param(bar("PG", date(2021, 2, 26)), Refusal.OUT_OF_ORDER, id="of days ago"),
    ],
)
@pytest.mark.parametrize("retained", [False, True])
def test_what_is_known_or_too_late_is_refused(again, reason, retained):
    one = gathering()
    taken(one, bar("KO"), bar("KO", TUESDAY))
    closes(one, mono=0.0)
    closes(one, mono=GRACE)

    expected = Refusal.RETAINED if retained else reason
    assert one.take_bar(again, LATER, retained=retained) is expected
    assert one.refused == {expected: 1}


def test_after_a_restart_the_last_session_decided_is_known():
    memory = Memory(XNYS.close_of(MONDAY), {"KO": Level(XNYS.close_of(MONDAY), 50.0)})
    one = gathering(after=MONDAY, memory=memory)

    assert taken(one, bar("KO"), bar("PG")) == [Refusal.DUPLICATE, Refusal.OUT_OF_ORDER]


def test_a_retained_bar_that_is_news_is_taken():
    one = gathering()

    assert one.take_bar(bar("KO"), LATER, retained=True) is None


@pytest.mark.parametrize(
    ("said", "ahead"),
    [
        (bar("KO"), XNYS.close_of(MONDAY) - timedelta(seconds=6)),
        (quote("KO", at(MONDAY, 5)), at(MONDAY, 5) - timedelta(seconds=6)),
    ],
    ids=["a bar", "a quote"],
)
def test_what_is_of_the_future_is_refused(said, ahead):
    one = gathering()

    assert taken(one, said, wall=ahead) == [Refusal.FUTURE]
    assert taken(one, said, wall=ahead + timedelta(seconds=2)) == [None]


def test_a_jump_is_refused_and_its_symbol_missed():
    one = gathering(after=MONDAY, memory=Memory(None, {"KO": Level(XNYS.close_of(MONDAY), 50.0)}))
    taken(one, bar("KO", TUESDAY, 500), bar("PG", TUESDAY))
    (close,) = closes(one)

    assert [b.symbol for b in close.bars] == ["PG"]
    assert close.missed == (Missed(TUESDAY, ("KO",)),)
    assert one.refused == {Refusal.JUMP: 1}


def test_what_is_lost_of_a_close_that_nothing_is_left_of_comes_with_the_next():
    levels = {"KO": Level(XNYS.close_of(MONDAY), 50.0), "PG": Level(XNYS.close_of(MONDAY), 50.0)}
    one = gathering(after=MONDAY, memory=Memory(None, levels))
    taken(one, bar("KO", TUESDAY, 500), bar("PG", TUESDAY, 500))
    assert closes(one) == []

    taken(one, bar("KO", WEDNESDAY), bar("PG", WEDNESDAY))
    assert closes(one)[0].missed == (Missed(TUESDAY, ("KO", "PG")),)


def test_quotes_are_built_into_a_bar_on_the_markets_calendar():
    friday = date(2021, 11, 26)  # a half day
    one = gathering("KO", follows=False)
    end = XNYS.close_of(friday)
    said = [
        quote("KO", at(friday, 0), 50),
        quote("KO", at(friday, 9), 55),
        quote("KO", at(friday, 99), 45),
        quote("KO", end, 52),
    ]
    assert taken(one, *said, wall=end) == [None] * 4
    assert closes(one, wall=end) == []
    (close,) = closes(one, wall=end + timedelta(seconds=GRACE), mono=GRACE)

    assert close.at == end == datetime(2021, 11, 26, 18, tzinfo=UTC)
    assert close.bars == (Bar("KO", D(52), D(50), D(55), D(45)),)


def test_a_bar_that_is_published_counts_before_one_that_is_built():
    one = gathering("KO")
    taken(one, quote("KO", at(MONDAY, 5), 60), bar("KO"))

    assert closes(one)[0].bars == (Bar("KO", D(50)),)


def test_one_wild_quote_makes_no_range():
    one = gathering("KO", memory=Memory(None, {"KO": Level(XNYS.close_of(MONDAY), 50.0)}))
    said = [quote("KO", at(TUESDAY, n), price) for n, price in enumerate((51, 500, 52))]
    assert taken(one, *said) == [None, Refusal.JUMP, None]

    taken(one, quote("KO", at(WEDNESDAY, 0)))
    assert closes(one)[0].bars == (Bar("KO", D(52), D(51), D(52), D(51)),)


def test_a_level_that_shifted_for_good_is_believed_after_three_closes():
    one = gathering("KO", memory=Memory(None, {"KO": Level(XNYS.close_of(MONDAY), 50.0)}))
    found = []
    for day in (TUESDAY, WEDNESDAY, THURSDAY, date(2021, 3, 5)):
        taken(one, quote("KO", at(day, 5), 500))
        found += closes(one)

    assert [c.session for c in found] == [THURSDAY]
    assert one.shifted == ["KO"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        pytest.param(quote("KO", at(MONDAY, 4), 51), Refusal.OUT_OF_ORDER, id="older"),
        pytest.param(quote("KO", at(MONDAY, 5), 50), Refusal.DUPLICATE, id="the same"),
        pytest.param(quote("KO", at(MONDAY, 5), 51), None, id="another of the same moment"),
        pytest.param(quote("KO", at(MONDAY, 391), 51), Refusal.OUTSIDE_SESSION, id="after hours"),
    ],
)
def test_a_quote_after_another(second, reason):
    one = gathering()
    assert taken(one, quote("KO", at(MONDAY, 5)), second) == [None, reason]


def test_of_quotes_only_the_newest_of_each_symbol_is_kept():
    one = gathering("KO", "PG")
    for n in range(1000):
        taken(one, quote("KO", at(MONDAY, 0) + timedelta(seconds=n), 50 + n % 7))
    taken(one, quote("PG", at(MONDAY, 1)))
    fresh = one.fresh()

    assert {s: q.at for s, q in fresh.items()} == {
        "KO": at(MONDAY, 0) + timedelta(seconds=999),
        "PG": at(MONDAY, 1),
    }
    assert one.conflated == 999
    assert one.fresh() == {}


SYMBOLS = ("A", "B", "C")
DAYS = list(XNYS.sessions_between(date(2021, 3, 1), date(2021, 3, 12)))


@given(st.data())
def test_however_symbols_interleave_the_closes_are_the_same_and_every_hole_is_a_gap(data):
    """Each symbol's own bars come in order; how those of different symbols mix is chance."""
    held = data.draw(st.sets(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(DAYS[1:-1]))))
    held |= {(symbol, day) for symbol in SYMBOLS for day in (DAYS[0], DAYS[-1])}
    rest = {symbol: sorted(day for s, day in held if s == symbol) for symbol in SYMBOLS}
    one = gathering(*SYMBOLS)
    found = []
    while any(rest.values()):
        symbol = data.draw(st.sampled_from([s for s in SYMBOLS if rest[s]]))
        assert taken(one, bar(symbol, rest[symbol].pop(0))) == [None]
        found += closes(one)  # its grace never ends: who is behind is waited for

    came = {(b.symbol, close.session) for close in found for b in close.bars}
    gaps = [(s, gap.session) for close in found for gap in close.missed for s in gap.symbols]
    assert [close.session for close in found] == sorted({day for _, day in held})
    assert came == held
    assert len(gaps) == len(set(gaps))
    assert set(gaps) == {(s, day) for s in SYMBOLS for day in DAYS} - held
