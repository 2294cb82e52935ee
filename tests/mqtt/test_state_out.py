"""What the daemon tells: retained status with a Last Will, events, alerts, the chain's head."""

import json
import threading
import time
from datetime import date

import paho.mqtt.client as paho
import pytest

from control.protocol import Backup
from state.command import Halt
from tests.mqtt.mosquitto import Mosquitto
from tests.mqtt.year import START, closed, configured, published
from tests.tmd import DEADLINE, Tmd, verified


class Listener:
    """Hears everything an account says."""

    def __init__(self, port, name="", *, lasting=False):
        self.heard = []
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=name, clean_session=not lasting
        )
        self.client.reconnect_delay_set(0.1, 0.2)
        self.client.on_message = lambda client, data, message: self.heard.append(message)
        self.subscribed = threading.Event()
        self.client.on_connect = lambda client, *rest: client.subscribe("tm/YEAR/#", 1)
        self.client.on_subscribe = lambda *rest: self.subscribed.set()
        self.client.connect("127.0.0.1", port)

    def __enter__(self):
        self.client.loop_start()
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def of(self, topic):
        """The payloads of a topic, in order."""
        return [m.payload for m in list(self.heard) if m.topic == f"tm/YEAR/{topic}"]

    def until(self, topic, true):
        """Return the first payload of a topic that is so."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            for payload in self.of(topic):
                if true(payload):
                    return payload
            time.sleep(0.02)
        raise AssertionError(f"{topic}: {self.of(topic)[-3:]}")


def online(payload):
    return payload != b"offline"


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path / "broker") as one:
        yield one


def test_an_account_is_told_to_whoever_listens(broker, tmp_path):
    configuration = configured("mqtt", broker.port, publish="auto").replace(
        "[risk]", 'status_every = "1s"\n[risk]'
    )
    with Listener(broker.port) as listener, Tmd(tmp_path / "live", configuration) as tmd:
        tmd.connected()
        published(broker.port, end=START)
        published(broker.port, start=date(2021, 1, 6), end=date(2021, 1, 6))  # not the 5th
        tmd.until(lambda: closed(tmd) == date(2021, 1, 6))
        tmd.ready()
        assert tmd.ask(Halt("drill"), key="halt-1").ok

        status = json.loads(
            listener.until("status", lambda p: online(p) and json.loads(p)["halted"])
        )
        assert status["equity"] == "1000000"
        assert status["feed"]["stream"]["missed"] == 5
        assert status["telemetry"]["dropped"] == {}

        events = [json.loads(body) for body in listener.of("event/bars_closed")]
        assert [event["session"] for event in events] == ["2021-01-04", "2021-01-06"]
        halted = json.loads(listener.until("event/halted", online))
        assert (halted["reason"], halted["type"]) == ("drill", "halted")
        alert = json.loads(listener.until("alert", lambda p: json.loads(p)["kind"] == "HALTED"))
        assert (alert["turn"], alert["subject"]) == ("raised", "account")
        assert alert["runbook"] == "docs/runbook/halted.md"
        head = json.loads(listener.until("chain", online))
        stored = tmd.rows("SELECT hash FROM event WHERE seq = ?", head["seq"])
        assert bytes(stored[0][0]).hex() == head["hash"]

        cut = tmp_path / "cut.db"  # whole in itself, like a journal that is cut off here
        assert tmd.ask(Backup(str(cut)), key="cut").ok
        assert tmd.ask(Halt("again"), key="halt-2").ok
        tmd.kill()
        listener.until("status", lambda p: p == b"offline")  # the Last Will
        with Listener(broker.port) as late:
            assert late.until("status", bool) == b"offline"
            tmd.start()
            late.until("status", online)
            ends = verified(cut).seq
            head = json.loads(late.until("chain", lambda p: json.loads(p)["seq"] > ends))
            noted = f"{head['seq']}:{head['hash']}"
            assert tmd.verified(noted).ok
            assert verified(cut).ok
            assert verified(cut, noted).first_bad == head["seq"]
            assert tmd.stop() == 0
            end = time.monotonic() + DEADLINE
            while late.of("status")[-1] != b"offline" and time.monotonic() < end:
                time.sleep(0.02)
            assert late.of("status")[-1] == b"offline"  # a goodbye


def test_while_the_broker_is_away_trading_goes_on_and_what_happened_is_told_later(tmp_path):
    with (
        Mosquitto(tmp_path / "broker", persistent=True) as broker,
        Listener(broker.port, "lasting", lasting=True) as listener,
    ):
        assert listener.subscribed.wait(DEADLINE)
        broker.stop()
        configuration = configured("replay", broker.port, publish="on", end=date(2021, 3, 31))
        with Tmd(tmp_path / "live", configuration) as tmd:
            tmd.start()
            tmd.until(lambda: closed(tmd) == date(2021, 3, 31))
            stored = tmd.rows("SELECT seq FROM event WHERE type = 'bars_closed'")
            broker.start()
            listener.until("event/bars_closed", lambda p: json.loads(p)["seq"] == stored[-1][0])
            told = [json.loads(body)["seq"] for body in listener.of("event/bars_closed")]

    assert len(stored) == 61
    assert told == [seq for (seq,) in stored]
