from datetime import date
from itertools import islice

import numpy as np
import pytest

from daemon.calendar import open_calendar
from daemon.feeds.prices import PriceFileInvalid, PriceTable
from daemon.feeds.reel import Reel
from state.settings import Replay

XNYS = open_calendar("XNYS")


def november(number):
    return date(2021, 11, number)


def reel(*days, **replay):
    """A reel of the days of that November; row 0 is the first of them, whatever its day."""
    table = PriceTable(
        "x", [november(n) for n in days], range(len(days)), ("KO",), np.ones((len(days), 1), int)
    )
    return Reel(table, Replay(**{"start": date(1990, 1, 1), **replay}), XNYS)


def frames(played):
    return [((day.month, day.day), row) for day, row in played]


def test_rows_are_played_in_the_order_of_the_file():
    assert frames(reel(22, 24, 23, 24, 26).after(None)) == [
        ((11, 22), 0), ((11, 24), 1), ((11, 23), 2), ((11, 24), 3), ((11, 26), 4),
    ]  # fmt: skip


def test_after_a_session_come_the_later_days():
    assert frames(reel(22, 24, 23, 26).after(november(23))) == [((11, 24), 1), ((11, 26), 3)]


def test_a_loop_repeats_only_the_rows_that_could_be_played():
    """The 25th is no session, and the second 22nd comes late: no one plays them twice."""
    looped = reel(22, 25, 26, 22, 29, at_end="loop")

    assert frames(islice(looped.after(november(29)), 4)) == [
        ((11, 30), 0), ((12, 1), 2), ((12, 2), 4), ((12, 3), 0),
    ]  # fmt: skip


def test_only_the_start_of_a_repetition_is_a_seam():
    looped = reel(22, 23, 24, at_end="loop")

    assert looped.is_seam(november(26), 0)
    assert not looped.is_seam(november(29), 1)
    assert not looped.is_seam(november(22), 0)
    assert not reel(22, 23, 24).is_seam(november(26), 0)


def test_before_a_session_come_the_rows_from_before_the_start_too():
    late = reel(22, 23, 24, 26, start=november(24))

    assert frames(late.before(november(26), 2)) == [((11, 23), 1), ((11, 24), 2)]
    assert frames(late.before(november(26), 9)) == [((11, 22), 0), ((11, 23), 1), ((11, 24), 2)]


def test_before_a_repetition_come_the_ones_before_it():
    looped = reel(22, 23, 24, at_end="loop", start=november(23))

    assert frames(looped.before(date(2021, 12, 1), 4)) == [
        ((11, 24), 2), ((11, 26), 1), ((11, 29), 2), ((11, 30), 1),
    ]  # fmt: skip


def test_a_loop_ends_with_the_calendar():
    last = XNYS.previous_session(XNYS.last)

    assert [day for day, _ in reel(22, 23, at_end="loop").after(last)] == [XNYS.last]


def test_one_session_is_not_enough():
    with pytest.raises(PriceFileInvalid, match="too short: 1 sessions"):
        reel(22, 22, 25)
