"""What the account has to beat: the plain strategies on the same closes."""

import pytest

from control.protocol import Report
from tests.desk import desk


async def test_a_report_has_the_three_baselines_beside_the_account(tmp_path):
    async with desk(tmp_path, weights=(0.0, 0.0)) as one:
        for n in range(30):
            await one.close(50 + n, 100 + (n % 2))
        told = (await one.say(Report())).data

    made = {each["name"]: each for each in told["baselines"]}
    assert set(made) == {"buy_and_hold", "inverse_volatility", "volatility_target"}
    assert told["metrics"]["total_return"] == pytest.approx(0.0)
    held = made["buy_and_hold"]
    assert 0.1 < held["total_return"] < 0.4  # half of it in what rose by 58 %, from the first week
    assert held["volatility"] > 0.0


async def test_without_a_close_there_is_nothing_to_compare(tmp_path):
    async with desk(tmp_path) as one:
        assert (await one.say(Report())).error.code == "NO_PRICES"
