from functools import cache
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.active_inference import decide
from strategies.belief import BLOCKED, COLUMNS, belief_bytes, belief_of, blank
from strategies.genome import DEFAULT
from strategies.inference import NumpyEngine
from strategies.market_model import LONG_ONLY, LONG_SHORT, tables
from strategies.observation import Bars, closes_only
from strategies.sizing import Limits

pytestmark = pytest.mark.area("evolution and beliefs")
LIMITS = Limits(max_weight=0.4, max_gross=1.0)
GENOME = DEFAULT.but(  # a new fit of what ships changes no test
    stay_down=0.97, stay_up=0.98, stay_calm=0.985, stay_normal=0.98, stay_stressed=0.96,
    mu_down=-0.05, mu_up=0.06, s_calm=0.55, s_normal=0.85, s_stressed=1.6, df=8.0,
    range_mean=1.5, range_spread=0.45, precision_z=1.0, precision_r=0.7,
    risk=0.03, gamma=60.0, kappa=1.0, volatility_target=0.15,
)  # fmt: skip
NAMES = ("A", "B", "C", "D")
BARS = 150


def walk(seed, bars=BARS, symbols=4, gaps=0.0):
    """Return (bars, symbols) closes, highs and lows of a random walk, some of them missing."""
    chance = np.random.default_rng(seed)
    moves = chance.normal(0.0004, np.linspace(0.008, 0.02, symbols), (bars, symbols))
    close = 50.0 * np.exp(np.cumsum(moves, axis=0))
    spread = np.abs(chance.normal(0.0, 0.01, close.shape))
    close[chance.random(close.shape) < gaps] = np.nan
    return close, close * (1.0 + spread), close * (1.0 - spread)


@cache
def model_of(levels=LONG_ONLY, **changed):
    return tables(GENOME.but(**changed), levels)


def decisions(model, market, limits=LIMITS, belief=None, held=None, first=0):
    """Return the thought of each bar, holding what was wanted at the bar before."""
    close, high, low = market
    engine = NumpyEngine(model)
    symbols = NAMES[: close.shape[1]]
    belief = belief or blank(symbols, model)
    held = np.zeros(close.shape[1]) if held is None else held
    path = []
    for t in range(first, len(close)):
        bars = Bars(close[t], high[t], low[t])
        path.append(decide(model, engine, belief, bars, held, limits))
        belief, held = path[-1].belief, path[-1].weights
    return path


def weights(path):
    return np.array([thought.weights for thought in path])


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=8)
@given(seed=seeds, cut=st.integers(2, BARS - 1), factor=st.sampled_from([0.1, 1.5, np.nan]))
def test_changing_the_future_changes_nothing_before_it(seed, cut, factor):
    market = walk(seed)
    other = tuple(np.vstack([part[:cut], part[cut:] * factor]) for part in market)

    for before, after in zip(
        decisions(model_of(), market)[:cut], decisions(model_of(), other)[:cut], strict=True
    ):
        assert before.weights.tobytes() == after.weights.tobytes()
        assert belief_bytes(before.belief) == belief_bytes(after.belief)


@settings(max_examples=8)
@given(seed=seeds, at=st.integers(1, BARS - 1))
def test_a_belief_restored_at_any_bar_goes_on_bit_by_bit(seed, at):
    market = walk(seed, gaps=0.05)
    whole = decisions(model_of(), market)
    stored = belief_of(belief_bytes(whole[at - 1].belief))
    resumed = decisions(model_of(), market, belief=stored, held=whole[at - 1].weights, first=at)

    assert weights(resumed).tobytes() == weights(whole[at:]).tobytes()
    assert belief_bytes(resumed[-1].belief) == belief_bytes(whole[-1].belief)


def test_killed_a_hundred_times_it_ends_as_if_undisturbed():
    """Each time nothing is left but the bytes, and what the broker holds."""
    market, chance = walk(31, bars=400, gaps=0.02), np.random.default_rng(31)
    whole = decisions(model_of(), market)
    cuts = [0, *sorted(chance.choice(np.arange(1, 400), 100, replace=False).tolist()), 400]
    belief, held = None, None
    for start, end in pairwise(cuts):
        part = tuple(column[:end] for column in market)
        lived = decisions(model_of(), part, belief=belief, held=held, first=start)
        assert weights(lived).tobytes() == weights(whole[start:end]).tobytes()
        belief, held = belief_of(belief_bytes(lived[-1].belief)), lived[-1].weights

    assert belief_bytes(belief) == belief_bytes(whole[-1].belief)


@settings(max_examples=16)
@given(
    seed=seeds,
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    levels=st.sampled_from([LONG_ONLY, LONG_SHORT]),
    most=st.sampled_from([0.0, 0.1, 1.0]),
    gross=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_weights_are_finite_and_within_the_limits_whatever_is_missing(
    seed, gaps, levels, most, gross
):
    model = model_of(levels, weight_fast=0.7, stop=4.0)
    path = decisions(model, walk(seed, gaps=gaps), Limits(most, gross))

    assert np.isfinite(weights(path)).all()
    assert np.abs(weights(path)).max() <= most + 1e-9
    assert np.abs(weights(path)).sum(axis=1).max() <= gross + 1e-8
    assert all(np.isfinite(thought.belief.rows).all() for thought in path)
    assert levels is LONG_SHORT or weights(path).min() >= 0.0


def test_it_trades_once_it_knows_the_scale_of_each_and_of_the_book():
    path = decisions(model_of(), walk(1))
    began = [n for n, thought in enumerate(path) if thought.seen.usable.all()]

    assert began[0] == 40  # 20 returns for each scale, then 20 of the book they make
    assert not weights(path[:40]).any()
    assert weights(path[40:]).sum(axis=1).min() > 0.0


def test_a_missing_bar_keeps_what_is_held_and_the_belief_as_it_was():
    close, high, low = walk(2)
    close[100, 1] = np.nan
    path = decisions(model_of(band=0.0), (close, high, low))

    assert path[100].weights[1] == path[99].weights[1]
    assert path[100].belief.rows[1, :6].tobytes() == path[99].belief.rows[1, :6].tobytes()
    assert path[100].seen.z_bin.tolist()[1] == -1
    assert path[101].seen.z_bin[1] >= 0  # the next return spans the gap


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda high, low: (high * np.nan, low), id="no high"),
        pytest.param(lambda high, low: (low, high), id="high below low"),
        pytest.param(lambda high, low: (high, low * 0.0), id="low of zero"),
    ],
)
def test_a_range_that_is_none_is_missing_and_nothing_else(spoil):
    close, high, low = walk(3)
    nothing = np.full_like(close, np.nan)
    spoiled = decisions(model_of(), (close, *spoil(high, low)))
    plain = decisions(model_of(), (close, nothing, nothing))

    assert weights(spoiled).tobytes() == weights(plain).tobytes()
    assert (spoiled[-1].seen.range_bin == -1).all()


def test_ranges_are_evidence():
    close, high, low = walk(3)
    wide = decisions(model_of(), (close, high * 1.03, low * 0.97))[-1]
    narrow = decisions(model_of(), (close, close * 1.001, close * 0.999))[-1]
    stressed = [2, 5]

    assert wide.found.posterior[:, stressed].sum() > narrow.found.posterior[:, stressed].sum()


def test_a_wilder_market_is_held_less():
    calm = walk(4)[0]
    moves = np.diff(np.log(calm), axis=0)
    moves[100:] *= 3.0
    wild = np.vstack([calm[:1], calm[0] * np.exp(np.cumsum(moves, axis=0))])
    nothing = np.full_like(calm, np.nan)
    of_calm = decisions(model_of(), (calm, nothing, nothing))[-1]
    of_wild = decisions(model_of(), (wild, nothing, nothing))[-1]

    assert of_wild.found.exposure.max() < of_calm.found.exposure.min()
    assert of_wild.weights.sum() < 0.5 * of_calm.weights.sum()


@pytest.mark.parametrize("column", range(len(COLUMNS)), ids=COLUMNS)
def test_a_belief_that_is_not_finite_is_reset_closed_and_said_so(column):
    path = decisions(model_of(), walk(5))
    belief = path[-1].belief
    belief.rows[2, column] = np.nan
    thought = decide(
        model_of(),
        NumpyEngine(model_of()),
        belief,
        closes_only(walk(5)[0][-1]),
        path[-1].weights,
        LIMITS,
    )

    assert thought.found.ok.tolist() == [True, True, False, True]
    assert thought.weights[2] == 0.0
    assert thought.weights[[0, 1, 3]].all()
    assert np.isfinite(thought.belief.rows).all()


def test_a_book_whose_volatility_is_not_finite_learns_it_anew():
    path = decisions(model_of(), walk(5))
    broken = msgspec.structs.replace(path[-1].belief, book_variance=np.inf)
    again = decisions(model_of(), walk(5), belief=broken, held=path[-1].weights, first=BARS - 30)

    assert again[0].belief.book_count == 1.0
    assert again[0].found.ok.all()
    assert again[10].weights.tolist() == again[0].weights.tolist()  # kept while it is unknown
    assert again[25].seen.usable.all()


def test_a_stop_closes_a_position_that_fell_and_lets_it_back_later():
    close, *_ = walk(6, bars=200)
    close[120:126, 0] *= 0.97 ** np.arange(1, 7)
    close[126:, 0] *= 0.97**6
    nothing = np.full_like(close, np.nan)
    path = decisions(model_of(stop=6.0, cooldown=15.0, band=0.0), (close, nothing, nothing))
    closed = [n for n in range(115, 200) if path[n].weights[0] == 0.0]

    assert 120 <= closed[0] <= 126
    assert closed == list(range(closed[0], closed[0] + 15))
    assert path[closed[0]].belief.rows[0, BLOCKED] == 15.0
    assert path[closed[-1] + 1].weights[0] > 0.0


def test_a_change_within_the_band_is_not_made():
    banded, free = (decisions(model_of(band=band), walk(7)) for band in (0.03, 0.0))
    changes = np.abs(np.diff(weights(banded[60:]), axis=0))

    assert (changes[changes > 0.0] >= 0.03 - 2e-9).all()
    assert (changes == 0.0).mean() > 0.5
    assert (np.diff(weights(free[60:]), axis=0) != 0.0).mean() > 0.9


def test_reluctance_lowers_turnover():
    turnover = [
        np.abs(np.diff(weights(decisions(model_of(kappa=kappa, band=0.0), walk(8))[60:]), axis=0))
        for kappa in (0.0, 10.0)
    ]
    assert turnover[1].sum() < 0.7 * turnover[0].sum()


def test_momentum_tilts_towards_what_rose():
    close, *_ = walk(9)
    close[:, 0] *= 1.003 ** np.arange(BARS)
    close[:, 1] *= 0.997 ** np.arange(BARS)
    nothing = np.full_like(close, np.nan)
    thought = decisions(model_of(weight_slow=0.3), (close, nothing, nothing))[-1]

    assert thought.tilt[0] > 1.0 > thought.tilt[1]
    assert decisions(model_of(), (close, nothing, nothing))[-1].tilt.tolist() == [1.0] * 4


def test_nets_and_grosses_are_capped():
    path = decisions(
        model_of(LONG_SHORT, mu_up=0.25, gamma=300.0, net=0.05, gross=0.5, band=0.0), walk(10)
    )
    assert np.abs(weights(path).sum(axis=1)).max() <= 0.05 + 1e-8
    assert np.abs(weights(path)).sum(axis=1).max() <= 0.5 + 1e-8


def test_what_is_shown_to_people_fits_together():
    thought = decisions(model_of(), walk(11))[-1]

    assert np.allclose(thought.surprise, -np.log(thought.found.evidence))
    assert np.allclose(thought.found.actions.sum(axis=1), 1.0)
    assert ((thought.entropy >= 0.0) & (thought.entropy <= np.log(6.0))).all()
    assert np.allclose(thought.found.exposure * thought.seen.capacity, thought.weights, atol=0.011)


def test_the_order_of_the_symbols_matters_only_in_the_last_bits():
    close, high, low = walk(12)
    order = [2, 0, 3, 1]
    straight = weights(decisions(model_of(), (close, high, low)))
    shuffled = weights(decisions(model_of(), (close[:, order], high[:, order], low[:, order])))
    assert np.allclose(shuffled, straight[:, order], atol=2e-9)
