"""What is bred on never touches what judges it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.splits import Fold, Segments, segments, walk_forward


@given(st.integers(100, 9000), st.integers(1, 8), st.integers(0, 20), st.integers(0, 20))
def test_training_ends_a_purge_before_its_test_and_tests_never_overlap(bars, folds, purge, embargo):
    try:
        made = walk_forward(0, bars, folds, purge, embargo)
    except ValueError:
        assert (bars - bars // 2) // folds - embargo < 2 or bars // 2 - purge < 2
        return

    assert len(made) == folds
    for fold in made:
        assert fold.train[0] == 0
        assert fold.train[1] == fold.test[0] - purge
        assert fold.test[1] - fold.test[0] >= 2
    for before, after in pairwise(made):
        assert after.test[0] == before.test[1] + embargo
    assert made[-1].test[1] == bars


def test_folds_expand_over_the_second_half():
    assert walk_forward(0, 1000, 2, 10, 5) == (
        Fold((0, 490), (500, 745)),
        Fold((0, 740), (750, 1000)),
    )


def test_a_history_too_short_says_so():
    with pytest.raises(ValueError, match=r"5 folds with a purge of 3 .* do not fit"):
        walk_forward(0, 20, 5, 3, 3)


def test_segments_lie_a_gap_apart():
    assert segments(1000, 600, 800, 20) == Segments((0, 600), (620, 800), (820, 1000))


def test_a_segment_without_bars_is_refused():
    with pytest.raises(ValueError, match="the test part is bars 1000 to 1000"):
        segments(1000, 600, 990, 10)
