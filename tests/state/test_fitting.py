from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.fitting import Wish, fitted
from state.instrument import Instrument


def wish(size, price, lot=1, beyond=0):
    size, price = D(str(size)), D(str(price))
    return Wish(Instrument("X", lot=D(str(lot))), price, size, size * price + beyond)


@pytest.mark.parametrize(
    ("wishes", "budget", "least", "got"),
    [
        pytest.param({"A": (10, 5), "B": (5, 10)}, 100, 0, {"A": 10, "B": 5}, id="enough for all"),
        pytest.param({"A": (10, 5), "B": (5, 10)}, 1000, 0, {"A": 10, "B": 5}, id="more than that"),
        pytest.param({"A": (20, 5), "B": (10, 10)}, 100, 0, {"A": 10, "B": 5}, id="half for each"),
        pytest.param({"A": (1, 60), "B": (1, 50)}, 70, 0, {"A": 1}, id="too thin to share"),
        pytest.param({"A": (1, 60), "B": (1, 50)}, 55, 0, {"B": 1}, id="what still fits"),
        pytest.param(
            {"A": (3, 60), "B": (1, 50)}, 170, 0, {"A": 2, "B": 1}, id="what is left over"
        ),
        pytest.param({"A": (1, 60)}, 59, 0, {}, id="less than a lot"),
        pytest.param(
            {"A": (10, 10), "B": (10, 10)}, 100, 60, {"A": 10}, id="less than is worth it"
        ),
        pytest.param({"A": (10, 10)}, 0, 0, {}, id="no money"),
        pytest.param({"A": (10, 10)}, -5, 0, {}, id="overspent"),
        pytest.param({"A": (0, 10)}, 50, 0, {}, id="no wish"),
        pytest.param({}, 100, 0, {}, id="no wishes"),
        pytest.param({"A": (10, 10, "0.1")}, 55, 0, {"A": D("5.5")}, id="in fractions"),
    ],
)
def test_a_budget_is_shared_in_whole_lots(wishes, budget, least, got):
    asked = {symbol: wish(*each) for symbol, each in wishes.items()}

    assert fitted(asked, D(budget), D(least), D(0)) == got


@given(
    st.dictionaries(
        st.sampled_from("ABCDEF"), st.tuples(st.integers(0, 500), st.integers(1, 300)), min_size=1
    ),
    st.integers(0, 10),
    st.integers(0, 50_000),
    st.sampled_from([0, 100, 1000]),
    st.sampled_from([0, 500]),
)
def test_nobody_overspends_and_nothing_worthwhile_is_left(wishes, beyond, budget, least, drift):
    asked = {symbol: wish(*each, beyond=beyond) for symbol, each in wishes.items()}
    got = fitted(asked, D(budget), D(least), D(drift))
    spent = sum(asked[s].worth(size) for s, size in got.items())
    left = {s: wish(w.size - got.get(s, 0), w.price, beyond=beyond) for s, w in asked.items()}

    assert spent <= budget
    assert all(0 < size <= asked[s].size for s, size in got.items())
    assert all(asked[s].worth(size) >= least for s, size in got.items())
    assert fitted(left, D(budget) - spent, D(least), D(drift)) == {}
