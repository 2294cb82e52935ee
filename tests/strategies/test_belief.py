import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.belief import (
    COLUMNS,
    Belief,
    BeliefUnreadable,
    aligned,
    belief_bytes,
    belief_of,
    blank,
)
from strategies.genome import DEFAULT
from strategies.learning import beginning
from strategies.market_model import tables

pytestmark = pytest.mark.area("evolution and beliefs")
MODEL = tables(DEFAULT)
numbers = st.floats(allow_nan=True, allow_infinity=True)


def filled(*symbols):
    rows = np.arange(len(symbols) * len(COLUMNS), dtype=np.float64)
    return Belief(symbols, rows.reshape(len(symbols), -1), 0.5, 7.0)


@given(st.lists(numbers, min_size=15, max_size=15), numbers)
def test_a_belief_is_its_bytes_whatever_is_in_it(row, variance):
    belief = Belief(("A",), np.array([row]), variance, 3.0)
    again = belief_of(belief_bytes(belief))

    assert again.rows.tobytes() == belief.rows.tobytes()
    assert belief_bytes(again) == belief_bytes(belief)


def test_no_byte_of_any_row_can_change_unseen():
    plain = filled("A", "B", "C")
    learns = beginning(plain, MODEL)
    for whole in map(belief_bytes, (plain, learns)):
        refused_when_damaged(whole)


def refused_when_damaged(whole):
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        with pytest.raises(BeliefUnreadable):
            belief_of(bytes(damaged))


def test_symbols_come_and_go_and_the_others_stay_as_they_were():
    before = filled("A", "B", "C")
    after = aligned(before, ("C", "D", "A"), MODEL)

    assert np.array_equal(after.rows[[0, 2]], before.rows[[2, 0]])
    assert np.array_equal(after.rows[1], blank(("D",), MODEL).rows[0])
    assert (after.book_variance, after.book_count) == (0.5, 7.0)
    assert aligned(before, ("A", "B", "C"), MODEL) is before


def test_the_unseen_is_believed_to_be_as_it_mostly_is():
    assert np.array_equal(blank(("A", "B"), MODEL).posterior, [MODEL.D, MODEL.D])


def test_what_is_of_another_version_is_not_read():
    with pytest.raises(BeliefUnreadable, match="no belief"):
        belief_of(b"nonsense")
