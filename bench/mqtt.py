"""Reading quotes off MQTT, beside a bare aiomqtt consumer, paho and gmqtt in the same run.

`python -m bench.mqtt`. One mosquitto; per round each consumer, in a process of its own, takes the
same flood of quotes of 1,000 symbols (QoS 0) from one publisher. Ours decodes, checks, builds bars
and conflates; the others only count. gmqtt lives in an environment of its own, .cache/rivals.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho

from tests.mqtt.mosquitto import Mosquitto

SYMBOLS = [f"S{n:03d}" for n in range(1000)]
MESSAGES = 60_000
ROUNDS = 5
LAST = "tm/md/quote/S999"
RIVALS = Path(".cache/rivals")
AT = datetime(2021, 3, 1, 16, tzinfo=UTC)

BARE = """
import asyncio, sys, time, aiomqtt
async def main(port, count):
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("tm/md/#")
        print("ready", flush=True)
        n = 0
        async for message in client.messages:
            n += 1
            if n == 1:
                began, cpu = time.perf_counter(), time.process_time()
            if n == count:
                break
        print(count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6)
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""
PAHO = """
import sys, time, paho.mqtt.client as paho
port, count = int(sys.argv[1]), int(sys.argv[2])
n, began, cpu = 0, 0.0, 0.0
def taken(client, data, message):
    global n, began, cpu
    n += 1
    if n == 1:
        began, cpu = time.perf_counter(), time.process_time()
    if n == count:
        client.disconnect()
client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.on_message = taken
client.on_subscribe = lambda *rest: print("ready", flush=True)
client.connect("127.0.0.1", port)
client.subscribe("tm/md/#")
client.loop_forever()
print(count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6)
"""
GMQTT = """
import asyncio, sys, time
from gmqtt import Client
async def main(port, count):
    done, n, began, cpu = asyncio.Event(), 0, 0.0, 0.0
    def taken(client, topic, payload, qos, properties):
        nonlocal n, began, cpu
        n += 1
        if n == 1:
            began, cpu = time.perf_counter(), time.process_time()
        if n == count:
            done.set()
        return 0
    client = Client("bench")
    client.on_message = taken
    client.on_subscribe = lambda *rest: print("ready", flush=True)
    await client.connect("127.0.0.1", port)
    client.subscribe("tm/md/#")
    await done.wait()
    print(count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6)
    await client.disconnect()
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


async def ours(port: int, count: int) -> None:
    """Run the daemon's own feed until it has read so many quotes."""
    from daemon.calendar import open_calendar
    from daemon.clock import FakeClock, MarketClock, SystemClock
    from daemon.feeds.gathering import Gathering
    from daemon.feeds.market_message import Reading
    from daemon.feeds.mqtt import MqttFeed
    from daemon.feeds.past import Past
    from daemon.mqtt_link import MqttLink
    from state.settings import Mqtt

    calendar = open_calendar("XNYS")
    clock = SystemClock()
    feed = MqttFeed(
        SYMBOLS,
        MqttLink(Mqtt(host="127.0.0.1", port=port), "BENCH", clock),
        Reading("tm", SYMBOLS, calendar),
        Gathering(SYMBOLS, calendar, max_jump=0.8, grace=60.0, follows_feed=True),
        Past(SYMBOLS, None, calendar, max_jump=0.8),
        clock,
        MarketClock(FakeClock(runs=False), follows_feed=True),
        prefix="tm",
        qos=0,
    )
    n, began, cpu, done, take = 0, 0.0, 0.0, asyncio.Event(), feed.take

    def counted(topic: str, payload: bytes, retained: bool) -> None:
        nonlocal n, began, cpu
        n += 1
        if n == 1:
            began, cpu = time.perf_counter(), time.process_time()
        take(topic, payload, retained)
        if n == count:
            done.set()

    feed.take = counted  # type: ignore[method-assign]

    async def nothing(close: object) -> None:
        """Take a close: none is whole in a flood of quotes."""

    running = asyncio.create_task(feed.run(nothing))
    while not feed.connected:  # noqa: ASYNC110 there is nothing to wait on
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await done.wait()
    print(count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6)
    stream = feed.stream
    assert stream.quotes == count, (stream, feed.refused)
    running.cancel()


def publish(port: int, count: int) -> None:
    """Publish a flood of quotes, as fast as one paho client can."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    base = AT.timestamp()
    for n in range(count):
        at = datetime.fromtimestamp(base + n * 1e-3, UTC).isoformat()
        body = json.dumps(
            {"at": at, "bid": 50 + n % 7, "ask": 50.02 + n % 7, "last": 50.01 + n % 7}
        )
        client.publish(f"tm/md/quote/{SYMBOLS[n % 1000]}", body)
    while client.want_write():
        time.sleep(0.01)
    client.loop_stop()
    client.disconnect()


def rivals() -> str:
    """Return the Python of the environment of rivals, made when it is not there."""
    python = RIVALS / "bin" / "python"
    if not python.exists():
        venv.create(RIVALS, with_pip=True)
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "gmqtt==0.7.0"]
        subprocess.run([python, *words], check=True)
    return str(python)


def measured(command: list[str], port: int) -> tuple[float, float]:
    """Return (messages a second, microseconds of CPU a message) of one consumer in one flood."""
    consumer = subprocess.Popen(
        [*command, str(port), str(MESSAGES)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert consumer.stdout is not None
    assert consumer.stdout.readline().strip() == "ready"
    subprocess.run(
        [sys.executable, "-m", "bench.mqtt", "publish", str(port), str(MESSAGES)], check=True
    )
    rate, cpu = consumer.stdout.readline().split()
    consumer.wait(60)
    return float(rate), float(cpu)


def main() -> None:
    """Print a table."""
    consumers = {
        "aiomqtt, bare": [sys.executable, "-c", BARE],
        "ours": [sys.executable, "-m", "bench.mqtt", "ours"],
        "paho": [sys.executable, "-c", PAHO],
        "gmqtt": [rivals(), "-c", GMQTT],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in consumers}
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder)) as broker:
        for _ in range(ROUNDS):
            for name, command in consumers.items():
                found[name].append(measured(command, broker.port))
    bare_rate, bare_cpu = (statistics.median(x) for x in zip(*found["aiomqtt, bare"], strict=True))
    print(f"{'consumer':<16}{'messages/s':>12}{'of bare':>9}{'us CPU each':>13}{'of bare':>9}")
    for name, rows in found.items():
        rate, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        ratio, share = rate / bare_rate, bare_cpu / cpu
        print(f"{name:<16}{rate:>12,.0f}{ratio:>9.2f}{cpu:>13.1f}{share:>9.2f}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ours", port, count]:
            asyncio.run(ours(int(port), int(count)))
        case ["publish", port, count]:
            publish(int(port), int(count))
        case _:
            main()
