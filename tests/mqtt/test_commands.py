"""Commands never arrive by MQTT: whatever is published changes prices, and nothing else."""

import asyncio
import json
import re
from datetime import timedelta

import aiomqtt

from tests.mqtt.mosquitto import Mosquitto
from tests.mqtt.year import START, SYMBOLS, XNYS, closed, configured, prices, published
from tests.tmd import Tmd

COMMANDS = [
    {"op": "halt", "reason": "x"},
    {"op": "order", "side": "buy", "symbol": "KO", "quantity": "10"},
    {"ask": {"op": "rebalance"}, "key": "k"},
    {"op": "shutdown"},
    {"op": "cash", "kind": "deposit", "amount": "1000"},
]
TOPICS = [
    "tm/YEAR/command",
    "tm/YEAR/halt",
    "tm/YEAR/status",
    "tm/YEAR/event/halted",
    "tm/YEAR/alert",
    "tm/command",
    "tm/md/command",
    "tm/md/bar/1d/KO",
    "tm/md/bar/1m/KO",
    "tm/md/quote/KO",
    "tm/md/quote/halt",
    "tm/md/bar/1d/../../halt",
    "trade-manager/rebalance",
]


async def flood(port):
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for topic in TOPICS:
            for command in COMMANDS:
                priced = {"at": "2021-01-05T15:00:00Z", "last": 50.5, **command}
                for body in (command, priced):
                    await client.publish(
                        topic, json.dumps(body), 1, retain=topic.endswith("status")
                    )


def test_a_message_to_any_topic_changes_nothing_but_prices(tmp_path):
    first, second = START, START + timedelta(days=1)
    with (
        Mosquitto(
            tmp_path / "broker", more="allow_anonymous true\nlog_type subscribe\nlog_type error"
        ) as broker,
        Tmd(tmp_path / "live", configured("mqtt", broker.port, publish="on")) as tmd,
    ):
        tmd.connected()
        published(broker.port, end=first)
        tmd.until(lambda: closed(tmd) == first)
        tmd.ready()
        before = tmd.rows("SELECT seq, type FROM event ORDER BY seq")
        books = tmd.books()

        asyncio.run(flood(broker.port))
        bad = len(TOPICS[7:8]) * len(COMMANDS) * 2  # a bar needs a close
        tmd.until(lambda: sum(tmd.data()["feed"]["refused"].values()) >= bad + len(COMMANDS))

        assert tmd.rows("SELECT seq, type FROM event ORDER BY seq") == before
        assert tmd.books() == books
        assert not tmd.data()["halts"]

        published(broker.port, start=second, end=second)  # prices still come
        tmd.until(lambda: closed(tmd) == second)
        new = tmd.rows("SELECT type FROM event WHERE seq > ? ORDER BY seq", before[-1][0])
        assert new == [("bars_closed",)]
        subscribed = re.findall(
            r"trade-manager-YEAR-\w+ \d (\S+)", (broker.folder / "mosquitto.log").read_text()
        )

    assert set(subscribed) == {"tm/md/bar/1d/+", "tm/md/quote/+"}
    assert XNYS.is_session(second)
    assert set(prices().symbols) == set(SYMBOLS)
