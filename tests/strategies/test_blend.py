"""Several strategies with capital of their own: books, evidence, bounds, halts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.blend import Plan, Rule, asked, begun, met, packed, together, unpacked
from strategies.terms import Terms

TERMS = Terms(
    spread=0.0, commission=0.0, max_weight=1.0, max_gross=1.0, order_band=0.0, min_trade=0.0,
    initial=1.0,
)  # fmt: skip
RISING, FALLING = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def plan(*, adapt=0.0, least=0.0, most=1.0, max_drawdown=1.0, weights=(0.5, 0.3)):
    rules = (
        Rule(name, weight, least, most, max_drawdown)
        for name, weight in zip(("up", "down"), weights, strict=True)
    )
    return Plan(tuple(rules), adapt, TERMS)


def market(bars, seed=1):
    """Two symbols, of which the first rises and the second falls, by uneven steps."""
    chance = np.random.default_rng(seed)
    steps = chance.normal([0.004, -0.004], 0.01, (bars, 2))
    return 100.0 * np.exp(np.cumsum(steps, axis=0))


def played(of, closes, halted=(), members=None):
    members = begun(of, 2) if members is None else members
    for row in closes:
        members = asked(of, met(of, members, row, halted), (RISING, FALLING))
    return members


def capital(members):
    return [member.share.capital for member in members]


def test_the_account_holds_what_each_wants_of_its_capital_and_the_rest_is_cash():
    members = played(plan(), market(5))

    assert together(members).tolist() == [0.5, 0.3]
    assert capital(members) == [0.5, 0.3]


def test_each_book_earns_what_its_own_weights_do():
    closes = market(50)
    for member, column in zip(played(plan(), closes), (0, 1), strict=True):
        grown = closes[-1, column] / closes[1, column]  # filled at the second close
        assert member.share.equity == pytest.approx(grown, rel=1e-3)  # ordered a close before


def test_capital_goes_to_who_does_better_within_bounds_and_the_sum_stays():
    closes, of = market(120), plan(adapt=0.1, least=0.2, most=0.6)
    free = played(plan(adapt=0.1), closes)
    bound = [capital(played(of, closes[:bars])) for bars in range(90, 120)]

    assert capital(free)[0] > 0.7
    assert sum(capital(free)) == pytest.approx(0.8)
    assert max(up for up, _ in bound) == pytest.approx(0.6)
    assert min(down for _, down in bound) == pytest.approx(0.2)


def test_no_return_is_evidence_before_its_volatility_is_known():
    assert capital(played(plan(adapt=1.0), market(20))) == pytest.approx([0.5, 0.3])
    assert capital(played(plan(adapt=1.0), market(30)))[0] > 0.5


def test_evidence_is_by_risk_not_by_exposure():
    """Half as much of the same is no worse: its returns are half, and so is its volatility."""
    of, closes = plan(adapt=0.2, weights=(0.4, 0.4)), market(200)
    members = begun(of, 2)
    for row in closes:
        members = asked(of, met(of, members, row, ()), (RISING, RISING / 2))

    assert capital(members) == pytest.approx([0.4, 0.4], abs=0.01)


def test_a_member_whose_book_falls_too_far_is_halted_and_its_capital_is_cash():
    of, closes = plan(max_drawdown=0.2), market(150)
    members, fell = begun(of, 2), []
    for n, row in enumerate(closes):
        halted = {member.share.name for member in members if member.share.halted}
        members = asked(of, met(of, members, row, halted), (RISING, FALLING))
        fell += [n for member in members if member.share.fell]

    up, down = members
    assert len(fell) == 1  # told once: from then on it is halted
    assert not up.share.halted
    assert down.share.halted
    assert down.share.drawdown > 0.2
    assert together(members).tolist() == [0.5, 0.0]


def test_a_member_that_is_resumed_counts_its_losses_afresh():
    of = plan(max_drawdown=0.2)
    members = played(of, market(150), halted={"down"})
    assert members[1].share.drawdown > 0.2
    quiet = market(150)[-1]
    members = met(of, members, quiet, ())

    assert not members[1].share.halted
    assert members[1].share.drawdown == 0.0


def test_a_halted_members_book_goes_on_as_if_nothing_were():
    free, halted = played(plan(), market(60)), played(plan(), market(60), halted={"up", "down"})

    assert [m.share.equity for m in free] == [m.share.equity for m in halted]
    assert together(halted).tolist() == [0.0, 0.0]


@given(st.integers(1, 80))
def test_from_its_bytes_it_goes_on_to_the_bit(cut):
    of, closes = plan(adapt=0.05, least=0.1), market(81)
    whole, half = played(of, closes), played(of, closes[:cut])
    again = unpacked([member.share for member in half], packed(half), [0, 1])
    resumed = played(of, closes[cut:], members=again)

    assert packed(resumed) == packed(whole)
    assert [m.share for m in resumed] == [m.share for m in whole]


def test_symbols_may_change_places_come_and_go_and_nothing_is_lost():
    members = played(plan(), market(30))
    shares = [member.share for member in members]
    up, down = unpacked(shares, packed(members), [-1, 1])  # a new one, and the second

    assert up.book.units.tolist() == [0.0, 0.0]
    assert up.book.cash == pytest.approx(shares[0].equity)  # sold at its last price
    assert down.book.units.tolist() == [0.0, members[1].book.units[1]]
    assert down.book.cash == members[1].book.cash

    with pytest.raises(ValueError, match="reshape"):
        unpacked(shares, packed(members)[:-8], [0, 1])
