"""A flood of quotes: memory stays flat, prices stay young, and nobody waits behind them."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import numpy as np
import paho.mqtt.client as paho
import pytest

from control.client import ask
from control.protocol import Asked, Ping
from daemon.feeds.market_message import bar_payload, bar_topic
from state.command import SubmitOrder
from state.quote import Bar
from tests.mqtt.flood import SYMBOLS
from tests.mqtt.mosquitto import Mosquitto
from tests.tmd import Tmd

CONFIGURATION = """\
[account]
id = "FLOOD"
[universe]
symbols = [{symbols}]
calendar = "24/7"
[strategy]
name = "buy_and_hold"
[feed]
kind = "mqtt"
grace = "5s"
[mqtt]
host = "127.0.0.1"
port = {port}
publish = "off"
[control]
requests_per_second = 1000000
[execution]
session = "now"
[risk]
max_orders_per_minute = 1000000
max_day_orders = 1000000
max_day_turnover = 100.0
"""


def configured(port):
    """A configuration of a thousand symbols, and no limit in the way."""
    return CONFIGURATION.format(symbols=", ".join(f'"{symbol}"' for symbol in SYMBOLS), port=port)


def resident(tmd):
    """The daemon's memory, MiB."""
    status = (f"/proc/{tmd.process.pid}/status",)
    with open(*status) as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def round_trips(path, seconds):
    """Milliseconds of each round trip to a control socket."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        assert ask(path, Asked(Ping()), 10).ok
        took.append((time.perf_counter() - began) * 1e3)
    return took


def decided(tmd, seconds):
    """Orders decided and made durable in a second, asked one after the other."""
    n, began = 0, time.monotonic()
    while time.monotonic() < began + seconds:
        assert tmd.ask(SubmitOrder("buy", SYMBOLS[n % 100], D(1)), key=f"rate-{n}").data
        n += 1
    return n / (time.monotonic() - began)


def opened(port):
    """Publish yesterday's bar of every symbol."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    for symbol in SYMBOLS:
        sent = client.publish(
            bar_topic("tm", symbol), bar_payload(yesterday, Bar(symbol, D(50))), 1
        )
    sent.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.nightly)])
def test_a_flood_of_quotes_of_a_thousand_symbols(tmp_path, seconds, capsys):
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Tmd(tmp_path / "live", configured(broker.port)) as tmd,
    ):
        tmd.connected()
        opened(broker.port)
        tmd.ready()
        rate = 10 * decided(tmd, 1.0)
        quiet = round_trips(tmd.socket, seconds / 4)
        words = [str(broker.port), str(rate), str(2 * seconds + 300)]
        command = [sys.executable, "-m", "tests.mqtt.flood", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
            try:
                tmd.until(lambda: tmd.data()["feed"]["stream"]["quotes"] > 2 * len(SYMBOLS))
                round_trips(tmd.socket, seconds / 2)  # until what is made once is made
                before = resident(tmd)
                loud = round_trips(tmd.socket, seconds / 2)
                order = tmd.ask(SubmitOrder("buy", "S777", D(3)), key="in-the-flood")
                tmd.until(lambda: [p for p in tmd.books()["positions"] if p["symbol"] == "S777"])
                after = resident(tmd)
            finally:
                flood.terminate()
            published = int(flood.communicate(timeout=60)[0].split()[-1])
        tmd.until(lambda: tmd.data()["feed"]["stream"]["quotes"] >= published)
        stream, refused = tmd.data()["feed"]["stream"], tmd.data()["feed"]["refused"]

    p99 = [np.percentile(column, 99) for column in (quiet, loud)]
    with capsys.disabled():
        print(
            f"\n  {rate:,.0f} quotes/s asked for, {published:,} published; "
            f"newest price age p99 {stream['quote_age'] * 1e3:.1f} ms; control p99 quiet "
            f"{p99[0]:.2f} ms, flooded {p99[1]:.2f} ms; memory {before:.1f} -> {after:.1f} MiB"
        )
    assert order.ok
    assert refused == {}
    assert stream["quotes"] == published
    assert after - before < 8
    if seconds >= 60:  # the long run has the machine to itself
        assert stream["quote_age"] < 0.25
        assert p99[1] <= 2 * p99[0]
