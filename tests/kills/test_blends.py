"""A blend across kills: its books, its capital and its targets are what they would have been."""

import pytest

from tests.kills.test_beliefs import disturbed, undisturbed

pytestmark = [pytest.mark.area("evolution and beliefs"), pytest.mark.timeout(900)]

YEARS = """\
[trading]
mode = "autonomous"
rebalance = "1w"
[replay]
start = {start}-01-02
end = {end}
pace = {pace}
at_end = "stop"
[strategy]
name = "blend"
[blend]
adapt = {adapt}
[blend.members.mind]
strategy = "active_inference"
weight = 0.5
min = 0.2
max = 0.8
[blend.members.calm]
strategy = "inverse_volatility"
weight = 0.3
max_drawdown = 0.2
[blend.members.all]
strategy = "buy_and_hold"
weight = 0.2
max_drawdown = 0.9
[beliefs]
engine = "numpy"
[execution]
band = 0.001
[risk]
max_day_turnover = 1.0
max_day_loss = 0.2
max_drawdown = 0.5
"""


@pytest.mark.parametrize(
    ("start", "kills"), [(2019, 3), pytest.param(2010, 60, marks=pytest.mark.nightly)]
)
async def test_its_members_are_bit_for_bit_what_they_would_have_been(tmp_path, start, kills):
    words = {"start": start, "end": "2020-06-30", "adapt": 0.1}
    whole = undisturbed(tmp_path / "whole", YEARS, **words)
    killed = await disturbed(tmp_path / "killed", YEARS, kills, **words)

    assert killed["blend"] == whole["blend"]
    for each in (killed, whole):
        each.pop("alerts")  # told at the wall's time: a run may be over before its halt is
    assert killed == whole
    mind, calm, every = whole["blend"].shares
    assert (mind.halted, calm.halted, every.halted) == (False, True, False)  # since March 2020
    assert whole["halts"].keys() == {"strategy:calm"}
    assert mind.capital + calm.capital + every.capital == pytest.approx(1.0)
    assert len({mind.capital, 0.5}) == 2
    assert len(whole["ledger"].positions) > 10


def test_configured_anew_it_is_as_if_it_had_always_been_so(tmp_path):
    """It is made again of the journaled closes, warm with those that the feed has from before."""
    words = {"start": 2019, "end": "2019-06-28"}
    always = undisturbed(tmp_path / "always", YEARS, **words, adapt=0.2)
    words["end"] = "2019-04-30"
    undisturbed(tmp_path / "anew", YEARS, **words, adapt=0.0)
    words["end"] = "2019-06-28"
    anew = undisturbed(tmp_path / "anew", YEARS, **words, adapt=0.2)

    assert anew["blend"] == always["blend"]
    assert anew["belief"] == always["belief"]
    assert anew["targets"] == always["targets"]
    assert anew["blend"].shares[0].capital != 0.5
