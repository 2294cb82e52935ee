"""How long the control socket takes while quotes flood in, beside the least that could be.

`python -m bench.flood [ROUNDS] [SECONDS]`. The flood is 10 times the orders a second that the
daemon decides and makes durable, one after the other, as quotes of 1,000 symbols through a real
mosquitto. Beside `tmd` stands a bare process: the same control socket with nothing behind it, and
an aiomqtt client that drops every message. Both answer the same client, quiet and flooded, in
turns; what the bare process loses is the price of the machine, for client, broker and publisher
have the same cores. Broker and publisher, which belong on other machines, yield to who is measured
(nice 10): where others want the cores, too, that makes prices old, and the age no result.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from control.protocol import Exit, Reply
from control.request import Request
from daemon.principal import Peer
from tests.mqtt.mosquitto import Mosquitto
from tests.mqtt.test_flood import configured, decided, opened, round_trips
from tests.tmd import Tmd

NICE = 10


async def bare(path: str, port: int) -> None:
    """Answer at a control socket, and drop what comes by MQTT."""
    import aiomqtt

    from daemon.server import control_socket

    async def pong(request: Request, peer: Peer) -> Reply:
        """Answer everything alike."""
        return Reply("ping", True, "completed", Exit.DONE)

    async with (
        control_socket(path, pong, version="bare"),
        aiomqtt.Client(
            "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V311, identifier="bare"
        ) as client,
    ):
        await client.subscribe("bare/md/#")
        print("ready", flush=True)
        async for _ in client.messages:
            pass


def flooded(path: str, port: int, rate: float, seconds: float, prefix: str) -> list[float]:
    """Return milliseconds of each round trip within a flood of quotes of a prefix."""
    words = [str(port), str(rate), str(seconds + 1), prefix]  # longer than it is looked at
    command = ["nice", "-n", str(NICE), sys.executable, "-m", "tests.mqtt.flood", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdout is not None
        assert flood.stdout.readline().strip() == "flowing"
        took = round_trips(path, seconds)
        published = int(flood.communicate(timeout=60)[0])
    assert published > 0.95 * rate * (seconds + 1) - 10, (published, rate)
    return took


def p99(took: list[float]) -> float:
    """Return what 99 of 100 round trips took at most."""
    return float(np.percentile(took, 99))


def main(rounds: int, seconds: float) -> None:
    """Print a table."""
    rows: dict[str, list[tuple[float, float, float, float]]] = {"tmd": [], "bare": []}
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name) / "broker") as broker:
        assert broker.process is not None
        os.setpriority(os.PRIO_PROCESS, broker.process.pid, NICE)
        with Tmd(Path(name) / "live", configured(broker.port)) as tmd:
            tmd.connected()
            opened(broker.port)
            tmd.ready()
            rate = 10 * decided(tmd, 3.0)
            path = str(Path(name) / "bare")
            command = [sys.executable, "-m", "bench.flood", "bare", path, str(broker.port)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
                assert other.stdout is not None
                try:
                    assert other.stdout.readline().strip() == "ready"
                    for _ in range(rounds):
                        for who, at, prefix in (("bare", path, "bare"), ("tmd", tmd.socket, "tm")):
                            quiet = round_trips(at, seconds)
                            loud = flooded(at, broker.port, rate, seconds, prefix)
                            middles = statistics.median(quiet), statistics.median(loud)
                            rows[who].append((*middles, p99(quiet), p99(loud)))
                finally:
                    other.terminate()
            age = tmd.data()["feed"]["stream"]["quote_age"] * 1e3
    print(f"{rate:,.0f} quotes/s; newest price age p99 {age:.1f} ms; medians of {rounds} rounds")
    print(f"{'ms':<6}{'p50 quiet':>11}{'flooded':>9}{'p99 quiet':>11}{'flooded':>9}{'ratio':>7}")
    for who, found in rows.items():
        columns = [statistics.median(column) for column in zip(*found, strict=True)]
        ratio = statistics.median(row[3] / row[2] for row in found)
        cells = f"{columns[0]:>11.2f}{columns[1]:>9.2f}{columns[2]:>11.2f}{columns[3]:>9.2f}"
        print(f"{who:<6}{cells}{ratio:>7.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        asyncio.run(bare(sys.argv[2], int(sys.argv[3])))
    else:
        main(int((sys.argv[1:2] or ["5"])[0]), float((sys.argv[2:3] or ["4"])[0]))
