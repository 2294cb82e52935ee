"""A drill at the fake gateway, over a real socket, and the wire of it played again."""

import asyncio
import threading

import pytest

from control.diagnosis import worst
from daemon.brokers.ib.drill_questions import NoDrill
from daemon.brokers.ib.drilling import drilled
from daemon.brokers.ib.recording import Message, read, redacted
from state.settings import BrokerChoice, InteractiveBrokers, Settings, Universe
from tests.control.terminal import tm
from tests.ib.conftest import ACCOUNT
from tests.ib.desk import CONFIGURATION, gateway
from tests.ib.gateway.replaying import Replaying

CHECKS = {
    "clock",
    "contract",
    "ticks",
    "market data",
    "history",
    "what if",
    "executions",
    "order",
    "restart",
    "second client",
    "open order comes back",
    "order reference",
    "order ids",
    "between ticks",
    "cancel",
    "cancel race",
    "repeated order id",
    "cancel of nothing",
    "completed orders",
}


def settings(port, account=ACCOUNT, symbols=("KO",)):
    return Settings(
        broker=BrokerChoice(kind="ib"),
        universe=Universe(symbols=symbols),
        ib=InteractiveBrokers(port=port, account=account, patience=30.0),
    )


class Played:
    """A recording that is played on a thread of its own."""

    def __init__(self, messages):
        self.gateway, self._up = Replaying(messages), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    async def _main(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await self.gateway.start()
        self._up.set()
        await self._end.wait()
        await self.gateway.stop()

    def __enter__(self):
        self._thread.start()
        assert self._up.wait(30)
        return self.gateway

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)


def test_the_drill_leaves_nothing_open_and_its_wire_can_be_played_again(tmp_path):
    file, record = tmp_path / "c.toml", tmp_path / "wire.jsonl"
    with gateway(accounts=(ACCOUNT, "U7654321")) as made:
        file.write_text(CONFIGURATION.format(port=made.port, patience=30.0))
        env = {"TM_CONFIG": str(file), "TM_STATE": str(tmp_path)}
        words = ("doctor", "--drill", "--record", str(record), "--json")
        ran = tm(*words, "--socket", str(tmp_path / "none"), env=env)
        truth = made.truth()

    found = {
        one["name"].removeprefix("drill: "): one
        for one in ran.envelope["data"]["checks"]
        if one["name"].startswith("drill")
    }
    assert ran.exit == 0, ran
    assert found.keys() == CHECKS
    assert {name for name, one in found.items() if one["grade"] != "ok"} == set()
    assert not truth.executions
    assert {order.status for order in truth.orders} == {"Cancelled"}
    assert [got.outcome for got in truth.received if "rejected" in got.outcome] == [
        "rejected 110",
        "rejected 103",
    ]

    text = record.read_text()
    assert ACCOUNT not in text
    assert "U7654321" not in text
    assert "DU0000000,U0000001" in text
    with Played(read(record.read_bytes())) as played:
        again = drilled(settings(played.port, "DU0000000"), tmp_path / "again.jsonl")
        assert (played.differences, played.left) == ([], 0)
    same = [one.found for one in again if "clock" not in one.name and "restart" not in one.name]
    told = [o["found"] for n, o in found.items() if n not in {"clock", "restart"}]
    assert same == told


def test_a_gateway_that_does_otherwise_is_told_of(tmp_path):
    with gateway(market_data="none") as made:
        made.instruments[0].min_tick = 0.001  # it takes prices between the ticks of its own rule
        made.whatif_next("reject")
        found = {
            one.name.removeprefix("drill: "): one
            for one in drilled(settings(made.port), tmp_path / "wire")
        }
        assert found["what if"].grade == found["market data"].grade == "warn"
        assert found["between ticks"].grade == "warn"
        assert all(one.grade == "ok" or one.remedy for one in found.values())
        assert {order.status for order in made.truth().orders} == {"Cancelled"}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"account": "U7654321"}, "no paper account"),
        ({"account": ""}, "ib.account is empty"),
        ({"symbols": ()}, "universe.symbols is empty"),
    ],
)
def test_without_a_paper_account_and_a_symbol_nothing_is_sent(tmp_path, how, why):
    with pytest.raises(NoDrill, match=why):
        drilled(settings(1, **how), tmp_path / "wire")
    assert not (tmp_path / "wire").exists()


def test_a_drill_without_a_gateway_says_so(tmp_path):
    found = drilled(settings(1), tmp_path / "wire")
    assert worst(found) == "bad"


def test_accounts_are_hidden_wherever_they_are_named_even_in_one_another():
    wire = [
        Message(1, "gateway", 0.0, ("15", "1", "DU12,DU123,U9")),
        Message(1, "client", 0.1, ("3", "DU123", "for DU12 and U9")),
    ]
    assert [one.fields for one in redacted(wire, "DU123")] == [
        ("15", "1", "DU0000001,DU0000000,U0000002"),
        ("3", "DU0000000", "for DU0000001 and U0000002"),
    ]
