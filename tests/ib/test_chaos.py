"""Sixty orders under at least fifty faults: our book is the gateway's truth, nothing twice.

More seeds: `python -m tests.ib.chaos --seeds 100 --start 1000`.
"""

import pytest

from tests.ib.chaos import FAULTS, killed, lived

BY_DAY, BY_NIGHT = (1,), range(100, 120)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", BY_DAY)
async def test_a_short_chaos_ends_with_the_gateways_truth(tmp_path, seed):
    found, counted = await lived(tmp_path, seed, orders=20, faults=15)
    assert found == []
    assert sum(counted.values()) >= 15


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", BY_NIGHT)
async def test_chaos_ends_with_the_gateways_truth(tmp_path, seed):
    found, counted = await lived(tmp_path, seed, orders=60, faults=50)
    assert found == []
    assert sum(counted.values()) >= 50
    assert counted.keys() <= FAULTS.keys()


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chaos_with_a_daemon_killed_in_it_ends_with_the_gateways_truth(tmp_path, seed):
    found, counted, kills = killed(tmp_path, seed, orders=60, faults=50, kills=5)
    assert found == []
    assert sum(counted.values()) >= 50
    assert kills == 5
