"""The alarm that the model no longer fits: where it is put, how often false, how soon true."""

import numpy as np
import pytest

from bench.drift_alarm import NEAR, NOISE, alarmed, changes, false_alarms, trained_level
from strategies.drift import ALARMING, CALMING


def test_it_is_where_one_bar_in_two_hundred_was_in_training():
    assert trained_level() == pytest.approx(ALARMING, abs=NEAR)


def test_on_prices_that_nothing_was_fitted_to_it_is_raised_less_than_once_in_five_years():
    for name, _, later in false_alarms():
        assert later.yearly < 0.2, name
        assert later.share < 0.02, name


def test_nonsense_is_found_and_what_fits_is_left_alone():
    found = {name: (share, delay) for name, share, delay in changes()}

    share, delay = found[NOISE]
    assert share == 1.0
    assert delay < 126
    assert found["nothing"][0] < 0.02


def test_it_stands_until_the_score_is_well_below():
    between = (ALARMING + CALMING) / 2
    score = np.array([[between], [ALARMING + 1], [between], [CALMING - 1], [between]])

    assert alarmed(score).ravel().tolist() == [False, True, True, False, False]
