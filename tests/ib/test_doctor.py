"""The doctor at a gateway, over a real socket: each step that can fail says what to do."""

from datetime import timedelta

import pytest

from daemon.brokers.ib.examining import examined, of_skew
from state.settings import BrokerChoice, InteractiveBrokers, Settings, Universe
from tests.control.terminal import tm
from tests.ib.conftest import ACCOUNT
from tests.ib.desk import CONFIGURATION, gateway
from tests.ib.gateway.server import FakeIBGateway

ALL = {
    "gateway account kind",
    "gateway restart",
    "gateway address",
    "gateway handshake",
    "gateway client id",
    "gateway account",
    "gateway time",
    "gateway contracts",
    "gateway prices",
    "gateway open orders",
}


async def graded(port, *, symbols=("SPY",), account=ACCOUNT, patience=30.0, there=False, live=""):
    settings = Settings(
        broker=BrokerChoice(kind="ib"),
        universe=Universe(symbols=symbols, instruments={"NESN": {"currency": "CHF"}}),
        ib=InteractiveBrokers(port=port, account=account, patience=patience, live_account=live),
    )
    found = await examined(settings, daemon_is_there=there)
    assert all(one.grade == "ok" or one.remedy for one in found)
    return {one.name: (one.grade, one.found) for one in found}


def test_the_command_asks_the_gateway_that_is_configured(tmp_path):
    with gateway() as made:
        file = tmp_path / "c.toml"
        file.write_text(CONFIGURATION.format(port=made.port, patience=30.0))
        env = {"TM_CONFIG": str(file), "TM_STATE": str(tmp_path)}
        ran = tm("doctor", "--json", "--socket", str(tmp_path / "none"), env=env)

        checks = {one["name"]: one for one in ran.envelope["data"]["checks"]}
        assert {name for name in checks if name.startswith("gateway")} == ALL
        assert {checks[name]["grade"] for name in ALL} == {"ok"}
        assert not made.truth().received


async def test_what_is_wrong_at_a_gateway_that_answers(fake):
    fake.hold_client_id(17)
    fake.market_data = "none"
    found = await graded(fake.port, symbols=("SPY", "X", "NESN"))

    assert found["gateway client id"] == ("bad", "client id 17 is in use")
    assert found["gateway contracts"][0] == "bad"
    assert "no contract of X" in found["gateway contracts"][1]
    assert "nothing here converts" in found["gateway contracts"][1]
    assert found["gateway prices"] == ("warn", "prices of SPY are delayed: none is traded by")
    assert found["gateway open orders"][0] == "ok"


async def test_an_id_that_the_running_daemon_holds_is_no_fault_and_no_prices_say_why(fake):
    fake.hold_client_id(17)
    fake.market_data = "competing"
    found = await graded(fake.port, there=True)

    assert found["gateway client id"][0] == "ok"
    assert found["gateway prices"][0] == "warn"
    assert "10197" in found["gateway prices"][1]


async def test_the_way_ends_where_nothing_more_can_be_asked():
    async with FakeIBGateway() as fake:
        other = await graded(fake.port, account="U7654321", live="U7654321")
        assert other["gateway account kind"][0] == "warn"
        assert other["gateway account"][0] == "bad"
        assert "gateway time" not in other
        assert (await graded(fake.port, account="U7654321"))["gateway account kind"][0] == "bad"
        assert (await graded(fake.port, account="")).keys() == {"gateway settings"}

        fake.hang_handshake()
        hung = await graded(fake.port, patience=1.5)
        assert hung["gateway address"][0] == "ok"
        assert hung["gateway handshake"][0] == "bad"
        port = fake.port
    gone = await graded(port)
    assert gone["gateway address"][0] == "bad"
    assert "gateway handshake" not in gone


@pytest.mark.parametrize(("seconds", "grade"), [(-5, "ok"), (6, "warn"), (-61, "bad")])
def test_a_clock_that_is_off_is_judged_by_how_much(seconds, grade):
    assert of_skew(timedelta(seconds=seconds)).grade == grade
